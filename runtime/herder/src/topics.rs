//! Topics that connectors use (KIP-558).
//!
//! Tasks record them in the status store; here they are told and forgotten, where the worker's settings allow it. Any worker may
//! do either, and neither asks whether the connector exists.

use crate::error::HerderError;
use crate::handle::HerderHandle;

impl HerderHandle {
    /// Names of the topics a connector has used, sorted; none for an unknown connector.
    pub fn connector_topics(&self, name: &str) -> Result<Vec<String>, HerderError> {
        self.require_tracking()?;
        let topics = self.inner.status.topics(name).into_iter();
        Ok(topics.map(|status| status.topic).collect())
    }

    /// Forgets the topics a connector has used.
    pub async fn reset_connector_topics(&self, name: &str) -> Result<(), HerderError> {
        self.require_tracking()?;
        if !self.inner.topic_rules.tracking_reset_allowed {
            return Err(HerderError::Forbidden("Topic tracking reset is disabled.".to_owned()));
        }
        let removed = self.inner.status.remove_topics(name).await;
        removed.map_err(|error| HerderError::Failed(error.to_string()))
    }

    fn require_tracking(&self) -> Result<(), HerderError> {
        if self.inner.topic_rules.tracking_enabled {
            return Ok(());
        }
        Err(HerderError::Forbidden("Topic tracking is disabled.".to_owned()))
    }
}
