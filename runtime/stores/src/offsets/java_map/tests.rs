//! Tests of the serialised map against bytes that Java 17 wrote.

use super::*;

/// Files that Java 17 wrote: `testdata/offset_file/OffsetMap.java` the first three, Apache's standalone worker the last.
const EMPTY: &[u8] = include_bytes!("../../../testdata/offset_file/empty.bin");
const ONE: &[u8] = include_bytes!("../../../testdata/offset_file/one.bin");
const TWENTY: &[u8] = include_bytes!("../../../testdata/offset_file/twenty.bin");
const WORKER: &[u8] = include_bytes!("../../../testdata/offset_file/worker.bin");

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

#[test]
fn files_that_java_wrote_are_read_and_written_byte_for_byte() {
    assert_eq!(read(EMPTY).unwrap(), []);
    assert_eq!(
        read(ONE).unwrap(),
        [entry(
            r#"["local-file-source",{"filename":"test.txt"}]"#,
            Some(r#"{"position":51}"#)
        )]
    );
    assert_eq!(
        read(WORKER).unwrap(),
        [entry(
            r#"["a",{"filename":"/tmp/ref/in.txt"}]"#,
            Some(r#"{"position":51}"#)
        )]
    );
    let mut twenty = read(TWENTY).unwrap();
    twenty.sort();
    let mut expected: Vec<MapEntry> = (0..20)
        .map(|number| {
            entry(
                &format!("key-{number}"),
                Some(format!("value-{number}").as_str()).filter(|_| number != 7),
            )
        })
        .collect();
    expected.sort();
    assert_eq!(twenty, expected);
    for golden in [EMPTY, ONE, TWENTY, WORKER] {
        assert_eq!(write(&read(golden).unwrap()), golden);
    }
}

#[test]
fn arrays_shared_by_reference_are_read() {
    // Java writes a byte array that occurs twice once, and a handle to it: here the value is the key's array (handle 3).
    let one = write(&[entry("k", Some("v"))]);
    let value_at = one.len() - 12;
    let mut shared = one[..value_at + 1].to_vec();
    shared[value_at] = TC_REFERENCE;
    shared.extend((BASE_HANDLE + 3).to_be_bytes());
    shared.push(TC_ENDBLOCKDATA);
    assert_eq!(read(&shared).unwrap(), [entry("k", Some("k"))]);
}

/// Where a Java is installed, it must read what we write, in both directions of size; the goldens above stand for it elsewhere.
#[test]
fn an_installed_java_reads_what_is_written() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/offset_file/OffsetMap.java");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("offsets");
    let entries: Vec<MapEntry> = (10..60)
        .map(|number| entry(&format!("k{number}é"), Some("v").filter(|_| number != 30)))
        .collect();
    std::fs::write(&file, write(&entries)).unwrap();
    let Ok(output) = std::process::Command::new("java")
        .arg(source)
        .arg("read")
        .arg(&file)
        .output()
    else {
        return;
    };
    let expected: String = (10..60)
        .map(|number| {
            if number == 30 {
                "k30é\n".to_owned()
            } else {
                format!("k{number}é=v\n")
            }
        })
        .collect();
    let problem = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{problem}");
}
