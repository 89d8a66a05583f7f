//! Every request and response we serve, in every version
//!
//! Round trips of defaults and of whatever random bytes decode to, hostile
//! lengths, and the promise that Produce is decoded without copying records.

use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;
use weir_protocol::api::{self, ApiKey};
use weir_protocol::decode::{MAX_ARRAY_ELEMENTS, decode_request, decode_response, encode_request, encode_response};
use weir_protocol::error::ProtocolError;
use weir_protocol::header::decode_request_header;
use weir_protocol::messages::{KafkaRequest, KafkaResponse, MetadataRequest, ProduceRequest, RequestResponsePair};

/// Calls `$visit::<Request>()` for every request type in the table.
macro_rules! for_each_request {
    ($visit:ident $(, $argument:expr)*) => {
        for_each_request!(@ $visit ($($argument),*)
            ProduceRequest FetchRequest ListOffsetsRequest MetadataRequest OffsetCommitRequest
            OffsetFetchRequest FindCoordinatorRequest JoinGroupRequest HeartbeatRequest
            LeaveGroupRequest SyncGroupRequest DescribeGroupsRequest ListGroupsRequest
            ApiVersionsRequest CreateTopicsRequest DeleteTopicsRequest DeleteRecordsRequest
            InitProducerIdRequest OffsetForLeaderEpochRequest AddPartitionsToTxnRequest
            AddOffsetsToTxnRequest EndTxnRequest TxnOffsetCommitRequest DescribeConfigsRequest
            AlterConfigsRequest DescribeLogDirsRequest CreatePartitionsRequest
            DeleteGroupsRequest ElectLeadersRequest IncrementalAlterConfigsRequest
            ListPartitionReassignmentsRequest OffsetDeleteRequest DescribeClusterRequest
            DescribeProducersRequest DescribeTransactionsRequest ListTransactionsRequest ListConfigResourcesRequest DescribeTopicPartitionsRequest)
    };
    (@ $visit:ident $arguments:tt $($request:ident)*) => {
        $(for_each_request!(# $visit $arguments $request);)*
    };
    (# $visit:ident ($($argument:expr),*) $request:ident) => {
        $visit::<weir_protocol::messages::$request>($($argument),*)
    };
}

fn versions<T: KafkaRequest>() -> std::ops::RangeInclusive<i16> {
    let api = api::find(ApiKey::from(T::API_KEY)).expect("the request is in the table");
    api.min..=api.max
}

fn round_trip_defaults<T>()
where
    T: RequestResponsePair + Default + PartialEq + std::fmt::Debug,
    T::Response: KafkaResponse + Default + PartialEq + std::fmt::Debug,
{
    for version in versions::<T>() {
        let frame = encode_request(7, Some("me"), &T::default(), version).unwrap().freeze();
        let (header, body) = decode_request_header(frame.slice(4..)).unwrap();
        assert_eq!(header.api_key, ApiKey::from(T::API_KEY));
        assert_eq!((header.api_version, header.correlation_id), (version, 7));
        assert_eq!(header.client_id.as_deref(), Some("me"));
        let request: T = decode_request(body, version).unwrap();
        assert_eq!(request, decode_request(reencode(&request, version), version).unwrap());

        let frame = encode_response(9, &T::Response::default(), version).unwrap().freeze();
        let length = i32::from_be_bytes(frame[..4].try_into().unwrap());
        assert_eq!(length as usize, frame.len() - 4);
        let (correlation, response): (i32, T::Response) = decode_response(frame.slice(4..), version).unwrap();
        assert_eq!(correlation, 9);
        let again = encode_response(9, &response, version).unwrap();
        assert_eq!(again, frame);
    }
}

/// The body bytes of a request.
fn reencode<T: KafkaRequest>(request: &T, version: i16) -> Bytes {
    let frame = encode_request(0, None, request, version).unwrap().freeze();
    decode_request_header(frame.slice(4..)).unwrap().1
}

#[test]
fn defaults_round_trip_in_every_version() {
    for_each_request!(round_trip_defaults);
}

#[test]
fn the_list_above_covers_the_table() {
    fn count<T: KafkaRequest>(seen: &mut Vec<ApiKey>) {
        seen.push(ApiKey::from(T::API_KEY));
    }
    let mut seen = Vec::new();
    for_each_request!(count, &mut seen);
    assert_eq!(seen, api::TABLE.iter().map(|api| api.key).collect::<Vec<_>>());
}

fn decode_garbage<T: KafkaRequest + PartialEq + std::fmt::Debug>(data: &Bytes) {
    for version in versions::<T>() {
        if let Ok(request) = decode_request::<T>(data.clone(), version) {
            let again = decode_request::<T>(reencode(&request, version), version).unwrap();
            assert_eq!(again, request);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Small numbers make plausible lengths, so that some inputs decode.
    #[test]
    fn what_decodes_also_encodes(
        data in prop::collection::vec(prop_oneof![Just(0u8), 0u8..8, any::<u8>()], 0..120),
    ) {
        let data = Bytes::from(data);
        for_each_request!(decode_garbage, &data);
    }
}

/// Five bytes of Metadata v4 and v9 whose array claims 2^31−1 and 2^32−2 topics.
/// A decoder that reserves what they claim asks for 154 and 309 GB and aborts.
#[test]
fn hostile_array_lengths_are_errors() {
    for (version, body) in [(4, [0x7f, 0xff, 0xff, 0xff, 0x01]), (9, [0xff, 0xff, 0xff, 0xff, 0x0f])] {
        let result = decode_request::<MetadataRequest>(Bytes::copy_from_slice(&body), version);
        assert!(
            matches!(result, Err(ProtocolError::Decode(_))),
            "v{version}: {result:?}"
        );
    }
}

/// A count within the limit but beyond the bytes fails at the first missing
/// element, whatever the request and wherever its arrays stand.
#[test]
fn claimed_counts_beyond_the_frame_are_errors() {
    fn hostile<T: KafkaRequest>(data: &Bytes) {
        for version in versions::<T>() {
            let _ = decode_request::<T>(data.clone(), version);
        }
    }
    let count = MAX_ARRAY_ELEMENTS as u32;
    for lead in 0..24 {
        for tail in [count.to_be_bytes(), [0x7f, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0x7f]] {
            let mut data = vec![0; lead];
            data.extend_from_slice(&tail);
            for_each_request!(hostile, &Bytes::from(data.clone()));
        }
    }
    let body = Bytes::copy_from_slice(&count.to_be_bytes());
    assert!(decode_request::<MetadataRequest>(body, 4).is_err());
}

fn produce_body(version: i16, records: &[u8]) -> Bytes {
    let mut body = BytesMut::new();
    assert!((3..9).contains(&version));
    body.put_i16(-1); // no transactional id
    body.put_i16(-1); // acks
    body.put_i32(30_000);
    body.put_i32(1);
    body.put_i16(1);
    body.put_slice(b"t");
    body.put_i32(1);
    body.put_i32(0);
    body.put_i32(records.len() as i32);
    body.put_slice(records);
    body.freeze()
}

#[test]
fn produced_records_share_the_frames_bytes() {
    let records = vec![7u8; 1 << 20];
    let body = produce_body(8, &records);
    let request: ProduceRequest = decode_request(body.clone(), 8).unwrap();
    let decoded = request.topic_data[0].partition_data[0].records.as_ref().unwrap();
    assert_eq!(decoded.len(), records.len());
    assert!(body.as_ptr_range().contains(&decoded.as_ptr()), "records were copied");
}

#[test]
fn bytes_after_the_message_are_ignored_as_kafka_does() {
    let mut body = BytesMut::from(&produce_body(8, b"x")[..]);
    body.put_slice(b"more");
    assert!(decode_request::<ProduceRequest>(body.freeze(), 8).is_ok());
}
