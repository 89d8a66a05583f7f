//! The order in which Java's `HashMap` lists its keys
//!
//! Configs that were read from the config topic, client overrides and converter options stand in that order in Connect's answers, so
//! they do in Weir's. Source: `java.util.HashMap`; trees within a bucket are left out.

const FIRST_CAPACITY: usize = 16;

/// Sorts as a `HashMap` with these keys is iterated; keys of one bucket keep their order.
pub fn sort_by_bucket<T>(items: &mut [T], key: impl Fn(&T) -> &str) {
    let mut capacity = FIRST_CAPACITY;
    while items.len() > capacity / 4 * 3 {
        capacity *= 2;
    }
    let mask = u32::try_from(capacity - 1).unwrap_or(u32::MAX);
    items.sort_by_key(|item| {
        let hash = java_hash(key(item));
        (hash ^ (hash >> 16)) & mask
    });
}

/// `String.hashCode`.
fn java_hash(text: &str) -> u32 {
    text.encode_utf16()
        .fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::sort_by_bucket;

    #[test]
    fn keys_come_as_from_a_java_hash_map() {
        let mut options = [
            "converter.type",
            "schemas.enable",
            "schemas.cache.size",
            "schema.content",
            "decimal.format",
            "replace.null.with.default",
        ];
        sort_by_bucket(&mut options, |option| option);
        assert_eq!(
            options,
            [
                "decimal.format",
                "converter.type",
                "schemas.cache.size",
                "replace.null.with.default",
                "schemas.enable",
                "schema.content",
            ]
        );
    }
}
