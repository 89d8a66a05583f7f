//! Group APIs: coordinator lookup, membership, description, deletion
//!
//! FindCoordinator 0–6 (v4: many keys, KIP-699; v6: share groups, not offered), JoinGroup 0–9 (v4:
//! id first, KIP-394; v5: static members, KIP-345; v9: skip assignment, KIP-814), SyncGroup 0–5
//! (v5: protocol checked, KIP-559), Heartbeat 0–4, LeaveGroup 0–5 (v3: many members), DescribeGroups
//! 0–6 (v6: 69 for a missing group), ListGroups 0–5 (v4: states, v5: types), DeleteGroups 0–2.

use std::sync::Arc;

use weir_coordinator::group::coordinator::{GroupDescription, ListedGroup, MemberDescription};
use weir_coordinator::group::effect::JoinReply;
use weir_coordinator::group::request::{
    JoinRequest, LeavingMember, MemberClaim, MemberIdRule, Protocol, SkipAssignment, SyncRequest,
};
use weir_protocol::error_code::ErrorCode;
use weir_protocol::messages::delete_groups_response::DeletableGroupResult;
use weir_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use weir_protocol::messages::find_coordinator_response::Coordinator;
use weir_protocol::messages::join_group_response::JoinGroupResponseMember;
use weir_protocol::messages::leave_group_response::MemberResponse;
use weir_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, FindCoordinatorRequest,
    FindCoordinatorResponse, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse, StrBytes, SyncGroupRequest,
    SyncGroupResponse, list_groups_response,
};

use crate::context::{RequestCx, Shared};
use crate::wire::wire;

const KEY_TYPE_GROUP: i8 = 0;
const KEY_TYPE_TRANSACTION: i8 = 1;

/// Read, Delete, Describe, DescribeConfigs and AlterConfigs: what a group has operations for.
const GROUP_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

/// The only type of group there is.
const CLASSIC_GROUP_TYPE: &str = "classic";

pub(crate) async fn find_coordinator(
    shared: Arc<Shared>,
    cx: RequestCx,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    if request.key_type == KEY_TYPE_TRANSACTION
        && let Err(code) = shared.transactions.ensure_log().await
    {
        return no_transactions(&request, cx.version, code);
    }
    if cx.version >= 4 {
        let keys = request.coordinator_keys.into_iter();
        let found = keys.map(|key| coordinator_of(&shared, &cx, request.key_type, key));
        return wire!(FindCoordinatorResponse {
            coordinators: found.collect()
        });
    }
    let found = coordinator_of(&shared, &cx, request.key_type, request.key);
    wire!(FindCoordinatorResponse {
        error_code: found.error_code,
        error_message: found.error_message.filter(|_| cx.version >= 1),
        node_id: found.node_id,
        host: found.host,
        port: found.port,
    })
}

/// The log of transactional ids cannot be made.
fn no_transactions(request: &FindCoordinatorRequest, version: i16, code: ErrorCode) -> FindCoordinatorResponse {
    let nowhere = |key: &StrBytes| {
        wire!(Coordinator {
            key: key.clone(),
            node_id: -1,
            port: -1,
            error_code: code.0,
        })
    };
    if version >= 4 {
        let coordinators = request.coordinator_keys.iter().map(nowhere);
        return wire!(FindCoordinatorResponse {
            coordinators: coordinators.collect()
        });
    }
    wire!(FindCoordinatorResponse {
        error_code: code.0,
        node_id: -1,
        port: -1,
    })
}

/// This broker coordinates every group and every transactional id.
fn coordinator_of(shared: &Shared, cx: &RequestCx, key_type: i8, key: StrBytes) -> Coordinator {
    let refusal = match key_type {
        KEY_TYPE_GROUP if key.is_empty() => Some((ErrorCode::INVALID_GROUP_ID, "the group id is empty")),
        KEY_TYPE_GROUP | KEY_TYPE_TRANSACTION => None,
        _ => Some((ErrorCode::INVALID_REQUEST, "unknown coordinator type")),
    };
    match refusal {
        Some((code, message)) => wire!(Coordinator {
            key: key,
            node_id: -1,
            host: StrBytes::default(),
            port: -1,
            error_code: code.0,
            error_message: Some(StrBytes::from(message)),
        }),
        None => {
            let advertised = &cx.connection.advertised;
            wire!(Coordinator {
                key: key,
                node_id: shared.config.node_id,
                host: StrBytes::from(advertised.host.as_str()),
                port: i32::from(advertised.port),
            })
        }
    }
}

pub(crate) async fn join_group(shared: Arc<Shared>, cx: RequestCx, request: JoinGroupRequest) -> JoinGroupResponse {
    let version = cx.version;
    let member_id_rule = if version >= 4 {
        MemberIdRule::ComeBackWithId
    } else {
        MemberIdRule::JoinAtOnce
    };
    let skip_assignment = if version >= 9 {
        SkipAssignment::Understood
    } else {
        SkipAssignment::Unknown
    };
    let protocols = request.protocols.into_iter().map(|protocol| Protocol {
        name: protocol.name.into_string(),
        metadata: protocol.metadata,
    });
    let join = JoinRequest {
        member_id: request.member_id.into_string(),
        instance_id: request.group_instance_id.map(StrBytes::into_string),
        client_id: cx.client_id().to_owned(),
        client_host: cx.client_host(),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms: if version == 0 {
            request.session_timeout_ms
        } else {
            request.rebalance_timeout_ms
        },
        protocol_type: request.protocol_type.into_string(),
        protocols: protocols.collect(),
        unique: random_uuid(),
        member_id_rule,
        skip_assignment,
    };
    let reply = shared.groups.join(request.group_id.into_string(), join).await;
    join_response(reply, version)
}

fn join_response(reply: JoinReply, version: i16) -> JoinGroupResponse {
    let members = reply.members.into_iter().map(|member| {
        wire!(JoinGroupResponseMember {
            member_id: StrBytes::from(member.member_id),
            group_instance_id: member.instance_id.map(StrBytes::from).filter(|_| version >= 5),
            metadata: member.metadata,
        })
    });
    let protocol_name = reply.protocol_name.map(StrBytes::from);
    wire!(JoinGroupResponse {
        error_code: reply.error.0,
        generation_id: reply.generation,
        protocol_type: reply.protocol_type.map(StrBytes::from).filter(|_| version >= 7),
        // Null only became legal in v7.
        protocol_name: protocol_name.or_else(|| (version < 7).then(StrBytes::default)),
        leader: StrBytes::from(reply.leader),
        skip_assignment: reply.skip_assignment && version >= 9,
        member_id: StrBytes::from(reply.member_id),
        members: members.collect(),
    })
}

pub(crate) async fn sync_group(shared: Arc<Shared>, cx: RequestCx, request: SyncGroupRequest) -> SyncGroupResponse {
    let assignments = request
        .assignments
        .into_iter()
        .map(|given| (given.member_id.into_string(), given.assignment));
    let sync = SyncRequest {
        claim: claim(request.member_id, request.group_instance_id, request.generation_id),
        protocol_type: request.protocol_type.map(StrBytes::into_string),
        protocol_name: request.protocol_name.map(StrBytes::into_string),
        assignments: assignments.collect(),
    };
    let reply = shared.groups.sync(request.group_id.into_string(), sync).await;
    let since_v5 = |name: Option<String>| name.map(StrBytes::from).filter(|_| cx.version >= 5);
    wire!(SyncGroupResponse {
        error_code: reply.error.0,
        protocol_type: since_v5(reply.protocol_type),
        protocol_name: since_v5(reply.protocol_name),
        assignment: reply.assignment,
    })
}

pub(crate) async fn heartbeat(shared: Arc<Shared>, _cx: RequestCx, request: HeartbeatRequest) -> HeartbeatResponse {
    let claim = claim(request.member_id, request.group_instance_id, request.generation_id);
    let code = shared.groups.heartbeat(request.group_id.into_string(), claim).await;
    wire!(HeartbeatResponse { error_code: code.0 })
}

pub(crate) fn claim(member_id: StrBytes, instance_id: Option<StrBytes>, generation: i32) -> MemberClaim {
    MemberClaim {
        member_id: member_id.into_string(),
        instance_id: instance_id.map(StrBytes::into_string),
        generation,
    }
}

pub(crate) async fn leave_group(shared: Arc<Shared>, cx: RequestCx, request: LeaveGroupRequest) -> LeaveGroupResponse {
    let group = request.group_id.into_string();
    if cx.version < 3 {
        let member_id = request.member_id.into_string();
        let members = vec![LeavingMember {
            member_id,
            instance_id: None,
        }];
        let code = match shared.groups.leave(group, members).await {
            Ok(codes) => codes.first().copied().unwrap_or(ErrorCode::NONE),
            Err(code) => code,
        };
        return wire!(LeaveGroupResponse { error_code: code.0 });
    }
    let members = request.members.iter().map(|member| LeavingMember {
        member_id: member.member_id.as_str().to_owned(),
        instance_id: member.group_instance_id.as_ref().map(|id| id.as_str().to_owned()),
    });
    match shared.groups.leave(group, members.collect()).await {
        Err(code) => wire!(LeaveGroupResponse { error_code: code.0 }),
        Ok(codes) => {
            let answered = request.members.into_iter().zip(codes).map(|(member, code)| {
                wire!(MemberResponse {
                    member_id: member.member_id,
                    group_instance_id: member.group_instance_id,
                    error_code: code.0,
                })
            });
            wire!(LeaveGroupResponse {
                members: answered.collect()
            })
        }
    }
}

pub(crate) async fn describe_groups(
    shared: Arc<Shared>,
    cx: RequestCx,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let ids = request.groups.iter().map(|id| id.as_str().to_owned()).collect();
    let described = shared.groups.describe(ids).await;
    let operations = match request.include_authorized_operations {
        true => GROUP_OPERATIONS,
        false => i32::MIN,
    };
    let groups = match described {
        Ok(found) => {
            let pairs = request.groups.into_iter().zip(found);
            pairs
                .map(|(id, found)| described_group(id, found, cx.version, operations))
                .collect()
        }
        Err(code) => {
            let each = |id| {
                wire!(DescribedGroup {
                    group_id: id,
                    error_code: code.0
                })
            };
            request.groups.into_iter().map(each).collect()
        }
    };
    wire!(DescribeGroupsResponse { groups: groups })
}

fn described_group(
    group_id: StrBytes,
    found: Option<GroupDescription>,
    version: i16,
    operations: i32,
) -> DescribedGroup {
    if group_id.is_empty() {
        let code = ErrorCode::INVALID_GROUP_ID;
        return wire!(DescribedGroup {
            group_id: group_id,
            error_code: code.0
        });
    }
    let Some(group) = found else {
        let dead = StrBytes::from("Dead");
        if version < 6 {
            return wire!(DescribedGroup {
                group_id: group_id,
                group_state: dead
            });
        }
        let message = StrBytes::from(format!("Group {group_id} not found."));
        return wire!(DescribedGroup {
            group_id: group_id,
            error_code: ErrorCode::GROUP_ID_NOT_FOUND.0,
            error_message: Some(message),
            group_state: dead,
        });
    };
    let members = group
        .members
        .into_iter()
        .map(|member| described_member(member, version));
    wire!(DescribedGroup {
        group_id: group_id,
        group_state: StrBytes::from(group.state),
        protocol_type: StrBytes::from(group.protocol_type),
        protocol_data: StrBytes::from(group.protocol),
        members: members.collect(),
        authorized_operations: operations,
    })
}

fn described_member(member: MemberDescription, version: i16) -> DescribedGroupMember {
    wire!(DescribedGroupMember {
        member_id: StrBytes::from(member.member_id),
        group_instance_id: member.instance_id.map(StrBytes::from).filter(|_| version >= 4),
        client_id: StrBytes::from(member.client_id),
        client_host: StrBytes::from(member.client_host),
        member_metadata: member.metadata,
        member_assignment: member.assignment,
    })
}

pub(crate) async fn list_groups(shared: Arc<Shared>, cx: RequestCx, request: ListGroupsRequest) -> ListGroupsResponse {
    let mut groups = match shared.groups.list().await {
        Ok(groups) => groups,
        Err(code) => return wire!(ListGroupsResponse { error_code: code.0 }),
    };
    let allows = |filter: &[StrBytes], value: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.as_str().eq_ignore_ascii_case(value))
    };
    groups.retain(|group| {
        allows(&request.states_filter, group.state) && allows(&request.types_filter, CLASSIC_GROUP_TYPE)
    });
    groups.sort_by(|one, other| one.group_id.cmp(&other.group_id));
    let listed = groups.into_iter().map(|group| listed_group(group, cx.version));
    wire!(ListGroupsResponse {
        groups: listed.collect()
    })
}

fn listed_group(group: ListedGroup, version: i16) -> list_groups_response::ListedGroup {
    let since = |first: i16, text: &str| match version >= first {
        true => StrBytes::from(text),
        false => StrBytes::default(),
    };
    wire!(list_groups_response::ListedGroup {
        group_state: since(4, group.state),
        group_type: since(5, CLASSIC_GROUP_TYPE),
        group_id: StrBytes::from(group.group_id),
        protocol_type: StrBytes::from(group.protocol_type),
    })
}

pub(crate) async fn delete_groups(
    shared: Arc<Shared>,
    _cx: RequestCx,
    request: DeleteGroupsRequest,
) -> DeleteGroupsResponse {
    let mut results = Vec::with_capacity(request.groups_names.len());
    for group_id in request.groups_names {
        let code = shared.groups.delete_group(group_id.as_str().to_owned()).await;
        results.push(wire!(DeletableGroupResult {
            group_id: group_id,
            error_code: code.0
        }));
    }
    wire!(DeleteGroupsResponse { results: results })
}

/// Random text in the form of a UUID, as Java's member ids end in.
fn random_uuid() -> String {
    let bits: u128 = rand::random();
    // Version 4, variant 1.
    let bits = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    let (a, rest) = hex.split_at(8);
    let (b, rest) = rest.split_at(4);
    let (c, rest) = rest.split_at(4);
    let (d, e) = rest.split_at(4);
    format!("{a}-{b}-{c}-{d}-{e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn member_ids_end_in_a_version_4_uuid() {
        let text = random_uuid();
        let parts: Vec<usize> = text.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(&text[14..15], "4");
        assert!("89ab".contains(&text[19..20]), "{text}");
        assert_ne!(text, random_uuid());
    }

    #[test]
    fn join_replies_fit_every_version() {
        use weir_coordinator::group::effect::JoinedMember;
        let reply = || JoinReply {
            protocol_type: Some("consumer".to_owned()),
            protocol_name: Some("range".to_owned()),
            skip_assignment: true,
            members: vec![JoinedMember {
                member_id: "m".to_owned(),
                instance_id: Some("i".to_owned()),
                metadata: bytes::Bytes::new(),
            }],
            ..JoinReply::refused(ErrorCode::NONE, "m")
        };
        for version in 0..=9 {
            for reply in [reply(), JoinReply::refused(ErrorCode::UNKNOWN_MEMBER_ID, "")] {
                let response = join_response(reply, version);
                let encoded = weir_protocol::decode::encode_response(1, &response, version);
                assert!(encoded.is_ok(), "v{version}: {encoded:?}");
            }
        }
    }
}
