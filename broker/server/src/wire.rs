//! Filling in response messages of the codec crate.
//!
//! Its structs are `non_exhaustive`, so a literal is not possible from here: `wire!` starts from
//! the default and assigns the named fields. A field left out keeps Kafka's schema default.

/// Builds a codec message from its default and the given fields.
macro_rules! wire {
    ($type:ty { $($field:ident : $value:expr),* $(,)? }) => {{
        let mut message = <$type>::default();
        $( message.$field = $value; )*
        message
    }};
}

pub(crate) use wire;
