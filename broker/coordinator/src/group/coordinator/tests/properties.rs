//! What holds for every sequence of events.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use weir_protocol::error_code::ErrorCode;

use super::sim::*;
use crate::group::effect::{JoinReply, Reply, Ticket};

#[derive(Debug, Clone)]
enum Event {
    Join { who: usize, changed: bool },
    Sync { who: usize },
    Heartbeat { who: usize },
    Leave { who: usize },
    Commit { who: usize, offset: i64 },
    CommitOutside { offset: i64 },
    DeleteGroup,
    DeleteOffsets,
    Store { ok: bool },
    Pass { ms: i64 },
    Expire,
}

const MEMBERS: usize = 4;

fn event() -> impl Strategy<Value = Event> {
    let who = 0..MEMBERS;
    prop_oneof![
        8 => (who.clone(), prop::bool::weighted(0.2)).prop_map(|(who, changed)| Event::Join { who, changed }),
        8 => who.clone().prop_map(|who| Event::Sync { who }),
        4 => who.clone().prop_map(|who| Event::Heartbeat { who }),
        2 => who.clone().prop_map(|who| Event::Leave { who }),
        4 => (who, 0i64..100).prop_map(|(who, offset)| Event::Commit { who, offset }),
        1 => (0i64..100).prop_map(|offset| Event::CommitOutside { offset }),
        1 => Just(Event::DeleteGroup),
        1 => Just(Event::DeleteOffsets),
        8 => prop::bool::weighted(0.9).prop_map(|ok| Event::Store { ok }),
        4 => (1i64..40_000).prop_map(|ms| Event::Pass { ms }),
        1 => Just(Event::Expire),
    ]
}

/// Four clients, the last two static, as far as their own view goes.
#[derive(Debug, Default)]
struct Clients {
    ids: [String; MEMBERS],
    generations: [i32; MEMBERS],
    joins: HashMap<Ticket, usize>,
}

impl Clients {
    fn joiner(&self, who: usize, changed: bool) -> Joiner {
        let topics: &[&str] = if changed { &["t", "u"] } else { &["t"] };
        let joiner = consumer().topics(topics).id(&self.ids[who]);
        if who >= MEMBERS / 2 {
            joiner.instance(&format!("i{who}"))
        } else {
            joiner
        }
    }

    /// Takes in join replies: learns ids and generations as a client does.
    fn learn(&mut self, sim: &Sim) -> Vec<JoinReply> {
        let mut news = Vec::new();
        self.joins.retain(|ticket, who| {
            let Some(Reply::Join(reply)) = sim.reply(*ticket) else {
                return true;
            };
            match reply.error {
                ErrorCode::NONE => {
                    self.ids[*who].clone_from(&reply.member_id);
                    self.generations[*who] = reply.generation;
                }
                ErrorCode::MEMBER_ID_REQUIRED => self.ids[*who].clone_from(&reply.member_id),
                _ => self.ids[*who].clear(),
            }
            news.push(reply.clone());
            false
        });
        news
    }

    fn apply(&mut self, sim: &mut Sim, event: &Event) {
        match *event {
            Event::Join { who, changed } => {
                let ticket = sim.join(self.joiner(who, changed));
                self.joins.insert(ticket, who);
            }
            Event::Sync { who } => {
                let shares: Vec<(&str, &'static str)> = self.ids.iter().map(|id| (id.as_str(), "share")).collect();
                sim.sync(&self.ids[who], self.generations[who], &shares);
            }
            Event::Heartbeat { who } => {
                sim.heartbeat(&self.ids[who], self.generations[who]);
            }
            Event::Leave { who } => {
                sim.leave(&self.ids[who], None);
            }
            Event::Commit { who, offset } => {
                sim.commit(claim(&self.ids[who], self.generations[who]), &[("t", 0, offset)]);
            }
            Event::CommitOutside { offset } => {
                sim.commit(claim("", -1), &[("t", 1, offset)]);
            }
            Event::DeleteGroup => {
                sim.delete_group();
            }
            Event::DeleteOffsets => {
                sim.delete_offsets(&[("t", 0), ("t", 1)]);
            }
            Event::Store { ok } if !sim.stores.is_empty() => {
                sim.store_one(if ok {
                    Ok(())
                } else {
                    Err(ErrorCode::KAFKA_STORAGE_ERROR)
                });
            }
            Event::Store { .. } => {}
            Event::Pass { ms } => sim.pass(ms),
            Event::Expire => sim.expire_offsets(),
        }
    }
}

/// A generation has one leader and one protocol, and only its leader sees members.
fn check_generation(
    seen: &mut BTreeMap<i32, (Option<String>, String)>,
    reply: &JoinReply,
) -> Result<(), TestCaseError> {
    if reply.error != ErrorCode::NONE {
        return Ok(());
    }
    prop_assert!(reply.generation > 0);
    let agreed = (reply.protocol_name.clone(), reply.leader.clone());
    let first = seen.entry(reply.generation).or_insert_with(|| agreed.clone());
    prop_assert_eq!(&first.0, &agreed.0);
    if reply.leader != reply.member_id {
        prop_assert!(reply.members.is_empty());
    } else {
        prop_assert!(reply.members.iter().any(|member| member.member_id == reply.member_id));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_request_is_answered_once_and_time_ends_every_wait(
        events in prop::collection::vec(event(), 1..80),
    ) {
        let mut sim = Sim::new();
        let mut clients = Clients::default();
        for event in &events {
            clients.apply(&mut sim, event);
            clients.learn(&sim);
        }
        // `Sim::take` fails on a second answer. Nobody speaks any more: all that is parked ends.
        sim.store();
        for _ in 0..40 {
            sim.pass(100_000);
            sim.store();
        }
        for ticket in 1..=sim.tickets_given() {
            prop_assert!(!sim.is_parked(Ticket(ticket)), "ticket {ticket} waits for ever");
        }
        prop_assert!(matches!(sim.state(), "Empty" | "Dead"), "{}", sim.state());
        prop_assert_eq!(sim.coordinator.next_deadline_ms(), None, "a timer without members");
    }

    #[test]
    fn members_of_a_generation_agree(events in prop::collection::vec(event(), 1..80)) {
        let mut sim = Sim::new();
        let mut clients = Clients::default();
        let mut seen = BTreeMap::new();
        let mut last_generation = 0;
        for event in &events {
            clients.apply(&mut sim, event);
            for reply in clients.learn(&sim) {
                check_generation(&mut seen, &reply)?;
            }
            // Generations only grow while the group exists; a deleted one starts over.
            let generation = sim.coordinator.groups.get(GROUP).map(|entry| entry.group.generation());
            match generation {
                Some(generation) if generation > 0 => {
                    prop_assert!(generation >= last_generation);
                    last_generation = generation;
                }
                _ => {
                    last_generation = 0;
                    seen.clear();
                }
            }
        }
    }

    #[test]
    fn reading_the_log_back_gives_the_same_offsets_and_stable_groups(
        events in prop::collection::vec(event(), 1..80),
    ) {
        let mut sim = Sim::new();
        let mut clients = Clients::default();
        for event in &events {
            clients.apply(&mut sim, event);
            clients.learn(&sim);
        }
        sim.store();
        let after = sim.reloaded();
        for partition in 0..2 {
            prop_assert_eq!(after.offset("t", partition), sim.offset("t", partition));
        }
        if matches!(sim.state(), "Stable") {
            let described = sim.coordinator.describe(GROUP).unwrap();
            let again = after.coordinator.describe(GROUP).unwrap();
            prop_assert_eq!(again.protocol, described.protocol);
            let ids = |members: &[crate::group::coordinator::MemberDescription]| {
                members.iter().map(|member| member.member_id.clone()).collect::<Vec<_>>()
            };
            prop_assert_eq!(ids(&again.members), ids(&described.members));
        }
    }
}
