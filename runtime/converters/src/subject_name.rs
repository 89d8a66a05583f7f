//! Under which subject a schema stands in the registry
//!
//! Kafka: the strategies of `io.confluent.kafka.serializers.subject`, known by class name. `AssociatedNameStrategy`
//! asks for associations that Weir's registry does not keep, and then falls back to the topic's name as Java's does.

use weir_api::converter::ConverterSlot;
use weir_api::error::ConnectError;

const PACKAGE: &str = "io.confluent.kafka.serializers.subject.";

/// How a subject is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectNameStrategy {
    /// `<topic>-key` or `<topic>-value`.
    TopicName,
    /// The record's full name.
    RecordName,
    /// `<topic>-<record's full name>`.
    TopicRecordName,
}

impl SubjectNameStrategy {
    /// Finds a strategy by its class name.
    ///
    /// # Errors
    /// `Config`: another class.
    pub fn parse(class: &str) -> Result<Self, ConnectError> {
        match class.strip_prefix(PACKAGE).unwrap_or(class) {
            "TopicNameStrategy" | "AssociatedNameStrategy" => Ok(Self::TopicName),
            "RecordNameStrategy" => Ok(Self::RecordName),
            "TopicRecordNameStrategy" => Ok(Self::TopicRecordName),
            _ => Err(ConnectError::config(format!(
                "Class {class} could not be found; the known subject name strategies are {PACKAGE}TopicNameStrategy, \
                 {PACKAGE}RecordNameStrategy and {PACKAGE}TopicRecordNameStrategy"
            ))),
        }
    }

    /// Gives the subject of a topic's schema; `record` is its full name where it is a record.
    ///
    /// # Errors
    /// `Data`: the strategy needs a record and the schema is none.
    pub fn subject(self, topic: &str, slot: ConverterSlot, record: Option<&str>) -> Result<String, ConnectError> {
        // Headers have no subject of their own in Kafka; their converter stands on the value's side.
        let side = if slot == ConverterSlot::Key { "key" } else { "value" };
        let needed = |strategy: &str| {
            record.ok_or_else(|| {
                ConnectError::data(format!(
                    "In configuration {side}.subject.name.strategy = {PACKAGE}{strategy}, the message {side} must only be a record schema"
                ))
            })
        };
        Ok(match self {
            Self::TopicName => format!("{topic}-{side}"),
            Self::RecordName => needed("RecordNameStrategy")?.to_owned(),
            Self::TopicRecordName => format!("{topic}-{}", needed("TopicRecordNameStrategy")?),
        })
    }
}

#[cfg(test)]
mod tests {
    use weir_api::converter::ConverterSlot;

    use super::SubjectNameStrategy;

    fn subject(class: &str, slot: ConverterSlot, record: Option<&str>) -> String {
        SubjectNameStrategy::parse(class)
            .and_then(|strategy| strategy.subject("t", slot, record))
            .unwrap_or_else(|error| error.message)
    }

    #[test]
    fn each_strategy_names_its_subject() {
        let key = ConverterSlot::Key;
        let value = ConverterSlot::Value;
        assert_eq!(
            subject("io.confluent.kafka.serializers.subject.TopicNameStrategy", key, None),
            "t-key"
        );
        assert_eq!(
            subject(
                "io.confluent.kafka.serializers.subject.TopicNameStrategy",
                value,
                Some("a.B")
            ),
            "t-value"
        );
        assert_eq!(
            subject(
                "io.confluent.kafka.serializers.subject.AssociatedNameStrategy",
                value,
                None
            ),
            "t-value"
        );
        assert_eq!(
            subject(
                "io.confluent.kafka.serializers.subject.RecordNameStrategy",
                value,
                Some("a.B")
            ),
            "a.B"
        );
        assert_eq!(
            subject(
                "io.confluent.kafka.serializers.subject.TopicRecordNameStrategy",
                key,
                Some("a.B")
            ),
            "t-a.B"
        );
    }

    #[test]
    fn what_is_not_known_is_named() {
        assert!(subject("com.example.Mine", ConverterSlot::Key, None).starts_with("Class com.example.Mine"));
        assert_eq!(
            subject("RecordNameStrategy", ConverterSlot::Value, None),
            "In configuration value.subject.name.strategy = io.confluent.kafka.serializers.subject.RecordNameStrategy, the message value must only be a record schema"
        );
    }
}
