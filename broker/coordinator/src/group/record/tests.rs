//! Goldens made by Kafka 4.3.1's own classes, round trips, hostile bytes.

use proptest::prelude::*;

use super::*;
use crate::fields::put_compact_string;

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

fn member() -> MemberValue {
    MemberValue {
        member_id: "m-1".to_owned(),
        instance_id: Some("i".to_owned()),
        client_id: "c".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        rebalance_timeout_ms: 60_000,
        session_timeout_ms: 45_000,
        subscription: Bytes::from_static(b"\x01\x02"),
        assignment: Bytes::from_static(b"\x03"),
    }
}

fn group() -> GroupValue {
    GroupValue {
        protocol_type: "consumer".to_owned(),
        generation: 7,
        protocol: Some("range".to_owned()),
        leader: Some("m-1".to_owned()),
        state_since_ms: 1_700_000_000_000,
        members: vec![member()],
    }
}

fn offset() -> OffsetValue {
    OffsetValue {
        offset: 42,
        leader_epoch: 3,
        metadata: "meta".to_owned(),
        commit_ms: 1_700_000_000_000,
        expire_ms: None,
    }
}

#[test]
fn offset_keys_are_kafkas_bytes() {
    let key = offset_key("grp", "top", 5);
    assert_eq!(key, hex("0001 0003 677270 0003 746f70 00000005"));
    let read = RecordKey::decode(&key).unwrap();
    let expected = RecordKey::Offset {
        group: "grp".to_owned(),
        topic: "top".to_owned(),
        partition: 5,
    };
    assert_eq!(read, expected);
    let mut version_0 = key;
    version_0[1] = 0;
    assert_eq!(RecordKey::decode(&version_0).unwrap(), expected);
}

#[test]
fn group_keys_are_kafkas_bytes() {
    let key = group_key("grp");
    assert_eq!(key, hex("0002 0003 677270"));
    assert_eq!(
        RecordKey::decode(&key).unwrap(),
        RecordKey::Group {
            group: "grp".to_owned()
        }
    );
}

#[test]
fn keys_of_other_group_types_are_told_apart() {
    assert_eq!(
        RecordKey::decode(&hex("0003 0003 677270")).unwrap(),
        RecordKey::Other(3)
    );
    assert_eq!(RecordKey::decode(&hex("0010 00")).unwrap(), RecordKey::Other(16));
}

#[test]
fn offset_values_are_kafkas_bytes() {
    let bytes = offset().encode();
    assert_eq!(
        bytes,
        hex("0003 000000000000002a 00000003 0004 6d657461 0000018bcfe56800")
    );
    assert_eq!(OffsetValue::decode(&bytes).unwrap(), offset());
}

#[test]
fn offset_values_with_an_expiry_are_version_1() {
    let value = OffsetValue {
        expire_ms: Some(1_700_000_000_001),
        leader_epoch: -1,
        ..offset()
    };
    let bytes = value.encode();
    let expected = "0001 000000000000002a 0004 6d657461 0000018bcfe56800 0000018bcfe56801";
    assert_eq!(bytes, hex(expected));
    assert_eq!(OffsetValue::decode(&bytes).unwrap(), value);
}

#[test]
fn offset_values_of_every_version_are_read() {
    let no_epoch = OffsetValue {
        leader_epoch: -1,
        ..offset()
    };
    let body = "000000000000002a 0004 6d657461 0000018bcfe56800";
    let old = |version: &str, rest: &str| OffsetValue::decode(&hex(&format!("{version} {body} {rest}"))).unwrap();
    assert_eq!(old("0000", ""), no_epoch);
    assert_eq!(old("0001", "ffffffffffffffff"), no_epoch);
    assert_eq!(old("0002", ""), no_epoch);
    // v4 with a topic id in tag 0, as Kafka 4.3 writes it.
    let mut flexible = hex("0004 000000000000002a 00000003");
    put_compact_string(&mut flexible, "meta");
    flexible.extend(hex("0000018bcfe56800 01 00 10 000102030405060708090a0b0c0d0e0f"));
    assert_eq!(OffsetValue::decode(&flexible).unwrap(), offset());
}

#[test]
fn group_values_are_kafkas_bytes() {
    let bytes = group().encode();
    let expected = "0003 0008 636f6e73756d6572 00000007 0005 72616e6765 0003 6d2d31 \
                    0000018bcfe56800 00000001 \
                    0003 6d2d31 0001 69 0001 63 000a 2f3132372e302e302e31 \
                    0000ea60 0000afc8 00000002 0102 00000001 03";
    assert_eq!(bytes, hex(expected));
    assert_eq!(GroupValue::decode(&bytes).unwrap(), group());
}

#[test]
fn flexible_group_values_are_read() {
    let version_4 = "0004 09 636f6e73756d6572 00000007 06 72616e6765 04 6d2d31 \
                     0000018bcfe56800 02 04 6d2d31 02 69 02 63 0b 2f3132372e302e302e31 \
                     0000ea60 0000afc8 03 0102 02 03 00 00";
    assert_eq!(GroupValue::decode(&hex(version_4)).unwrap(), group());
}

#[test]
fn group_values_of_earlier_versions_are_read() {
    let version_0 = "0000 0008 636f6e73756d6572 00000007 0005 72616e6765 0003 6d2d31 00000001 \
                     0003 6d2d31 0001 63 000a 2f3132372e302e302e31 0000afc8 \
                     00000002 0102 00000001 03";
    let read = GroupValue::decode(&hex(version_0)).unwrap();
    let expected_member = MemberValue {
        instance_id: None,
        rebalance_timeout_ms: 45_000,
        ..member()
    };
    assert_eq!(
        read,
        GroupValue {
            state_since_ms: -1,
            members: vec![expected_member],
            ..group()
        }
    );
}

#[test]
fn an_empty_group_has_null_protocol_and_leader() {
    let value = GroupValue {
        protocol: None,
        leader: None,
        members: Vec::new(),
        ..group()
    };
    let bytes = value.encode();
    let expected = "0003 0008 636f6e73756d6572 00000007 ffff ffff 0000018bcfe56800 00000000";
    assert_eq!(bytes, hex(expected));
    assert_eq!(GroupValue::decode(&bytes).unwrap(), value);
}

#[test]
fn versions_from_the_future_are_refused() {
    let unsupported = |what| CoordinatorError::UnsupportedVersion { what, version: 5 };
    assert_eq!(OffsetValue::decode(&hex("0005 00")), Err(unsupported("offset value")));
    assert_eq!(GroupValue::decode(&hex("0005 00")), Err(unsupported("group value")));
}

#[test]
fn every_cut_of_a_record_is_malformed() {
    let (key, value, members) = (offset_key("g", "t", 1), offset().encode(), group().encode());
    for end in 0..key.len() {
        assert!(RecordKey::decode(&key[..end]).is_err(), "key cut at {end}");
    }
    for end in 0..value.len() {
        assert!(OffsetValue::decode(&value[..end]).is_err(), "offset cut at {end}");
    }
    for end in 0..members.len() {
        assert!(GroupValue::decode(&members[..end]).is_err(), "group cut at {end}");
    }
}

#[test]
fn a_lying_member_count_reserves_nothing() {
    let mut bytes = group().encode();
    let count_at = 2 + 10 + 4 + 7 + 5 + 8;
    assert_eq!(bytes[count_at..count_at + 4], [0, 0, 0, 1]);
    bytes[count_at..count_at + 4].copy_from_slice(&i32::MAX.to_be_bytes());
    assert!(GroupValue::decode(&bytes).is_err());
}

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,24}"
}

prop_compose! {
    fn any_member()(
        member_id in text(), instance_id in proptest::option::of(text()), client_id in text(),
        client_host in text(), rebalance_timeout_ms: i32, session_timeout_ms: i32,
        subscription: Vec<u8>, assignment: Vec<u8>,
    ) -> MemberValue {
        MemberValue {
            member_id, instance_id, client_id, client_host, rebalance_timeout_ms,
            session_timeout_ms, subscription: subscription.into(), assignment: assignment.into(),
        }
    }
}

proptest! {
    #[test]
    fn keys_round_trip(group in text(), topic in text(), partition: i32) {
        let read = RecordKey::decode(&offset_key(&group, &topic, partition)).unwrap();
        prop_assert_eq!(read, RecordKey::Offset { group: group.clone(), topic, partition });
        let read = RecordKey::decode(&group_key(&group)).unwrap();
        prop_assert_eq!(read, RecordKey::Group { group });
    }

    #[test]
    fn offsets_round_trip(
        offset: i64, leader_epoch: i32, metadata in text(), commit_ms: i64,
        expire_ms in proptest::option::of(0i64..),
    ) {
        let leader_epoch = if expire_ms.is_some() { -1 } else { leader_epoch };
        let value = OffsetValue { offset, leader_epoch, metadata, commit_ms, expire_ms };
        prop_assert_eq!(OffsetValue::decode(&value.encode()).unwrap(), value);
    }

    #[test]
    fn groups_round_trip(
        protocol_type in text(), generation: i32, protocol in proptest::option::of(text()),
        leader in proptest::option::of(text()), state_since_ms: i64,
        members in proptest::collection::vec(any_member(), 0..4),
    ) {
        let value =
            GroupValue { protocol_type, generation, protocol, leader, state_since_ms, members };
        prop_assert_eq!(GroupValue::decode(&value.encode()).unwrap(), value);
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, version in 0i16..6) {
        let mut versioned = version.to_be_bytes().to_vec();
        versioned.extend(bytes);
        let _ = RecordKey::decode(&versioned);
        let _ = OffsetValue::decode(&versioned);
        let _ = GroupValue::decode(&versioned);
    }
}
