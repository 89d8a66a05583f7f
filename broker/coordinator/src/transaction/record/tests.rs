//! Kafka's bytes, read and written

use super::*;

fn transaction() -> Transaction {
    let partition = |topic: &str, partition| TopicPartition {
        topic: topic.to_owned(),
        partition,
    };
    Transaction {
        producer_id: 7,
        previous_producer_id: NO_PRODUCER,
        epoch: 3,
        last_epoch: NO_EPOCH,
        timeout_ms: 60_000,
        state: State::Ongoing,
        partitions: [partition("a", 0), partition("a", 2), partition("b", 1)].into(),
        start_ms: 100,
        updated_ms: 200,
    }
}

#[test]
fn the_bytes_are_kafkas() {
    let written = record("t-1", &transaction());
    assert_eq!(written.key, [0, 0, 0, 3, b't', b'-', b'1']);
    let mut expected = vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 3, 0, 0, 0xea, 0x60, 1];
    expected.extend([0, 0, 0, 2, 0, 1, b'a', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2]);
    expected.extend([0, 1, b'b', 0, 0, 0, 1, 0, 0, 0, 1]);
    expected.extend([0, 0, 0, 0, 0, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0, 100]);
    assert_eq!(written.value.as_deref(), Some(&expected[..]));
    assert_eq!(decode_key(&written.key), Ok(Some("t-1".to_owned())));
    assert_eq!(decode(&expected), Ok(transaction()));
    assert_eq!(tombstone("t-1").key, written.key);
}

#[test]
fn an_empty_id_has_no_partitions() {
    let empty = Transaction {
        state: State::Empty,
        partitions: BTreeSet::new(),
        start_ms: -1,
        ..transaction()
    };
    let value = record("t", &empty).value.unwrap();
    assert_eq!(value[17..21], [0xff; 4], "a null array, as Kafka writes");
    assert_eq!(decode(&value), Ok(empty));
}

#[test]
fn the_flexible_value_is_read_with_its_tags() {
    let mut bytes = vec![0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 3, 0, 0, 0xea, 0x60, 4];
    // One topic of one partition, with no tags.
    bytes.extend([2, 2, b'a', 2, 0, 0, 0, 5, 0]);
    bytes.extend([0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 8]);
    bytes.extend([2, 0, 8, 0, 0, 0, 0, 0, 0, 0, 6, 2, 2, 0, 2]);
    let read = decode(&bytes).unwrap();
    assert_eq!((read.previous_producer_id, read.state), (6, State::CompleteCommit));
    assert_eq!((read.updated_ms, read.start_ms), (9, 8));
    assert_eq!(read.partitions.first().unwrap().partition, 5);
}

#[test]
fn torn_and_foreign_bytes_are_told_apart() {
    let value = record("t", &transaction()).value.unwrap();
    for cut in 0..value.len() {
        assert!(decode(&value[..cut]).is_err(), "cut at {cut}");
    }
    let mut newer = value.clone();
    newer[1] = 9;
    assert!(matches!(
        decode(&newer),
        Err(CoordinatorError::UnsupportedVersion { version: 9, .. })
    ));
    let mut unknown_state = value;
    unknown_state[16] = 8;
    assert!(matches!(
        decode(&unknown_state),
        Err(CoordinatorError::Malformed { .. })
    ));
    assert_eq!(decode_key(&[0, 9]), Ok(None));
    assert!(decode_key(&[0]).is_err());
}
