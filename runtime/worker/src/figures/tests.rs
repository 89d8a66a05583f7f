use std::time::Duration;

use super::{Call, Stall, TaskMeter};

const LIMIT: Duration = Duration::from_secs(60);
const EVERY: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn a_call_that_does_not_return_is_a_stall_until_it_does() {
    let meter = TaskMeter::default();
    meter.enter(Call::Poll);
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(meter.sample(EVERY, LIMIT), None);
    tokio::time::advance(Duration::from_secs(2)).await;
    let reason = "has not returned from poll for 61 s".to_owned();
    assert_eq!(meter.sample(EVERY, LIMIT), Some(Stall::Began(reason)));
    assert_eq!(meter.sample(EVERY, LIMIT), None, "told once");
    meter.left(Duration::from_millis(3), 10);
    assert_eq!(meter.sample(EVERY, LIMIT), Some(Stall::Ended));
    assert_eq!(meter.stalled(Duration::ZERO), None);
}

#[tokio::test(start_paused = true)]
async fn records_that_nobody_acknowledges_are_a_stall() {
    let meter = TaskMeter::default();
    tokio::time::advance(Duration::from_secs(100)).await;
    meter.on_the_way(5, 0);
    tokio::time::advance(Duration::from_secs(50)).await;
    meter.on_the_way(9, 0);
    assert_eq!(meter.stalled(LIMIT), None);
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(
        meter.stalled(LIMIT).as_deref(),
        Some("9 records were sent and none acknowledged for 60 s")
    );
    meter.on_the_way(8, 1);
    assert_eq!(meter.stalled(LIMIT), None);
    tokio::time::advance(Duration::from_secs(70)).await;
    meter.on_the_way(0, 8);
    assert_eq!(meter.stalled(LIMIT), None, "idle is no stall");
}

#[tokio::test(start_paused = true)]
async fn figures_add_up() {
    let meter = TaskMeter::default();
    meter.moved(100, 1000);
    meter.sample(EVERY, LIMIT);
    meter.moved(50, 500);
    meter.left(Duration::from_millis(12), 4096);
    tokio::time::advance(Duration::from_secs(1)).await;
    let figures = meter.figures(LIMIT, crate::restart::RestartFigures::default());
    assert_eq!(
        (figures.records, figures.bytes, figures.records_per_second),
        (150, 1500, 20)
    );
    assert_eq!(
        (figures.cpu_ms, figures.memory_bytes, figures.running_ms),
        (12, 4096, 1000)
    );
}
