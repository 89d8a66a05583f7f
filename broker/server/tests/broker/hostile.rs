//! Malformed, oversized and lying frames close their connection and nothing else.

use crate::support::{Client, TestBroker, batch, directory, produce};
use tokio::io::AsyncWriteExt;
use weir_protocol::decode::encode_request;
use weir_protocol::messages::{ApiVersionsRequest, MetadataRequest};

async fn closes(broker: &TestBroker, bytes: &[u8]) {
    let mut client = broker.client().await;
    client.stream.write_all(bytes).await.unwrap();
    assert_eq!(
        client.frame().await,
        None,
        "{:?} was answered",
        &bytes[..bytes.len().min(24)]
    );
}

fn framed(payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as i32).to_be_bytes().to_vec();
    bytes.extend_from_slice(payload);
    bytes
}

async fn still_serves(broker: &TestBroker) {
    let mut client = broker.client().await;
    assert_eq!(client.call(&ApiVersionsRequest::default(), 0).await.error_code, 0);
}

#[tokio::test]
async fn lying_lengths_close_the_connection() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    for length in [-1, i32::MIN, 0, 7, 104_857_601, i32::MAX] {
        closes(&broker, &length.to_be_bytes()).await;
    }
    still_serves(&broker).await;
    broker.stop().await;
}

#[tokio::test]
async fn claimed_array_lengths_allocate_nothing() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    // The two byte strings that aborted another codec: 154 GB (v4) and 309 GB (v9) were reserved.
    closes(
        &broker,
        &framed(&[0, 3, 0, 4, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 1]),
    )
    .await;
    closes(
        &broker,
        &framed(&[0, 3, 0, 9, 0, 0, 0, 1, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 0xff, 0x0f]),
    )
    .await;
    still_serves(&broker).await;
    broker.stop().await;
}

#[tokio::test]
async fn unknown_keys_bad_headers_and_cut_bodies_close() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    for payload in [
        &[0x7f, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff][..],
        &[0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff],
        &[0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xfe, 0, 0],
        &[0, 3, 0, 1, 0, 0, 0, 1, 0, 99, b'x', 0],
        &[0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0, 0],
        &[0, 0, 0, 9, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0xff, 0xff],
    ] {
        closes(&broker, &framed(payload)).await;
    }
    let whole = encode_request(1, None, &MetadataRequest::default(), 12).unwrap();
    for cut in 12..whole.len() {
        closes(&broker, &framed(&whole[4..cut])).await;
    }
    still_serves(&broker).await;
    broker.stop().await;
}

#[tokio::test]
async fn a_slow_or_vanishing_client_holds_up_nobody() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut slow = broker.client().await;
    slow.stream.write_all(&[0, 0, 0x10]).await.unwrap();
    let mut large = broker.client().await;
    large.stream.write_all(&100_000_000i32.to_be_bytes()).await.unwrap();
    large.stream.write_all(&[0; 100]).await.unwrap();
    still_serves(&broker).await;
    drop((slow, large));
    still_serves(&broker).await;
    broker.stop().await;
}

#[tokio::test]
async fn corrupt_batches_are_refused_by_code_and_the_connection_stays() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client: Client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let good = batch(&[b"one", b"two"]);
    let mut cases = Vec::new();
    let mut flipped = good.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    cases.push((flipped, 2));
    let mut old_magic = good.clone();
    old_magic[16] = 1;
    cases.push((old_magic, 87));
    let mut short = good.clone();
    short.truncate(70);
    cases.push((short, 2));
    let mut twice = good.clone();
    twice.extend_from_slice(&good);
    cases.push((twice, 87));
    cases.push((bytes::BytesMut::new(), 87));
    let mut lying_length = good.clone();
    lying_length[8..12].copy_from_slice(&i32::MAX.to_be_bytes());
    cases.push((lying_length, 2));
    for (bytes, code) in cases {
        let answer = client.produce("t", bytes, -1).await;
        assert_eq!((answer.error_code, answer.base_offset), (code, -1));
    }
    assert_eq!(client.produce("t", good, -1).await.base_offset, 0);
    broker.stop().await;
}

#[tokio::test]
async fn produce_without_acks_gets_no_answer_and_closes_on_failure() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    client.send(&produce("t", 0, batch(&[b"quiet"]), 0), 9).await;
    let versions = client.call(&ApiVersionsRequest::default(), 0).await;
    assert_eq!(versions.error_code, 0, "the next answer is the next request's");
    assert_eq!(client.fetch("t", 0, 5000).await.error_code, 0);
    client.send(&produce("no-such-topic", 0, batch(&[b"lost"]), 0), 9).await;
    assert_eq!(client.frame().await, None);
    broker.stop().await;
}
