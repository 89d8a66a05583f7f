//! The registration of both classes

use weir_sdk::plugin::{Capability, Class, FileAccess, Plugin};

use crate::filestream_config::{FILE, sink_def, source_def};
use crate::sink::{FileStreamSinkConnector, FileStreamSinkTask};
use crate::source::{FileStreamSourceConnector, FileStreamSourceTask};

/// The release of Kafka whose connectors these stand in for: configs may ask for its version.
const KAFKA_VERSION: &str = "4.3.1";

/// Gives the classes of this plugin.
pub fn plugin() -> Plugin {
    let file = format!("config:{FILE}");
    Plugin::new(env!("CARGO_PKG_NAME"), KAFKA_VERSION)
        .class(
            Class::source::<FileStreamSourceConnector, FileStreamSourceTask>(
                "org.apache.kafka.connect.file.FileStreamSourceConnector",
            )
            .doc("Reads the lines of a file, or of standard input, into a topic.")
            .task_class("org.apache.kafka.connect.file.FileStreamSourceTask")
            .config(source_def),
        )
        .class(
            Class::sink::<FileStreamSinkConnector, FileStreamSinkTask>(
                "org.apache.kafka.connect.file.FileStreamSinkConnector",
            )
            .doc("Appends values to a file, or to standard output, one a line.")
            .task_class("org.apache.kafka.connect.file.FileStreamSinkTask")
            .config(sink_def),
        )
        .needs(Capability::Files(file.clone(), FileAccess::Read))
        .needs(Capability::Files(file, FileAccess::Write))
        // Records carry the time they were read at, as Apache's do.
        .needs(Capability::WallClock)
}

weir_sdk::export_plugin!(plugin, source, sink);
