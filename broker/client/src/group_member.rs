//! One member of a classic group: find the coordinator, join, sync, stay, leave
//!
//! Any protocol type; one connection to the coordinator. Every call is one attempt: what an error means for the member (coordinator
//! moved, id unknown) is noted here, when to try again is the caller's policy. FindCoordinator 1–3, JoinGroup 4–9 (v4: id first, KIP-394;
//! v8: reason, KIP-800), SyncGroup 3–5 (v5: protocol checked, KIP-559), Heartbeat 1–4, LeaveGroup 3–5 (v5: reason).
//! Source: `AbstractCoordinator`.

use std::time::Duration;

use weir_protocol::messages::describe_configs_request::DescribeConfigsResource;
use weir_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use weir_protocol::messages::leave_group_request::MemberIdentity;
use weir_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use weir_protocol::messages::{
    DescribeConfigsRequest, FindCoordinatorRequest, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
    KafkaRequest, LeaveGroupRequest, RequestResponsePair, StrBytes, SyncGroupRequest,
};

use crate::cluster::Cluster;
use crate::error::{ClientError, KafkaError};
use crate::wire::{Connection, Versions, WireSettings};

const FIND_COORDINATOR: Versions = Versions { min: 1, max: 3 };
const JOIN_GROUP: Versions = Versions { min: 4, max: 9 };
const SYNC_GROUP: Versions = Versions { min: 3, max: 5 };
const HEARTBEAT: Versions = Versions { min: 1, max: 4 };
const LEAVE_GROUP: Versions = Versions { min: 3, max: 5 };
const DESCRIBE_CONFIGS: Versions = Versions { min: 1, max: 4 };

/// First versions with these fields; the encoder refuses them in earlier ones.
const JOIN_GROUP_REASON: i16 = 8;
const SYNC_GROUP_PROTOCOL: i16 = 5;
const LEAVE_GROUP_REASON: i16 = 5;

const GROUP_KEY: i8 = 0;
const BROKER_RESOURCE: i8 = 4;
const SESSION_LIMITS: [&str; 2] = ["group.min.session.timeout.ms", "group.max.session.timeout.ms"];
/// Kafka's brokers cut longer reasons.
const MAX_REASON_BYTES: usize = 255;

/// How long past the rebalance timeout the answer to a join may come: the broker's own clock and the way.
const JOIN_LENIENCE: Duration = Duration::from_secs(5);

/// Which group, and on what terms.
#[derive(Debug, Clone)]
pub struct GroupSettings {
    pub group_id: String,
    /// All members of a group have the same, e.g. `connect`.
    pub protocol_type: String,
    /// A member not heard of for this long is removed.
    pub session_timeout: Duration,
    /// How long a rebalance waits for the members to join again.
    pub rebalance_timeout: Duration,
    /// How often the caller shall call [`GroupMember::heartbeat`].
    pub heartbeat_interval: Duration,
}

/// A generation as a member sees it after joining.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    pub generation: i32,
    pub member_id: String,
    pub leader_id: String,
    /// What the coordinator chose among the protocols of all.
    pub protocol: String,
    /// Id and metadata of each member; filled for the leader only.
    pub members: Vec<(String, Vec<u8>)>,
}

impl Joined {
    /// Is true when this member has to make the assignments.
    pub fn is_leader(&self) -> bool {
        self.member_id == self.leader_id
    }
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    Ok,
    /// The group rebalances: join again.
    Rebalance,
    /// The group has gone on without this member: what it owned may be another's by now.
    Rejoin,
}

/// One member of one group.
#[derive(Debug)]
pub struct GroupMember {
    wire: WireSettings,
    settings: GroupSettings,
    /// To ask for the coordinator.
    cluster: Cluster,
    /// `None` while the coordinator is unknown.
    coordinator: Option<String>,
    /// Of the coordinator last found.
    coordinator_id: i32,
    connection: Option<Connection>,
    /// Empty until the coordinator gave one.
    member_id: String,
    generation: i32,
    join_reason: String,
}

impl GroupMember {
    /// Makes a member; connects when it first joins.
    pub fn new(mut wire: WireSettings, settings: GroupSettings) -> Self {
        // An answer that takes longer comes too late for the member.
        wire.request_timeout = wire.request_timeout.min(settings.session_timeout);
        Self {
            cluster: Cluster::new(wire.clone()),
            wire,
            settings,
            coordinator: None,
            coordinator_id: -1,
            connection: None,
            member_id: String::new(),
            generation: -1,
            join_reason: String::new(),
        }
    }

    pub fn settings(&self) -> &GroupSettings {
        &self.settings
    }

    /// The id that the coordinator gave; empty before.
    pub fn member_id(&self) -> &str {
        &self.member_id
    }

    /// The generation last joined; −1 outside the group.
    pub fn generation(&self) -> i32 {
        self.generation
    }

    /// Is true when the next call has to find the coordinator first.
    pub fn is_coordinator_unknown(&self) -> bool {
        self.coordinator.is_none()
    }

    /// Tells brokers why the member joins the next time (KIP-800).
    pub fn set_join_reason(&mut self, reason: &str) {
        reason.clone_into(&mut self.join_reason);
    }

    /// Is true when joining again, at once or a little later, may succeed after this error.
    pub fn may_join_again(error: &ClientError) -> bool {
        error.is_retriable() || Self::is_overtaken(error)
    }

    /// Is true when the group has gone on meanwhile: join again at once.
    pub fn is_overtaken(error: &ClientError) -> bool {
        error.code().is_some_and(|code| {
            is_out(code) || matches!(code, KafkaError::REBALANCE_IN_PROGRESS | KafkaError::MEMBER_ID_REQUIRED)
        })
    }

    /// Finds the coordinator and connects to it, where that is not done.
    ///
    /// *Errors*: retriable while no broker answers, or the group has no coordinator that does.
    pub async fn connect(&mut self) -> Result<(), ClientError> {
        self.connected().await.map(drop)
    }

    async fn find_coordinator(&mut self) -> Result<(), ClientError> {
        if self.coordinator.is_some() {
            return Ok(());
        }
        let mut request = FindCoordinatorRequest::default();
        request.key_type = GROUP_KEY;
        request.key = self.group_id();
        let found = self.cluster.call_any(&request, FIND_COORDINATOR).await?;
        if let Some(error) = KafkaError::from_code(found.error_code) {
            let message = found.error_message.filter(|text| !text.is_empty());
            return Err(match message {
                Some(message) => ClientError::Broker {
                    error,
                    message: message.into_string(),
                },
                None => self.failed("finding the coordinator", error),
            });
        }
        let address = format!("{}:{}", found.host.as_str(), found.port);
        tracing::debug!(
            group = self.settings.group_id,
            coordinator = address,
            "group coordinator found"
        );
        self.coordinator = Some(address);
        self.coordinator_id = found.node_id;
        Ok(())
    }

    /// The shortest and the longest session timeout that the coordinator takes, in milliseconds; none where it does not tell.
    pub async fn session_limits(&mut self) -> Option<(String, String)> {
        self.find_coordinator().await.ok()?;
        let mut resource = DescribeConfigsResource::default();
        resource.resource_type = BROKER_RESOURCE;
        resource.resource_name = StrBytes::from(self.coordinator_id.to_string());
        resource.configuration_keys = Some(SESSION_LIMITS.map(StrBytes::from).to_vec());
        let mut request = DescribeConfigsRequest::default();
        request.resources = vec![resource];
        let answer = self.ask(&request, DESCRIBE_CONFIGS, Duration::ZERO).await.ok()?;
        let configs = answer.results.into_iter().next()?.configs;
        let value = |name: &str| {
            let config = configs.iter().find(|config| config.name.as_str() == name)?;
            config.value.as_ref().map(|value| value.as_str().to_owned())
        };
        let [min, max] = SESSION_LIMITS.map(value);
        min.zip(max)
    }

    /// Joins, or joins again, and waits until the group's members have.
    ///
    /// *Errors*: retriable ones, after which the same call may succeed; the others will come again. *Cancel safety*: the broker may
    /// count a cancelled join until the session times out; the id given so far is kept.
    pub async fn join(&mut self, protocols: &[(String, Vec<u8>)]) -> Result<Joined, ClientError> {
        let mut request = JoinGroupRequest::default();
        request.group_id = self.group_id();
        request.session_timeout_ms = millis(self.settings.session_timeout);
        request.rebalance_timeout_ms = millis(self.settings.rebalance_timeout);
        request.protocol_type = StrBytes::from(self.settings.protocol_type.as_str());
        request.protocols = protocols
            .iter()
            .map(|(name, metadata)| offered(name, metadata))
            .collect();
        let wait = self.settings.rebalance_timeout + JOIN_LENIENCE;
        let reason = bounded(&self.join_reason);
        // The second round brings the id that the first one was answered with.
        for _ in 0..2 {
            request.member_id = self.member_id_text();
            let version = self.version_of::<JoinGroupRequest>(JOIN_GROUP).await?;
            request.reason = reason.clone().filter(|_| version >= JOIN_GROUP_REASON);
            let answer = self.ask(&request, JOIN_GROUP, wait).await?;
            match KafkaError::from_code(answer.error_code) {
                None => return Ok(self.joined(answer)),
                Some(KafkaError::MEMBER_ID_REQUIRED) => self.member_id = answer.member_id.into_string(),
                Some(error) => return Err(self.refused("joining", error)),
            }
        }
        Err(self.refused("joining", KafkaError::MEMBER_ID_REQUIRED))
    }

    fn joined(&mut self, answer: JoinGroupResponse) -> Joined {
        self.member_id = answer.member_id.into_string();
        self.generation = answer.generation_id;
        self.join_reason.clear();
        Joined {
            generation: self.generation,
            member_id: self.member_id.clone(),
            leader_id: answer.leader.into_string(),
            protocol: answer.protocol_name.map(StrBytes::into_string).unwrap_or_default(),
            members: answer
                .members
                .into_iter()
                .map(|member| (member.member_id.into_string(), member.metadata.to_vec()))
                .collect(),
        }
    }

    /// Brings the assignments of all (leader) or none, and waits for the member's own.
    ///
    /// *Errors*: as [`GroupMember::join`]; after any, the member has to join again. *Cancel safety*: as there.
    pub async fn sync(&mut self, joined: &Joined, assignments: Vec<(String, Vec<u8>)>) -> Result<Vec<u8>, ClientError> {
        let mut request = SyncGroupRequest::default();
        request.group_id = self.group_id();
        request.generation_id = joined.generation;
        request.member_id = StrBytes::from(joined.member_id.as_str());
        let given = assignments.into_iter().map(|(member, assignment)| {
            let mut given = SyncGroupRequestAssignment::default();
            given.member_id = StrBytes::from(member);
            given.assignment = assignment.into();
            given
        });
        request.assignments = given.collect();
        if self.version_of::<SyncGroupRequest>(SYNC_GROUP).await? >= SYNC_GROUP_PROTOCOL {
            request.protocol_type = Some(StrBytes::from(self.settings.protocol_type.as_str()));
            request.protocol_name = Some(StrBytes::from(joined.protocol.as_str()));
        }
        let wait = self.settings.rebalance_timeout + JOIN_LENIENCE;
        let answer = self.ask(&request, SYNC_GROUP, wait).await?;
        match KafkaError::from_code(answer.error_code) {
            None => Ok(answer.assignment.to_vec()),
            Some(error) => Err(self.refused("syncing", error)),
        }
    }

    /// Tells the coordinator that the member lives.
    ///
    /// *Errors*: retriable ones, most with the coordinator unknown afterwards; the others will come again. *Cancel safety*: safe, at
    /// the price of a new connection.
    pub async fn heartbeat(&mut self) -> Result<Beat, ClientError> {
        let mut request = HeartbeatRequest::default();
        request.group_id = self.group_id();
        request.generation_id = self.generation;
        request.member_id = self.member_id_text();
        let answer = self.ask(&request, HEARTBEAT, Duration::ZERO).await?;
        match KafkaError::from_code(answer.error_code) {
            None => Ok(Beat::Ok),
            Some(KafkaError::REBALANCE_IN_PROGRESS) => Ok(Beat::Rebalance),
            Some(error) if is_out(error) => {
                self.forget(error);
                Ok(Beat::Rejoin)
            }
            Some(error) => Err(self.refused("heartbeat", error)),
        }
    }

    /// Leaves, so that the group need not wait for the session to time out. What fails is logged: nobody can do more about it.
    pub async fn leave(&mut self, reason: &str) {
        if self.member_id.is_empty() {
            return;
        }
        if let Err(error) = self.try_leave(reason).await {
            tracing::info!(group = self.settings.group_id, %error, "group could not be left, the session will time out");
        }
        self.forget(KafkaError::UNKNOWN_MEMBER_ID);
    }

    async fn try_leave(&mut self, reason: &str) -> Result<(), ClientError> {
        let version = self.version_of::<LeaveGroupRequest>(LEAVE_GROUP).await?;
        let mut identity = MemberIdentity::default();
        identity.member_id = self.member_id_text();
        identity.reason = bounded(reason).filter(|_| version >= LEAVE_GROUP_REASON);
        let mut request = LeaveGroupRequest::default();
        request.group_id = self.group_id();
        request.members = vec![identity];
        let answer = self.ask(&request, LEAVE_GROUP, Duration::ZERO).await?;
        let codes = std::iter::once(answer.error_code).chain(answer.members.iter().map(|member| member.error_code));
        match codes.filter_map(KafkaError::from_code).next() {
            // Removed already: as good as left.
            None | Some(KafkaError::UNKNOWN_MEMBER_ID) => Ok(()),
            Some(error) => Err(self.refused("leaving", error)),
        }
    }

    /// The connection to the coordinator, which is looked for first when it is unknown.
    async fn connected(&mut self) -> Result<&mut Connection, ClientError> {
        self.find_coordinator().await?;
        let open = self
            .connection
            .take()
            .filter(|connection| !connection.is_broken() && self.coordinator.as_deref() == Some(connection.address()));
        let connection = match (open, &self.coordinator) {
            (Some(connection), _) => connection,
            (None, Some(address)) => match Connection::open(address, &self.wire).await {
                Ok(connection) => connection,
                Err(error) => {
                    self.coordinator = None;
                    return Err(error);
                }
            },
            (None, None) => return Err(self.failed("connecting", KafkaError::COORDINATOR_NOT_AVAILABLE)),
        };
        Ok(self.connection.insert(connection))
    }

    async fn version_of<R: KafkaRequest>(&mut self, ours: Versions) -> Result<i16, ClientError> {
        self.connected().await?.version_of::<R>(ours)
    }

    async fn ask<R: RequestResponsePair>(
        &mut self,
        request: &R,
        ours: Versions,
        wait: Duration,
    ) -> Result<R::Response, ClientError> {
        let answer = self.connected().await?.call_waiting(request, ours, wait).await;
        if answer.is_err() {
            // The broker may be gone, and the group with it.
            self.coordinator = None;
        }
        answer
    }

    /// Notes what a refusal means for the member.
    fn refused(&mut self, doing: &str, error: KafkaError) -> ClientError {
        if is_coordinator_gone(error) {
            self.coordinator = None;
        }
        if is_out(error) {
            self.forget(error);
        }
        self.failed(doing, error)
    }

    /// The group goes on without this member; it joins as a new one, or as itself when only its generation is over.
    fn forget(&mut self, error: KafkaError) {
        self.generation = -1;
        if error != KafkaError::ILLEGAL_GENERATION {
            self.member_id.clear();
        }
    }

    fn failed(&self, doing: &str, error: KafkaError) -> ClientError {
        ClientError::kafka(format!("{doing} in group {}", self.settings.group_id), error)
    }

    fn group_id(&self) -> StrBytes {
        StrBytes::from(self.settings.group_id.as_str())
    }

    fn member_id_text(&self) -> StrBytes {
        StrBytes::from(self.member_id.as_str())
    }
}

/// Is true when the error says that the coordinator is not there, has moved or cannot be reached.
fn is_coordinator_gone(error: KafkaError) -> bool {
    matches!(
        error,
        KafkaError::COORDINATOR_NOT_AVAILABLE | KafkaError::NOT_COORDINATOR
    )
}

/// Is true when the group no longer counts the member in its generation.
fn is_out(error: KafkaError) -> bool {
    matches!(
        error,
        KafkaError::UNKNOWN_MEMBER_ID | KafkaError::ILLEGAL_GENERATION | KafkaError::FENCED_INSTANCE_ID
    )
}

fn offered(name: &str, metadata: &[u8]) -> JoinGroupRequestProtocol {
    let mut protocol = JoinGroupRequestProtocol::default();
    protocol.name = StrBytes::from(name);
    protocol.metadata = metadata.to_vec().into();
    protocol
}

fn bounded(reason: &str) -> Option<StrBytes> {
    let fits = reason.floor_char_boundary(MAX_REASON_BYTES);
    reason
        .get(..fits)
        .filter(|reason| !reason.is_empty())
        .map(StrBytes::from)
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
