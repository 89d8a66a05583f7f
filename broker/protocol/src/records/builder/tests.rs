//! Round trips of built batches: any records, any codec, any settings

use proptest::prelude::*;

use super::*;
use crate::records::batch::BatchView;
use crate::records::compression::{decompress_into, decompression_cap};
use crate::records::record::RecordWalker;

type Bytes = Option<Vec<u8>>;
type OwnedHeaders = Vec<(Vec<u8>, Bytes)>;
type OwnedRecord = (i64, Bytes, Bytes, OwnedHeaders);

fn nullable() -> impl Strategy<Value = Bytes> {
    prop::option::of(prop::collection::vec(any::<u8>(), 0..40))
}

fn record() -> impl Strategy<Value = OwnedRecord> {
    let name = prop::sample::select(vec![b"a".to_vec(), b"b".to_vec(), vec![]]);
    (
        any::<i64>(),
        nullable(),
        nullable(),
        prop::collection::vec((name, nullable()), 0..4),
    )
}

proptest! {
    #[test]
    fn records_come_back_as_written(
        records in prop::collection::vec(record(), 0..30),
        codec in 0i16..5,
        producer in any::<(i64, i16, i32)>(),
        is_transactional: bool,
    ) {
        let settings = BatchSettings {
            base_offset: 1000,
            codec: Codec::from_id(codec).unwrap(),
            producer_id: producer.0,
            producer_epoch: producer.1,
            base_sequence: producer.2,
            is_transactional,
            ..BatchSettings::default()
        };
        let mut builder = BatchBuilder::new(settings);
        for (timestamp, key, value, headers) in &records {
            let headers: Vec<Header<'_>> =
                headers.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
            builder.append(*timestamp, key.as_deref(), value.as_deref(), &headers);
        }
        let bytes = builder.build().unwrap();
        let view = BatchView::parse(&bytes).unwrap();
        view.check_crc().unwrap();
        prop_assert_eq!(view.bytes.len(), bytes.len());
        prop_assert_eq!(view.header.producer_id, producer.0);
        prop_assert_eq!(view.header.attributes.is_transactional(), is_transactional);

        let mut block = Vec::new();
        if records.is_empty() {
            prop_assert!(view.records().is_empty());
        } else {
            let codec = view.header.attributes.codec().unwrap();
            let cap = decompression_cap(view.records().len());
            decompress_into(codec, view.records(), cap, &mut block).unwrap();
        }
        let mut walker = RecordWalker::new(&block, view.header.records_count);
        for (index, (timestamp, key, value, headers)) in records.iter().enumerate() {
            let read = walker.next().unwrap().unwrap();
            prop_assert_eq!(read.offset_delta as usize, index);
            let base = view.header.base_timestamp;
            prop_assert_eq!(base.wrapping_add(read.timestamp_delta), *timestamp);
            prop_assert_eq!(read.key, key.as_deref());
            prop_assert_eq!(read.value, value.as_deref());
            let read: OwnedHeaders = read
                .headers()
                .map(|header| (header.key.to_vec(), header.value.map(<[u8]>::to_vec)))
                .collect();
            prop_assert_eq!(&read, headers);
        }
        prop_assert!(walker.next().is_none());
        prop_assert_eq!(walker.remaining(), 0);
    }
}

#[test]
fn empty_batch_keeps_what_compaction_keeps() {
    let mut builder = BatchBuilder::new(BatchSettings {
        base_offset: 5,
        base_sequence: 9,
        ..BatchSettings::default()
    });
    builder.set_last_offset_delta(3);
    builder.set_max_timestamp(77);
    let bytes = builder.build().unwrap();
    let header = BatchView::parse(&bytes).unwrap().header;
    assert_eq!(bytes.len(), HEADER_BYTES);
    assert_eq!(
        (header.records_count, header.last_offset(), header.last_sequence()),
        (0, 8, 12)
    );
    assert_eq!(header.max_timestamp, 77);
}
