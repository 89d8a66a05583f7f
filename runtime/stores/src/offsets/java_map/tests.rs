//! Tests of the serialised map against bytes that Java 17 wrote.

use super::*;

fn entry(key: &str, value: Option<&str>) -> MapEntry {
    (
        Some(key.as_bytes().to_vec()),
        value.map(|value| value.as_bytes().to_vec()),
    )
}

#[test]
fn any_cut_or_changed_stream_is_refused_or_read_without_harm() {
    let whole = write(&[entry("key", Some("value")), entry("other", None)]);
    for cut in 0..whole.len() {
        assert!(read(&whole[..cut]).is_err(), "cut at {cut}");
    }
    for index in 0..whole.len() {
        for byte in [0, 0x70, 0x71, 0x75, 0x7f, 0xff] {
            let mut changed = whole.clone();
            changed[index] = byte;
            // Must return, whatever it says.
            let _outcome = read(&changed);
        }
    }
}

#[test]
fn what_is_written_is_read_at_every_size() {
    for count in [0usize, 1, 2, 12, 13, 100] {
        let entries: Vec<MapEntry> = (0..count)
            .map(|number| entry(&format!("k{number}"), Some("v").filter(|_| number % 3 != 0)))
            .collect();
        assert_eq!(read(&write(&entries)).unwrap(), entries, "{count}");
    }
}

#[test]
fn a_lying_size_allocates_nothing() {
    let mut stream = write(&[]);
    let size_at = stream.len() - 5;
    stream[size_at..size_at + 4].copy_from_slice(&i32::MAX.to_be_bytes());
    assert!(read(&stream).is_err());
}
