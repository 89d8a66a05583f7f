//! Topics of a consumer's subscription
//!
//! The metadata a member of type `consumer` joins with: version i16, then its topics; whatever
//! follows (user data, owned partitions, rack) is the assignor's business and is not read. Other
//! protocol types have metadata of their own, which a coordinator never opens.

use crate::fields::Fields;

/// Reads the topics of one subscription; `None` when the bytes are something else.
pub(super) fn subscribed_topics(metadata: &[u8]) -> Option<Vec<String>> {
    let mut fields = Fields::new(metadata);
    let version = fields.i16()?;
    if version < 0 {
        return None;
    }
    let count = fields.array_length()?;
    let mut topics = Vec::with_capacity(count.min(256));
    for _ in 0..count {
        topics.push(fields.string()?);
    }
    Some(topics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_and_the_rest_left_alone() {
        let two = b"\x00\x01\x00\x00\x00\x02\x00\x01a\x00\x02bb\xff\xff\xff\xff\x00\x00\x00\x00";
        assert_eq!(subscribed_topics(two), Some(vec!["a".to_owned(), "bb".to_owned()]));
    }

    #[test]
    fn foreign_bytes_are_no_subscription() {
        for bytes in [
            &b""[..],
            b"\x00",
            b"\xff\xff\x00\x00\x00\x00",
            b"\x00\x00\x7f\xff\xff\xff",
            b"\x00\x00\x00\x00\x00\x01\x00\x05ab",
        ] {
            assert_eq!(subscribed_topics(bytes), None, "{bytes:?}");
        }
    }
}
