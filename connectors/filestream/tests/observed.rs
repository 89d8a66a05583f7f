//! What Apache's FileStream classes did, replayed on these
//!
//! `java/observed.txt` holds scripts and observations made by `java/Observe.java`. The same steps run here on the
//! stand-in host of the SDK. Where this connector differs on purpose, `DIVERGES` gives the observations instead, with
//! the reason. Positions are compared for ASCII files only: Apache's count UTF-16 units, these count bytes.

mod replay;

use std::collections::BTreeMap;

/// Case, what is observed here, why.
const DIVERGES: &[(&str, &[&str], &str)] = &[
    (
        "batch size limits a poll",
        &[
            "records 2",
            "2 31",
            "4 32",
            "records 2",
            "6 33",
            "8 34",
            "records 1",
            "10 35",
            "records 1",
            "12 36",
            "null",
            "null",
        ],
        "lines left over when a batch is full come with the next poll; Apache's wait for the file to grow",
    ),
    (
        "deleted file is not noticed",
        &["records 1", "2 61", "records 1", "4 62", "null"],
        "as above",
    ),
    (
        "zero batch size at work",
        &["records 1", "2 31", "records 1", "4 32"],
        "as above",
    ),
    (
        "negative batch size at work",
        &["records 1", "2 31", "records 1", "4 32"],
        "as above",
    ),
    (
        "a directory",
        &[
            "throws org.apache.kafka.connect.errors.ConnectException: java.nio.file.FileSystemException: DIR/file: Is a directory | java.nio.file.FileSystemException: DIR/file: Is a directory",
            "throws org.apache.kafka.connect.errors.ConnectException: java.nio.file.FileSystemException: DIR/file: Is a directory | java.nio.file.FileSystemException: DIR/file: Is a directory",
        ],
        "fails the task; Apache's polls it forever without a word",
    ),
    (
        "resume past the end",
        &["null"],
        "waits for the file to grow; Apache's spins inside of poll",
    ),
    (
        "resume with a text position",
        &[
            "throws org.apache.kafka.connect.errors.ConnectException: Offset position is the incorrect type",
            "throws org.apache.kafka.connect.errors.ConnectException: Offset position is the incorrect type",
        ],
        "a failed task is not polled again; here it would fail again",
    ),
    (
        "resume with an int position",
        &["records 1", "4 6f6e65"],
        "offsets cross as JSON, where an int and a long are the same; Apache's reader always gives longs, too",
    ),
    (
        "partial character at the end of the file",
        &["records 1", "… 61", "records 1", "… e282ac"],
        "a line is decoded when it is complete; Apache's gives up on a character that is still being written",
    ),
    (
        "alter offsets: int",
        &["true"],
        "as for positions: Apache's worker makes longs of all whole numbers",
    ),
];

#[test]
fn every_observed_case_is_reproduced() {
    let diverges: BTreeMap<&str, &[&str]> = DIVERGES.iter().map(|(case, seen, _)| (*case, *seen)).collect();
    let cases = replay::cases(include_str!("java/observed.txt"));
    assert!(cases.len() > 100, "only {} cases found", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let seen = replay::run(case);
        match diverges.get(case.name.as_str()) {
            Some(expected) => {
                let short: Vec<String> = seen.iter().map(|line| replay::shortened(line)).collect();
                if short != *expected {
                    wrong.push(format!("{}:\n  expected {expected:#?}\n  seen {short:#?}", case.name));
                }
            }
            None if seen != case.observed() => {
                wrong.push(format!(
                    "{}:\n  Apache's {:#?}\n  seen {seen:#?}",
                    case.name,
                    case.observed()
                ));
            }
            None => {}
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} cases differ:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    for (name, _, reason) in DIVERGES {
        assert!(cases.iter().any(|case| case.name == *name), "no case {name}: {reason}");
    }
}
