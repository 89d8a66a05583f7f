//! DescribeLogDirs (35): sizes of partitions in the one data directory.
//!
//! v1–4: v2 flexible, v3 top-level error, v4 total and usable bytes of the disk (KIP-827); those
//! are answered as unknown. Null topics means all.

use std::sync::Arc;

use weir_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use weir_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse, StrBytes};

use crate::context::{RequestCx, Shared};
use crate::partition::PartitionHandle;
use crate::partitions::Topic;
use crate::wire::wire;

pub(crate) async fn describe_log_dirs(
    shared: Arc<Shared>,
    _: RequestCx,
    request: DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    let topics: Vec<DescribeLogDirsTopic> = match &request.topics {
        None => {
            let topics = shared.partitions.topics().sorted();
            topics
                .iter()
                .map(|topic| described(topic, topic.partitions.iter()))
                .collect()
        }
        Some(wanted) => wanted
            .iter()
            .filter_map(|wanted| {
                let topic = shared.partitions.topic(&wanted.topic)?;
                let partitions = wanted.partitions.iter().filter_map(|at| topic.partition(*at));
                Some(described(&topic, partitions))
            })
            .collect(),
    };
    let directory = shared.config.log.directory.to_string_lossy().into_owned();
    wire!(DescribeLogDirsResponse {
        results: vec![wire!(DescribeLogDirsResult {
            log_dir: StrBytes::from(directory),
            topics: topics,
        })],
    })
}

fn described<'a>(topic: &Topic, partitions: impl Iterator<Item = &'a Arc<PartitionHandle>>) -> DescribeLogDirsTopic {
    let partitions = partitions.map(|partition| {
        let bytes = partition.reader().map_or(0, |reader| reader.size());
        wire!(DescribeLogDirsPartition {
            partition_index: partition.index,
            partition_size: i64::try_from(bytes).unwrap_or(i64::MAX),
        })
    });
    wire!(DescribeLogDirsTopic {
        name: StrBytes::from(&*topic.name),
        partitions: partitions.collect(),
    })
}
