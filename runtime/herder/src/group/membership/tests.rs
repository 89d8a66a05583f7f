//! Members against the bundled broker in this process; with `WEIR_TEST_BOOTSTRAP` against the broker there (one that allows sessions
//! of half a second), but for what stops the broker.

use std::net::SocketAddr;

use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use weir_config::map::ConfigMap;
use weir_config::properties::Properties;
use weir_server::broker::Broker;
use weir_server::broker_config::BrokerConfig;
use weir_stores::configs::ConfigStore;

use super::*;
use crate::group::protocol::PROTOCOL_TYPE;
use crate::group::work::tests::work;

const PATIENCE: Duration = Duration::from_secs(60);
const SESSION: Duration = Duration::from_millis(600);

struct House {
    bootstrap: String,
    group: String,
    broker: Option<(CancellationToken, JoinHandle<()>)>,
    dir: TempDir,
    configs: ConfigStore,
}

impl House {
    async fn open(group: &str) -> Self {
        let mut house = Self {
            bootstrap: std::env::var("WEIR_TEST_BOOTSTRAP").unwrap_or_default(),
            group: format!("{group}-{}", std::process::id()),
            broker: None,
            dir: TempDir::new().unwrap(),
            configs: ConfigStore::memory(),
        };
        if house.bootstrap.is_empty() {
            house.start_broker(([127, 0, 0, 1], 0).into());
        }
        house.configs.start().await.unwrap();
        house
    }

    fn start_broker(&mut self, address: SocketAddr) {
        let settings = format!(
            "listeners=PLAINTEXT://{address}\nlog.dirs={}\ngroup.initial.rebalance.delay.ms=0\ngroup.min.session.timeout.ms=100",
            self.dir.path().join("log").display()
        );
        let (config, _) = BrokerConfig::from_properties(&Properties::parse(&settings).unwrap()).unwrap();
        let bound = Broker::bind(config).unwrap();
        self.bootstrap = bound.addresses()[0].to_string();
        let stop = CancellationToken::new();
        let token = stop.clone();
        let task = tokio::spawn(async move { bound.run(token).await.unwrap() });
        self.broker = Some((stop, task));
    }

    async fn stop_broker(&mut self) {
        let (stop, task) = self.broker.take().unwrap();
        stop.cancel();
        task.await.unwrap();
    }

    fn parts(&self, name: &str, configs: &ConfigStore) -> MembershipParts {
        let mut client = Properties::new();
        client.insert("bootstrap.servers", self.bootstrap.as_str());
        client.insert("client.id", name);
        client.insert("retry.backoff.max.ms", "200");
        MembershipParts {
            wire: WireSettings::from_properties(&client).unwrap(),
            settings: GroupSettings {
                group_id: self.group.clone(),
                protocol_type: PROTOCOL_TYPE.to_owned(),
                session_timeout: SESSION,
                rebalance_timeout: Duration::from_secs(10),
                heartbeat_interval: SESSION / 3,
            },
            protocol: ConnectProtocol::Sessioned,
            url: format!("http://{name}:8083/"),
            max_delay_ms: 400,
            sync_timeout: Duration::from_secs(3),
            unsync_backoff: Duration::from_millis(100),
            configs: configs.reader().unwrap(),
            clock: Clock::System,
            metrics: MetricRegistry::default(),
        }
    }

    fn join(&self, name: &str) -> Worker {
        Worker::start(self.parts(name, &self.configs), Duration::ZERO)
    }
}

/// One connector with so many tasks.
async fn configure(store: &ConfigStore, connector: &str, tasks: usize) {
    store
        .put_connector(connector, &ConfigMap::default(), None)
        .await
        .unwrap();
    store
        .put_task_configs(connector, &vec![ConfigMap::default(); tasks])
        .await
        .unwrap();
}

/// What a herder would know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Seen {
    generation: i32,
    leader: bool,
    leader_url: String,
    owned: Work,
    assigned: usize,
    revoked: Vec<RevokeReason>,
    refused: Option<String>,
}

/// A member, and a stand-in for its herder that does as it is told.
struct Worker {
    handle: MembershipHandle,
    seen: watch::Receiver<Seen>,
}

impl Worker {
    /// Stopping work takes `stopping` each time.
    fn start(parts: MembershipParts, stopping: Duration) -> Self {
        let (handle, mut events) = start(parts);
        let (sender, seen) = watch::channel(Seen::default());
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                match event {
                    GroupEvent::Refused { reason } => sender.send_modify(|seen| seen.refused = Some(reason)),
                    GroupEvent::Revoked {
                        reason,
                        connectors,
                        tasks,
                        done,
                    } => {
                        tokio::time::sleep(stopping).await;
                        sender.send_modify(|seen| {
                            seen.owned.remove(&Work { connectors, tasks });
                            seen.revoked.push(reason);
                        });
                        done.send(()).unwrap();
                    }
                    GroupEvent::Assigned {
                        generation,
                        leader,
                        leader_url,
                        owned_connectors,
                        owned_tasks,
                        ..
                    } => {
                        sender.send_modify(|seen| {
                            seen.generation = generation;
                            seen.leader = leader;
                            seen.leader_url = leader_url;
                            seen.owned = Work {
                                connectors: owned_connectors,
                                tasks: owned_tasks,
                            };
                            seen.assigned += 1;
                        });
                    }
                }
            }
        });
        Self { handle, seen }
    }

    async fn until(&self, what: &str, holds: impl FnMut(&Seen) -> bool) -> Seen {
        let mut seen = self.seen.clone();
        match tokio::time::timeout(PATIENCE, seen.wait_for(holds)).await {
            Ok(seen) => seen.unwrap().clone(),
            Err(_) => panic!("{what}: {:?}", self.seen.borrow()),
        }
    }

    /// Waits for what the handle tells.
    async fn until_handle(&self, holds: impl Fn(&MembershipHandle) -> bool) {
        let waiting = async {
            while !holds(&self.handle) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    }

    async fn until_tasks(&self, count: usize) -> Seen {
        self.until(&format!("{count} tasks"), |seen| seen.owned.tasks.len() == count)
            .await
    }
}

fn all(one: &Seen, other: &Seen) -> Work {
    assert!(one.owned.tasks.is_disjoint(&other.owned.tasks), "a task on two workers");
    assert!(one.owned.connectors.is_disjoint(&other.owned.connectors));
    let mut all = one.owned.clone();
    all.add(other.owned.clone());
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_worker_gets_half_and_its_share_comes_back_after_the_delay() {
    let house = House::open("halves").await;
    configure(&house.configs, "c", 100).await;
    // Kafka's default, which would be the time to notice each of two rounds.
    let heartbeat_interval = Duration::from_secs(3);
    let patient = |name: &str| {
        let mut parts = house.parts(name, &house.configs);
        parts.settings.session_timeout = Duration::from_secs(10);
        parts.settings.heartbeat_interval = heartbeat_interval;
        Worker::start(parts, Duration::ZERO)
    };
    let begun = Instant::now();
    let one = patient("one");
    let seen = one.until_tasks(100).await;
    eprintln!("start to joined: {:?}", begun.elapsed());
    assert!(seen.leader && one.handle.is_leader() && !one.handle.is_rebalancing());
    assert_eq!(one.handle.protocol(), Some(ConnectProtocol::Sessioned));

    let begun = Instant::now();
    let two = patient("two");
    let (has, gets) = (one.until_tasks(50).await, two.until_tasks(50).await);
    eprintln!("second worker balanced: {:?}", begun.elapsed());
    assert!(begun.elapsed() < heartbeat_interval, "{:?}", begun.elapsed());
    assert_eq!(all(&has, &gets), Work::configured(&house.configs.snapshot()));
    assert_eq!(has.revoked, [RevokeReason::Assignment]);
    assert!(!gets.leader);
    assert_eq!(two.handle.leader_url().as_deref(), Some("http://one:8083/"));
    let task = gets.owned.tasks.first().unwrap();
    one.until_handle(|handle| !handle.is_rebalancing()).await;
    assert_eq!(one.handle.task_url(task).as_deref(), Some("http://two:8083/"));
    assert_eq!(one.handle.connector_url("c").as_deref(), Some("http://one:8083/"));
    assert_eq!(two.handle.task_url(task), None, "only the leader knows");

    let rounds = one.seen.borrow().assigned;
    two.handle.leave().await;
    let waiting = one
        .until("a round without the other", |seen| seen.assigned > rounds)
        .await;
    assert_eq!(waiting.owned.tasks.len(), 50, "lost work waits for its worker");
    let later = one.until_tasks(100).await;
    assert_eq!(later.revoked, has.revoked, "nothing else had to stop");
    one.handle.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_comes_while_work_waits_gets_it() {
    let house = House::open("returns").await;
    configure(&house.configs, "c", 10).await;
    let one = house.join("one");
    one.until_tasks(10).await;
    let two = house.join("two");
    let kept = one.until_tasks(5).await.owned;
    let waiting = two.until_tasks(5).await.owned;
    two.handle.leave().await;
    let again = house.join("two");
    assert_eq!(again.until_tasks(5).await.owned, waiting);
    assert_eq!(one.until_tasks(5).await.owned, kept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_eager_group_stops_everything_before_each_round() {
    let house = House::open("eager").await;
    configure(&house.configs, "c", 4).await;
    let eager = |name: &str| MembershipParts {
        protocol: ConnectProtocol::Eager,
        ..house.parts(name, &house.configs)
    };
    let one = Worker::start(eager("one"), Duration::ZERO);
    one.until_tasks(4).await;
    // Offers more than the group can.
    let two = house.join("two");
    let gets = two.until_tasks(2).await;
    let has = one
        .until("half", |seen| seen.assigned >= 2 && seen.owned.tasks.len() == 2)
        .await;
    assert_eq!(all(&has, &gets), Work::configured(&house.configs.snapshot()));
    assert_eq!(has.revoked, [RevokeReason::EagerRebalance]);
    assert_eq!(two.handle.protocol(), Some(ConnectProtocol::Eager));
    one.handle.leave().await;
    let gets = two
        .until("everything at once", |seen| seen.owned.tasks.len() == 4)
        .await;
    assert_eq!(gets.revoked, [RevokeReason::EagerRebalance]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_makes_a_round_unless_one_was_made_for_these_configs() {
    let house = House::open("request").await;
    configure(&house.configs, "c", 2).await;
    let one = house.join("one");
    let first = one.until_tasks(2).await;
    one.handle.request_rejoin("nothing new");
    let again = one.until("the share once more", |seen| seen.assigned == 2).await;
    assert_eq!(again.generation, first.generation);
    configure(&house.configs, "d", 3).await;
    one.handle.request_rejoin("connector d is new");
    let seen = one.until_tasks(5).await;
    assert!(seen.generation > first.generation);
    house.configs.remove_connector("c").await.unwrap();
    one.handle.request_rejoin("connector c is gone");
    let seen = one.until_tasks(3).await;
    assert_eq!(seen.owned, work("d", "d-0 d-1 d-2"));
    assert_eq!(seen.revoked, [RevokeReason::Assignment]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_herder_that_stops_work_slowly_keeps_its_place() {
    let house = House::open("slow").await;
    configure(&house.configs, "c", 4).await;
    // Far longer than the session.
    let one = Worker::start(house.parts("one", &house.configs), 3 * SESSION);
    one.until_tasks(4).await;
    let member = one.handle.member_id();
    let two = house.join("two");
    two.until_tasks(2).await;
    let seen = one.until_tasks(2).await;
    assert_eq!(seen.revoked, [RevokeReason::Assignment]);
    assert_eq!(one.handle.member_id(), member);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_stops_when_the_coordinator_is_lost_and_starts_when_it_is_back() {
    let mut house = House::open("lost").await;
    if house.broker.is_none() {
        return;
    }
    configure(&house.configs, "c", 2).await;
    let one = house.join("one");
    one.until_tasks(2).await;
    let address = house.bootstrap.parse().unwrap();
    house.stop_broker().await;
    let seen = one.until_tasks(0).await;
    assert_eq!(seen.revoked, [RevokeReason::CoordinatorLost]);
    assert!(!one.handle.is_leader());
    house.start_broker(address);
    one.until_tasks(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_has_read_less_assigns_when_it_has_caught_up() {
    let house = House::open("behind").await;
    configure(&house.configs, "c", 2).await;
    let one = house.join("one");
    one.until_tasks(2).await;
    let mut ahead = ConfigStore::memory();
    ahead.start().await.unwrap();
    configure(&ahead, "c", 2).await;
    configure(&ahead, "d", 2).await;
    let two = Worker::start(house.parts("two", &ahead), Duration::ZERO);
    // The leader lags until its store has what the other has read.
    one.until_handle(MembershipHandle::is_rebalancing).await;
    assert_eq!(two.seen.borrow().assigned, 0);
    configure(&house.configs, "d", 2).await;
    let (has, gets) = (one.until_tasks(2).await, two.until_tasks(2).await);
    assert_eq!(all(&has, &gets), work("c d", "c-0 c-1 d-0 d-1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_without_a_herder_leaves() {
    let house = House::open("alone").await;
    let (handle, events) = start(house.parts("one", &house.configs));
    drop(events);
    tokio::time::timeout(PATIENCE, handle.ended.cancelled()).await.unwrap();
    assert_eq!(handle.generation(), -1);
}

#[tokio::test]
async fn a_worker_that_the_group_will_never_take_is_told_why() {
    let house = House::open("refused").await;
    let mut parts = house.parts("short", &house.configs);
    parts.settings.session_timeout = Duration::from_millis(50);
    let worker = Worker::start(parts, Duration::ZERO);
    let seen = worker.until("refused", |seen| seen.refused.is_some()).await;
    let reason = seen.refused.unwrap_or_default();
    assert!(
        reason.contains("session.timeout.ms is 50, the broker allows 100 to 1800000"),
        "{reason}"
    );
    worker.handle.leave().await;
}
