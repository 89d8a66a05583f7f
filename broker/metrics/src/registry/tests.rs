use super::*;
use crate::group::MetricDef;

static DEF: GroupDef = GroupDef {
    domain: "kafka.connect",
    group: "sink-task-metrics",
    tags: &["connector", "task"],
    metrics: &[
        MetricDef {
            name: "sink-record-read-total",
            kind: Kind::Counter,
            doc: "Records read.",
        },
        MetricDef {
            name: "sink-record-read-rate",
            kind: Kind::Gauge,
            doc: "Records read a second.",
        },
        MetricDef {
            name: "status",
            kind: Kind::Text,
            doc: "State.",
        },
    ],
};

fn registry() -> (MetricRegistry, Arc<std::sync::atomic::AtomicI64>) {
    let (clock, hand) = Clock::manual(0);
    (MetricRegistry::new(Windows::default(), clock), hand)
}

#[test]
fn series_of_one_name_stand_under_one_head() {
    let (registry, hand) = registry();
    let groups: Vec<Group> = ["a", "b\"c"]
        .iter()
        .map(|name| registry.group(&DEF, &[name, "0"]))
        .collect();
    for group in &groups {
        let sensor = group.sensor(&[
            ("sink-record-read-total", Figure::Total),
            ("sink-record-read-rate", Figure::Rate),
        ]);
        sensor.record(60.0, 0);
    }
    hand.store(30_000, Ordering::SeqCst);
    let expected = "\
# HELP kafka_connect_sink_task_metrics_sink_record_read_rate Records read a second.
# TYPE kafka_connect_sink_task_metrics_sink_record_read_rate gauge
kafka_connect_sink_task_metrics_sink_record_read_rate{connector=\"a\",task=\"0\"} 2
kafka_connect_sink_task_metrics_sink_record_read_rate{connector=\"b\\\"c\",task=\"0\"} 2
# HELP kafka_connect_sink_task_metrics_sink_record_read_total Records read.
# TYPE kafka_connect_sink_task_metrics_sink_record_read_total counter
kafka_connect_sink_task_metrics_sink_record_read_total{connector=\"a\",task=\"0\"} 60
kafka_connect_sink_task_metrics_sink_record_read_total{connector=\"b\\\"c\",task=\"0\"} 60
";
    assert_eq!(registry.render(), expected);
    drop(groups);
    assert_eq!(registry.render(), "");
}

#[test]
fn a_text_is_a_label() {
    let (registry, _hand) = registry();
    let group = registry.group(&DEF, &["a", "1"]);
    group.text("status", || "running".to_owned());
    let text = registry.render();
    let line = "kafka_connect_sink_task_metrics_status{connector=\"a\",task=\"1\",value=\"running\"} 1";
    assert!(text.contains(line), "{text}");
}

#[test]
fn a_later_group_takes_the_place_of_an_equal_one() {
    let (registry, _hand) = registry();
    let earlier = registry.group(&DEF, &["a", "1"]);
    earlier.text("status", || "running".to_owned());
    let later = registry.group(&DEF, &["a", "1"]);
    later.text("status", || "paused".to_owned());
    for _ in 0..2 {
        assert!(registry.render().contains("value=\"paused\""));
        assert!(!registry.render().contains("value=\"running\""));
    }
    drop(earlier);
    assert!(registry.render().contains("value=\"paused\""));
    drop(later);
    assert_eq!(registry.render(), "");
}

#[test]
fn a_reading_may_add_and_drop_groups() {
    let (registry, _hand) = registry();
    let group = registry.group(&DEF, &["a", "1"]);
    let inner = registry.clone();
    group.text("status", move || {
        let other = inner.group(&DEF, &["b", "1"]);
        drop(other);
        "running".to_owned()
    });
    assert!(registry.render().contains("running"));
}

#[test]
fn a_group_without_a_table_shows_what_it_is_given() {
    let (registry, _hand) = registry();
    let loose = registry.loose(
        ("kafka.connect", "plugins", "Measured by the plugin."),
        &[("connector", "c"), ("task", "0")],
        || {
            let metric = |name: &str| LooseMetric {
                name: name.to_owned(),
                tags: vec![
                    ("cell-id".to_owned(), "7".to_owned()),
                    ("task".to_owned(), "x".to_owned()),
                ],
                kind: Kind::Counter,
                value: 3.0,
            };
            vec![metric("budget.used"), metric("budget-used")]
        },
    );
    let expected = "\
# HELP kafka_connect_plugins_budget_used Measured by the plugin.
# TYPE kafka_connect_plugins_budget_used counter
kafka_connect_plugins_budget_used{connector=\"c\",task=\"0\",cell_id=\"7\"} 3
";
    assert_eq!(registry.render(), expected);
    drop(loose);
    assert_eq!(registry.render(), "");
}

#[test]
fn numbers_print_as_prometheus_reads_them() {
    assert_eq!(
        [f64::NAN, f64::INFINITY, 1.5, 3.0].map(number),
        ["NaN", "+Inf", "1.5", "3"]
    );
}
