//! ApiVersions (18): what this broker answers.
//!
//! v0–2 plain, v3 flexible with the client's name and version (KIP-511) and features (KIP-584),
//! v4 as v3. The response header is v0 in every version. A version we do not know is answered
//! with a v0 body, error 35 and the whole table, so that the client can choose again on the same
//! connection.

use std::sync::Arc;

use weir_protocol::api;
use weir_protocol::error_code::ErrorCode;
use weir_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use weir_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse, StrBytes};

use crate::context::{RequestCx, Shared};
use crate::reply::{Outcome, ReplyFuture, encode};
use crate::wire::wire;

/// The level of Kafka 4.0: the behaviour copied here, without the features of later levels.
const METADATA_VERSION: (&str, i16, i16) = ("metadata.version", 7, 25);

pub(crate) async fn api_versions(_: Arc<Shared>, cx: RequestCx, request: ApiVersionsRequest) -> ApiVersionsResponse {
    let names = [&request.client_software_name, &request.client_software_version];
    if cx.version >= 3 && !names.iter().all(|name| is_software_text(name)) {
        return wire!(ApiVersionsResponse {
            error_code: ErrorCode::INVALID_REQUEST.0
        });
    }
    let mut response = table(ErrorCode::NONE);
    if cx.version >= 3 {
        let (name, min, max) = METADATA_VERSION;
        response.supported_features = vec![wire!(SupportedFeatureKey {
            name: StrBytes::from(name),
            min_version: min,
            max_version: max,
        })];
        response.finalized_features_epoch = 0;
        response.finalized_features = vec![wire!(FinalizedFeatureKey {
            name: StrBytes::from(name),
            min_version_level: max,
            max_version_level: max,
        })];
    }
    response
}

/// Answers a version above ours.
pub(crate) fn answer_unsupported(cx: &RequestCx) -> ReplyFuture {
    let outcome: Outcome = encode(cx.correlation_id, 0, &table(ErrorCode::UNSUPPORTED_VERSION));
    Box::pin(std::future::ready(outcome))
}

fn table(error: ErrorCode) -> ApiVersionsResponse {
    let api_keys = api::TABLE.iter().map(|api| {
        wire!(ApiVersion {
            api_key: api.key.0,
            min_version: api.advertised_min,
            max_version: api.max,
        })
    });
    wire!(ApiVersionsResponse {
        error_code: error.0,
        api_keys: api_keys.collect()
    })
}

/// Letters, digits, `.` and `-`, with a letter or digit at both ends.
fn is_software_text(text: &str) -> bool {
    let alphanumeric = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    alphanumeric(bytes.first())
        && alphanumeric(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_texts() {
        for good in ["librdkafka", "2.12.0-RC1", "a", "apache-kafka-java"] {
            assert!(is_software_text(good), "{good}");
        }
        for bad in ["", "-a", "a.", "a b", "a_b", "ä"] {
            assert!(!is_software_text(bad), "{bad}");
        }
    }
}
