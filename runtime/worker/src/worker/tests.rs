use weir_config::map::ConfigMap;

use super::tasks::check_task_count;
use crate::connector_config::ConnectorConfig;

#[test]
fn too_many_tasks_are_refused_unless_allowed() {
    let parse = |enforce: &str| {
        let config: ConfigMap = [
            ("name", "c"),
            ("connector.class", "X"),
            ("tasks.max", "2"),
            ("tasks.max.enforce", enforce),
        ]
        .into_iter()
        .collect();
        ConnectorConfig::parse(&config).unwrap()
    };
    assert!(check_task_count(&parse("true"), 2).is_ok());
    let error = check_task_count(&parse("true"), 3).unwrap_err().to_string();
    assert!(
        error.starts_with("The connector c has generated 3 tasks, which is greater than 2, the maximum number"),
        "{error}"
    );
    assert!(check_task_count(&parse("false"), 3).is_ok());
}
