//! Fingerprints of JSON values
//!
//! SHA-256 over a canonical text: keys sorted, no blanks. Equal values give equal fingerprints, whatever order a service
//! writes their fields in.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Digits of a short fingerprint: 64 bits, enough to tell the few records of one window apart.
const SHORT_DIGITS: usize = 16;

/// Gives the canonical text of a value.
pub fn canonical(value: &Value) -> String {
    let mut out = String::new();
    push_canonical(&mut out, value);
    out
}

fn push_canonical(out: &mut String, value: &Value) {
    match value {
        Value::Object(object) => {
            let mut pairs: Vec<(&String, &Value)> = object.iter().collect();
            pairs.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (at, (key, value)) in pairs.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                push_canonical(out, value);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                push_canonical(out, item);
            }
            out.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => out.push_str(&value.to_string()),
    }
}

/// Gives the SHA-256 of bytes as hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Gives the fingerprint of a value.
pub fn hash_of(value: &Value) -> String {
    sha256_hex(canonical(value).as_bytes())
}

/// Gives the start of the fingerprint of a value, for lists of many.
pub fn short_hash_of(value: &Value) -> String {
    let mut hash = hash_of(value);
    hash.truncate(SHORT_DIGITS);
    hash
}

#[cfg(test)]
mod tests {
    use super::{canonical, hash_of, sha256_hex, short_hash_of};
    use serde_json::json;

    #[test]
    fn the_order_of_keys_does_not_matter() {
        let one = json!({"b": [1, {"y": null, "x": "é\n"}], "a": 1.5});
        let other = json!({"a": 1.5, "b": [1, {"x": "é\n", "y": null}]});
        assert_eq!(canonical(&one), r#"{"a":1.5,"b":[1,{"x":"é\n","y":null}]}"#);
        assert_eq!(hash_of(&one), hash_of(&other));
        assert_ne!(
            hash_of(&one),
            hash_of(&json!({"a": 1.5, "b": [{"x": "é\n", "y": null}, 1]}))
        );
        assert!(hash_of(&one).starts_with(&short_hash_of(&one)));
    }

    #[test]
    fn digests_are_those_of_the_standard() {
        assert_eq!(
            sha256_hex(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
