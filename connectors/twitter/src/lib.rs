//! X/Twitter posts as a source
//!
//! Recent search, filtered stream and timelines of the API v2.
