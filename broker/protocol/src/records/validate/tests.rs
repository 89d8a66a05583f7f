//! Refusals of broker table A.6, one row each

use proptest::prelude::*;

use super::*;
use crate::records::batch::{compute_crc, set_log_append_time};
use crate::records::builder::{BatchBuilder, BatchSettings};

fn check(bytes: &[u8], rules: &BatchRules) -> Result<BatchFacts, ErrorCode> {
    validate_batch(bytes, rules, &mut Vec::new()).map_err(|rejection| rejection.code)
}

fn settings() -> BatchSettings {
    BatchSettings::default()
}

fn batch(settings: BatchSettings) -> Vec<u8> {
    let mut builder = BatchBuilder::new(settings);
    builder.append(5, Some(b"k"), Some(b"v"), &[(b"h", None)]);
    builder.append(9, None, Some(b"w"), &[]);
    builder.append(7, Some(b"k"), None, &[]);
    builder.build().unwrap()
}

/// A batch with some header bytes overwritten and the checksum made right again.
fn patched(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut out = batch(settings());
    out[at..at + bytes.len()].copy_from_slice(bytes);
    let crc = compute_crc(&out);
    out[17..21].copy_from_slice(&crc.to_be_bytes());
    out
}

#[test]
fn a_good_batch_tells_its_true_largest_timestamp() {
    for id in 0..5 {
        let codec = Codec::from_id(id).unwrap();
        let bytes = batch(BatchSettings { codec, ..settings() });
        let facts = check(&bytes, &BatchRules::default()).unwrap();
        assert_eq!(facts.max_timestamp, 9);
    }
    // A header that claims a far future is read past.
    let facts = check(&patched(35, &i64::MAX.to_be_bytes()), &BatchRules::default()).unwrap();
    assert_eq!(facts.max_timestamp, 9);
}

#[test]
fn refusals_carry_kafkas_codes() {
    let rules = BatchRules::default();
    let good = batch(settings());
    let two = [good.clone(), good.clone()].concat();
    let mut append_time = good.clone();
    set_log_append_time(&mut append_time, 1);
    let mut bad_crc = good.clone();
    *bad_crc.last_mut().unwrap() ^= 1;
    let small = BatchRules {
        max_batch_bytes: 80,
        ..rules.clone()
    };
    let tiny_segment = BatchRules {
        segment_bytes: 80,
        ..rules.clone()
    };
    let keyed = BatchRules {
        requires_keys: true,
        ..rules.clone()
    };
    let old_client = BatchRules {
        allows_zstd: false,
        ..rules.clone()
    };
    let late = BatchRules {
        now_ms: 1000,
        timestamp_before_max_ms: 10,
        ..rules.clone()
    };
    let early = BatchRules {
        now_ms: 0,
        timestamp_after_max_ms: 6,
        ..rules.clone()
    };
    let zstd = batch(BatchSettings {
        codec: Codec::Zstd,
        ..settings()
    });
    let control = batch(BatchSettings {
        is_control: true,
        ..settings()
    });
    let no_sequence = batch(BatchSettings {
        producer_id: 1,
        producer_epoch: 0,
        ..settings()
    });
    let no_producer = batch(BatchSettings {
        is_transactional: true,
        ..settings()
    });
    let horizon = batch(BatchSettings {
        delete_horizon_ms: Some(3),
        ..settings()
    });
    for (name, bytes, rules, code) in [
        ("none", &[][..], &rules, ErrorCode::INVALID_RECORD),
        ("two batches", &two, &rules, ErrorCode::INVALID_RECORD),
        ("cut", &good[..good.len() - 1], &rules, ErrorCode::CORRUPT_MESSAGE),
        ("cut header", &good[..30], &rules, ErrorCode::CORRUPT_MESSAGE),
        ("checksum", &bad_crc, &rules, ErrorCode::CORRUPT_MESSAGE),
        ("old magic", &patched(16, &[1]), &rules, ErrorCode::INVALID_RECORD),
        ("large", &good, &small, ErrorCode::MESSAGE_TOO_LARGE),
        ("segment", &good, &tiny_segment, ErrorCode::RECORD_LIST_TOO_LARGE),
        ("append time", &append_time, &rules, ErrorCode::INVALID_TIMESTAMP),
        (
            "count 0",
            &patched(57, &0i32.to_be_bytes()),
            &rules,
            ErrorCode::INVALID_RECORD,
        ),
        (
            "count",
            &patched(57, &2i32.to_be_bytes()),
            &rules,
            ErrorCode::INVALID_RECORD,
        ),
        (
            "delta",
            &patched(23, &9i32.to_be_bytes()),
            &rules,
            ErrorCode::INVALID_RECORD,
        ),
        (
            "codec 6",
            &patched(21, &6i16.to_be_bytes()),
            &rules,
            ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
        ),
        (
            "not gzip",
            &patched(21, &1i16.to_be_bytes()),
            &rules,
            ErrorCode::INVALID_RECORD,
        ),
        ("zstd", &zstd, &old_client, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE),
        ("control", &control, &rules, ErrorCode::INVALID_RECORD),
        ("sequence", &no_sequence, &rules, ErrorCode::INVALID_RECORD),
        ("transaction", &no_producer, &rules, ErrorCode::INVALID_RECORD),
        ("horizon", &horizon, &rules, ErrorCode::INVALID_RECORD),
        ("null key", &good, &keyed, ErrorCode::INVALID_RECORD),
        ("late", &good, &late, ErrorCode::INVALID_TIMESTAMP),
        ("early", &good, &early, ErrorCode::INVALID_TIMESTAMP),
    ] {
        assert_eq!(check(bytes, rules), Err(code), "{name}");
    }
}

#[test]
fn refused_records_are_named() {
    let rules = BatchRules {
        requires_keys: true,
        ..BatchRules::default()
    };
    let rejection = validate_batch(&batch(settings()), &rules, &mut Vec::new()).unwrap_err();
    assert_eq!(rejection.record_errors.len(), 1);
    assert_eq!(rejection.record_errors[0].0, 1);
}

#[test]
fn missing_timestamps_pass() {
    let mut builder = BatchBuilder::default();
    builder.append(NO_TIMESTAMP, None, Some(b"v"), &[]);
    let rules = BatchRules {
        now_ms: 1 << 40,
        timestamp_before_max_ms: 1,
        ..BatchRules::default()
    };
    assert_eq!(
        check(&builder.build().unwrap(), &rules).unwrap().max_timestamp,
        NO_TIMESTAMP
    );
}

proptest! {
    #[test]
    fn bytes_from_anywhere_never_panic(data in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = check(&data, &BatchRules::default());
    }

    #[test]
    fn a_record_block_of_garbage_never_panics(
        data in prop::collection::vec(any::<u8>(), 0..300),
        codec in 0i16..8,
        count in -2i32..20,
    ) {
        let mut out = batch(settings());
        out.truncate(61);
        out.extend_from_slice(&data);
        let length = (out.len() - 12) as i32;
        out[8..12].copy_from_slice(&length.to_be_bytes());
        out[21..23].copy_from_slice(&codec.to_be_bytes());
        out[23..27].copy_from_slice(&(count.wrapping_sub(1)).to_be_bytes());
        out[57..61].copy_from_slice(&count.to_be_bytes());
        let crc = compute_crc(&out);
        out[17..21].copy_from_slice(&crc.to_be_bytes());
        let _ = check(&out, &BatchRules::default());
    }
}
