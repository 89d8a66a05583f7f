//! A coordinator with its log, its markers and its clock

use std::collections::{HashMap, VecDeque};

use weir_protocol::error_code::ErrorCode;

use crate::group::effect::Ticket;
use crate::group::record::LogRecord;
use crate::transaction::coordinator::{TransactionCoordinator, TransactionSettings};
use crate::transaction::effect::{Effect, Markers, Reply, Then};
use crate::transaction::request::{EndRequest, InitRequest, Producer, Verdict};
use crate::transaction::state::{State, TopicPartition};

pub(super) const ID: &str = "t";

#[derive(Debug)]
pub(super) struct Sim {
    pub(super) coordinator: TransactionCoordinator,
    pub(super) now_ms: i64,
    /// Records that are queued, in order.
    pub(super) stores: VecDeque<(String, LogRecord, Box<Then>)>,
    /// Records that are durable.
    pub(super) log: Vec<LogRecord>,
    /// Markers asked for and not yet written.
    pub(super) marks: VecDeque<Markers>,
    replies: HashMap<Ticket, Reply>,
    next_ticket: u64,
    pub(super) next_id: i64,
}

pub(super) fn partition(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition {
        topic: topic.to_owned(),
        partition,
    }
}

pub(super) fn producer(id: i64, epoch: i16) -> Producer {
    Producer { id, epoch }
}

impl Sim {
    pub(super) fn new() -> Self {
        Self {
            coordinator: TransactionCoordinator::new(TransactionSettings {
                max_timeout_ms: 60_000,
                id_expiration_ms: 1_000_000,
            }),
            now_ms: 1_000,
            stores: VecDeque::new(),
            log: Vec::new(),
            marks: VecDeque::new(),
            replies: HashMap::new(),
            next_ticket: 0,
            next_id: 100,
        }
    }

    /// The coordinator after a crash: what was not durable is lost, as are replies.
    pub(super) fn crashed(self) -> Self {
        let mut next = Self {
            now_ms: self.now_ms,
            log: self.log,
            next_id: self.next_id,
            ..Self::new()
        };
        for record in &next.log {
            next.coordinator.replay(&record.key, record.value.as_deref()).unwrap();
        }
        let mut effects = Vec::new();
        next.coordinator.loaded(&mut effects);
        next.take(effects);
        next
    }

    pub(super) fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Reply { ticket, reply } => {
                    assert!(
                        self.replies.insert(ticket, reply).is_none(),
                        "{ticket:?} is answered twice"
                    );
                }
                Effect::Store {
                    transactional_id,
                    record,
                    then,
                } => self.stores.push_back((transactional_id, record, then)),
                Effect::Mark(markers) => self.marks.push_back(markers),
            }
        }
    }

    pub(super) fn ask(
        &mut self,
        ask: impl FnOnce(&mut TransactionCoordinator, Ticket, i64, &mut Vec<Effect>),
    ) -> Ticket {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        let mut effects = Vec::new();
        ask(&mut self.coordinator, ticket, self.now_ms, &mut effects);
        self.take(effects);
        ticket
    }

    pub(super) fn reply(&mut self, ticket: Ticket) -> Option<Reply> {
        self.replies.remove(&ticket)
    }

    pub(super) fn done(&mut self, ticket: Ticket) -> ErrorCode {
        match self.reply(ticket) {
            Some(Reply::Done(code)) => code,
            other => panic!("{other:?}"),
        }
    }

    /// The next queued record becomes durable, or is refused.
    pub(super) fn store_one(&mut self, outcome: Result<(), ErrorCode>) -> bool {
        let Some((id, record, then)) = self.stores.pop_front() else {
            return false;
        };
        if outcome.is_ok() {
            self.log.push(record);
        }
        let mut effects = Vec::new();
        self.coordinator.stored(&id, *then, outcome, &mut effects);
        self.take(effects);
        true
    }

    pub(super) fn store(&mut self) {
        while self.store_one(Ok(())) {}
    }

    pub(super) fn mark_one(&mut self, is_done: bool) -> Option<Markers> {
        let markers = self.marks.pop_front()?;
        let mut effects = Vec::new();
        self.coordinator.marked(&markers, is_done, self.now_ms, &mut effects);
        self.take(effects);
        Some(markers)
    }

    /// Everything that is queued happens.
    pub(super) fn settle(&mut self) {
        loop {
            self.store();
            if self.mark_one(true).is_none() {
                return;
            }
        }
    }

    pub(super) fn tick(&mut self) {
        let mut effects = Vec::new();
        self.coordinator.abort_timed_out(self.now_ms, &mut effects);
        self.coordinator.expire_ids(self.now_ms, &mut effects);
        self.take(effects);
    }

    pub(super) fn ask_init(&mut self, expected: Option<Producer>) -> Ticket {
        let fresh_id = Some(self.next_id);
        self.next_id += 1;
        let request = InitRequest {
            transactional_id: ID.to_owned(),
            timeout_ms: 10_000,
            expected,
            fresh_id,
        };
        self.ask(|coordinator, ticket, now_ms, effects| coordinator.init(&request, ticket, now_ms, effects))
    }

    pub(super) fn init(&mut self, expected: Option<Producer>) -> Result<Producer, ErrorCode> {
        let ticket = self.ask_init(expected);
        self.settle();
        match self.reply(ticket) {
            Some(Reply::Init(outcome)) => outcome,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn ask_add(&mut self, producer: Producer, added: &[TopicPartition]) -> Ticket {
        let added = added.to_vec();
        self.ask(|coordinator, ticket, now_ms, effects| {
            coordinator.add_partitions(ID, producer, added, ticket, now_ms, effects);
        })
    }

    pub(super) fn add(&mut self, producer: Producer, added: &[TopicPartition]) -> ErrorCode {
        let ticket = self.ask_add(producer, added);
        self.store();
        self.done(ticket)
    }

    pub(super) fn ask_end(&mut self, producer: Producer, verdict: Verdict) -> Ticket {
        let request = EndRequest {
            transactional_id: ID.to_owned(),
            producer,
            verdict,
        };
        self.ask(|coordinator, ticket, now_ms, effects| coordinator.end(&request, ticket, now_ms, effects))
    }

    /// Ends, up to the decision; markers wait.
    pub(super) fn end(&mut self, producer: Producer, verdict: Verdict) -> ErrorCode {
        let ticket = self.ask_end(producer, verdict);
        self.store();
        self.done(ticket)
    }

    pub(super) fn state(&self) -> Option<State> {
        self.coordinator.describe(ID).map(|found| found.state)
    }

    pub(super) fn may_write(&self, producer: Producer, to: &TopicPartition) -> Result<(), ErrorCode> {
        self.coordinator.verify(ID, producer, to)
    }
}
