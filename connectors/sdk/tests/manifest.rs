//! The manifest, word for word: the plugin host reads it

use weir_sdk::api::error::ConnectError;
use weir_sdk::config::def::{ConfigDef, ConfigKey, Importance, Validator, Width};
use weir_sdk::config::map::ConfigMap;
use weir_sdk::context::{ConnectorContext, SinkTaskContext};
use weir_sdk::manifest::manifest;
use weir_sdk::plugin::{Capability, Class, FileAccess, Plugin};
use weir_sdk::sink::{SinkConnector, SinkTask};
use weir_sdk::sink_batch::SinkBatch;

#[derive(Default)]
struct Connector;

impl SinkConnector for Connector {
    fn start(&mut self, _context: ConnectorContext, _config: &ConfigMap) -> Result<(), ConnectError> {
        Ok(())
    }

    fn task_configs(&mut self, _max_tasks: u32) -> Result<Vec<ConfigMap>, ConnectError> {
        Ok(Vec::new())
    }
}

#[derive(Default)]
struct Task;

impl SinkTask for Task {
    fn start(&mut self, _context: SinkTaskContext, _config: &ConfigMap) -> Result<(), ConnectError> {
        Ok(())
    }

    fn put(&mut self, _batch: &SinkBatch<'_>) -> Result<(), ConnectError> {
        Ok(())
    }
}

fn definition() -> ConfigDef {
    ConfigDef::new()
        .key(
            ConfigKey::int("a")
                .default("5")
                .validator(Validator::at_least(1))
                .validator(Validator::NonNull)
                .validator(Validator::Custom("odd".to_owned()))
                .importance(Importance::Low)
                .doc("first")
                .group("G", 2)
                .width(Width::Long)
                .display_name("A")
                .dependents(&["b"])
                .recommended(),
        )
        .key(ConfigKey::password("b").default_null().internal())
        .key(ConfigKey::text("c").validator(Validator::one_of(&["x", "y"])))
}

#[test]
fn a_manifest_is_the_wit_types_as_json() {
    let plugin = Plugin::new("pack", "1.2.3")
        .class(
            Class::sink::<Connector, Task>("org.example.Sink")
                .alias("Ex")
                .version("9")
                .doc("d")
                .config(definition)
                .overrides_validate(),
        )
        .needs(Capability::Http("config:url".to_owned()))
        .needs(Capability::Files("/x".to_owned(), FileAccess::Write))
        .needs(Capability::Memory(7))
        .needs(Capability::Random);
    let expected = concat!(
        r#"{"manifest":1,"wit":"weir:connect@0.1.0","package":"pack","version":"1.2.3","#,
        r#""capabilities":[{"http":"config:url"},{"files":["/x",true]},{"memory":7},"random"],"#,
        r#""classes":[{"kind":"sink","name":"org.example.Sink","aliases":["Ex"],"version":"9","doc":"d","task-class":null,"#,
        r#""config-def":{"overrides-validate":true,"keys":["#,
        r#"{"name":"a","type":"int","default":{"value":"5"},"validators":[{"between":{"min":"1","max":null}},"non-null",{"custom":"odd"}],"#,
        r#""importance":"low","documentation":"first","group":"G","order-in-group":2,"width":"long","display-name":"A","#,
        r#""dependents":["b"],"recommended":true,"internal":false},"#,
        r#"{"name":"b","type":"password","default":"null","validators":[],"importance":"medium","documentation":"","group":null,"#,
        r#""order-in-group":-1,"width":"none","display-name":"b","dependents":[],"recommended":false,"internal":true},"#,
        r#"{"name":"c","type":"text","default":"required","validators":[{"one-of":["x","y"]}],"importance":"medium","documentation":"","#,
        r#""group":null,"order-in-group":-1,"width":"none","display-name":"c","dependents":[],"recommended":false,"internal":false}"#,
        r#"]}}]}"#,
    );
    assert_eq!(manifest(&plugin), expected);
}
