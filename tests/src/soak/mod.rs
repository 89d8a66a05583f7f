//! Parts of the soak: the workers, what runs on them, what may have happened to it, and what the topics must hold.

pub mod fleet;
pub mod load;
pub mod passage;
pub mod topic_reader;
