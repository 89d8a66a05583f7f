//! The request kinds this broker answers, and their versions
//!
//! One table row per API: number, name, versions we read, the lowest version we
//! advertise, and the first flexible version. `ApiVersions`, dispatch and the
//! headers all read it. An API enters the table when its handler works.

use std::fmt;

use kafka_wire_core::ApiKey as WireKey;

/// Number of a request kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApiKey(pub i16);

/// One row of the version table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Api {
    /// Number on the wire.
    pub key: ApiKey,
    /// Kafka's name.
    pub name: &'static str,
    /// Lowest version that is answered.
    pub min: i16,
    /// Highest version that is answered and advertised.
    pub max: i16,
    /// Lowest version that is advertised. Differs from `min` for Produce only:
    /// older librdkafka turns compression off when it reads a minimum above its
    /// own table, so Kafka advertises 0 and refuses 0–2, and so do we.
    pub advertised_min: i16,
    /// First version with compact lengths and tagged fields.
    pub first_flexible: i16,
}

/// Stands for "no version is flexible".
pub const NEVER_FLEXIBLE: i16 = i16::MAX;

impl Api {
    /// Returns whether a request of `version` is answered.
    pub fn supports(&self, version: i16) -> bool {
        (self.min..=self.max).contains(&version)
    }

    /// Returns whether `version` uses the flexible encoding.
    pub fn is_flexible(&self, version: i16) -> bool {
        version >= self.first_flexible
    }

    /// Returns the version of the response header: ApiVersions answers with 0 in
    /// every version, so that a client can read the reply before it knows ours.
    pub fn response_header_version(&self, version: i16) -> i16 {
        if self.key == ApiKey::API_VERSIONS {
            0
        } else {
            i16::from(self.is_flexible(version))
        }
    }
}

macro_rules! apis {
    ($($key:literal $constant:ident $name:literal $min:literal..=$max:literal advertised $advertised:literal flexible $flexible:expr;)*) => {
        #[allow(missing_docs, reason = "the names are Kafka's and are documented there")]
        impl ApiKey {
            $(pub const $constant: Self = Self($key);)*
        }

        /// Every API we answer, ascending by key.
        pub const TABLE: &[Api] = &[$(Api {
            key: ApiKey($key),
            name: $name,
            min: $min,
            max: $max,
            advertised_min: $advertised,
            first_flexible: $flexible,
        },)*];
    };
}

apis! {
    0  PRODUCE "Produce" 3..=13 advertised 0 flexible 9;
    1  FETCH "Fetch" 4..=17 advertised 4 flexible 12;
    2  LIST_OFFSETS "ListOffsets" 1..=10 advertised 1 flexible 6;
    3  METADATA "Metadata" 0..=13 advertised 0 flexible 9;
    8  OFFSET_COMMIT "OffsetCommit" 2..=9 advertised 2 flexible 8;
    9  OFFSET_FETCH "OffsetFetch" 1..=9 advertised 1 flexible 6;
    10 FIND_COORDINATOR "FindCoordinator" 0..=6 advertised 0 flexible 3;
    11 JOIN_GROUP "JoinGroup" 0..=9 advertised 0 flexible 6;
    12 HEARTBEAT "Heartbeat" 0..=4 advertised 0 flexible 4;
    13 LEAVE_GROUP "LeaveGroup" 0..=5 advertised 0 flexible 4;
    14 SYNC_GROUP "SyncGroup" 0..=5 advertised 0 flexible 4;
    15 DESCRIBE_GROUPS "DescribeGroups" 0..=6 advertised 0 flexible 5;
    16 LIST_GROUPS "ListGroups" 0..=5 advertised 0 flexible 3;
    18 API_VERSIONS "ApiVersions" 0..=4 advertised 0 flexible 3;
    19 CREATE_TOPICS "CreateTopics" 2..=7 advertised 2 flexible 5;
    20 DELETE_TOPICS "DeleteTopics" 1..=6 advertised 1 flexible 4;
    21 DELETE_RECORDS "DeleteRecords" 0..=2 advertised 0 flexible 2;
    22 INIT_PRODUCER_ID "InitProducerId" 0..=5 advertised 0 flexible 2;
    23 OFFSET_FOR_LEADER_EPOCH "OffsetForLeaderEpoch" 2..=4 advertised 2 flexible 4;
    24 ADD_PARTITIONS_TO_TXN "AddPartitionsToTxn" 0..=3 advertised 0 flexible 3;
    25 ADD_OFFSETS_TO_TXN "AddOffsetsToTxn" 0..=4 advertised 0 flexible 3;
    26 END_TXN "EndTxn" 0..=4 advertised 0 flexible 3;
    28 TXN_OFFSET_COMMIT "TxnOffsetCommit" 0..=4 advertised 0 flexible 3;
    32 DESCRIBE_CONFIGS "DescribeConfigs" 1..=4 advertised 1 flexible 4;
    33 ALTER_CONFIGS "AlterConfigs" 0..=2 advertised 0 flexible 2;
    35 DESCRIBE_LOG_DIRS "DescribeLogDirs" 1..=4 advertised 1 flexible 2;
    37 CREATE_PARTITIONS "CreatePartitions" 0..=3 advertised 0 flexible 2;
    42 DELETE_GROUPS "DeleteGroups" 0..=2 advertised 0 flexible 2;
    43 ELECT_LEADERS "ElectLeaders" 0..=2 advertised 0 flexible 2;
    44 INCREMENTAL_ALTER_CONFIGS "IncrementalAlterConfigs" 0..=1 advertised 0 flexible 1;
    46 LIST_PARTITION_REASSIGNMENTS "ListPartitionReassignments" 0..=0 advertised 0 flexible 0;
    47 OFFSET_DELETE "OffsetDelete" 0..=0 advertised 0 flexible NEVER_FLEXIBLE;
    60 DESCRIBE_CLUSTER "DescribeCluster" 0..=2 advertised 0 flexible 0;
    61 DESCRIBE_PRODUCERS "DescribeProducers" 0..=0 advertised 0 flexible 0;
    65 DESCRIBE_TRANSACTIONS "DescribeTransactions" 0..=0 advertised 0 flexible 0;
    66 LIST_TRANSACTIONS "ListTransactions" 0..=1 advertised 0 flexible 0;
    74 LIST_CONFIG_RESOURCES "ListConfigResources" 0..=1 advertised 0 flexible 0;
    75 DESCRIBE_TOPIC_PARTITIONS "DescribeTopicPartitions" 0..=0 advertised 0 flexible 0;
}

/// Returns the row of `key`, if we answer it.
pub fn find(key: ApiKey) -> Option<&'static Api> {
    TABLE
        .binary_search_by_key(&key, |api| api.key)
        .ok()
        .and_then(|at| TABLE.get(at))
}

impl From<WireKey> for ApiKey {
    fn from(key: WireKey) -> Self {
        Self(key.value())
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match find(*self) {
            Some(api) => write!(f, "{} ({})", api.name, self.0),
            None => write!(f, "api {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use kafka_wire::API_DESCRIPTORS;

    use super::*;

    #[test]
    fn rows_rise_and_agree_with_the_codec() {
        assert!(TABLE.windows(2).all(|pair| pair[0].key < pair[1].key));
        for api in TABLE {
            let descriptor = API_DESCRIPTORS
                .iter()
                .find(|descriptor| descriptor.api_key.value() == api.key.0)
                .unwrap_or_else(|| panic!("{} is unknown to the codec", api.name));
            let known = descriptor.supported_versions;
            assert!(
                known.min().value() <= api.min && known.max().value() >= api.max,
                "{}",
                api.name
            );
            let first = descriptor
                .flexible_versions
                .map_or(NEVER_FLEXIBLE, |range| range.min().value());
            assert_eq!(first, api.first_flexible, "{}", api.name);
            assert_eq!(descriptor.request.name, format!("{}Request", api.name));
        }
    }

    #[test]
    fn api_versions_never_gets_a_flexible_response_header() {
        let api_versions = find(ApiKey::API_VERSIONS).unwrap();
        assert_eq!(api_versions.response_header_version(4), 0);
        assert_eq!(find(ApiKey::METADATA).unwrap().response_header_version(9), 1);
        assert_eq!(find(ApiKey::METADATA).unwrap().response_header_version(8), 0);
        assert!(find(ApiKey(9999)).is_none());
    }
}
