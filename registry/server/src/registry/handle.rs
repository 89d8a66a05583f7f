//! The registry's door: reads at once, changes through the writer

use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::{mpsc, oneshot};

use crate::refusal::Refusal;
use crate::registry::change::{Change, Outcome};
use crate::registry::lookup::{Candidate, Finder};
use crate::registry::register::Options;
use crate::registry::schemas::Schemas;
use crate::registry::writer::Request;
use crate::registry_config::DecisionSettings;
use crate::store::cache::{Cache, Deleted, StoredSchema};
use crate::subject::{Purpose, is_valid};

/// Texts up to here are parsed on the spot.
const INLINE_BYTES: usize = 4096;

/// What reads and decisions share.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) cache: Arc<RwLock<Cache>>,
    pub(crate) schemas: Schemas,
    pub(crate) settings: DecisionSettings,
}

impl State {
    pub(crate) fn finder(&self) -> Finder<'_> {
        Finder {
            cache: &self.cache,
            schemas: &self.schemas,
            settings: &self.settings,
        }
    }
}

/// What the REST layer holds.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    state: Arc<State>,
    writes: mpsc::Sender<Request>,
}

impl Registry {
    pub(crate) fn new(state: Arc<State>, writes: mpsc::Sender<Request>) -> Self {
        Self { state, writes }
    }

    pub(crate) fn settings(&self) -> &DecisionSettings {
        &self.state.settings
    }

    pub(crate) fn finder(&self) -> Finder<'_> {
        self.state.finder()
    }

    /// Looks into the cache. `look` must be quick: records wait for it.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Cache) -> T) -> T {
        look(&self.state.cache.read())
    }

    /// Runs something that parses a schema of this size where it holds up no other request: small ones are done before another thread
    /// would have begun.
    pub(crate) async fn compute<T: Send + 'static>(
        &self,
        text_bytes: usize,
        work: impl FnOnce(&Finder<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        if text_bytes <= INLINE_BYTES {
            return work(&self.finder());
        }
        let state = Arc::clone(&self.state);
        let running = tokio::task::spawn_blocking(move || work(&state.finder()));
        running
            .await
            .unwrap_or_else(|_| Err(Refusal::Store("reading the schema failed".to_owned())))
    }

    /// Hands a change to the writer and waits for what comes of it. A change whose client goes away is made all the same.
    pub(crate) async fn change(&self, change: Change) -> Result<Outcome, Refusal> {
        let stopped = || Refusal::UnknownLeader("The registry is stopping".to_owned());
        let (answer, outcome) = oneshot::channel();
        self.writes
            .send(Request { change, answer })
            .await
            .map_err(|_| stopped())?;
        outcome.await.map_err(|_| stopped())?
    }

    /// Registers a schema; one that is there already is answered without the writer.
    pub(crate) async fn register(
        &self,
        subject: &str,
        candidate: Candidate,
        options: Options,
    ) -> Result<Arc<StoredSchema>, Refusal> {
        let rejects_empty = self.settings().rejects_empty_subject;
        if !is_valid(subject, Purpose::Schemas { rejects_empty }) {
            return Err(Refusal::InvalidSubject(subject.to_owned()));
        }
        let owned = subject.to_owned();
        let asked = candidate.clone();
        let known = self
            .compute(candidate.text.len(), move |finder| {
                known(finder, &owned, &asked, options)
            })
            .await?;
        if let Some(existing) = known {
            return Ok(existing);
        }
        let change = Change::Register {
            subject: subject.to_owned(),
            candidate: Box::new(candidate),
            options,
        };
        match self.change(change).await? {
            Outcome::Schema(schema) => Ok(schema),
            other => Err(Refusal::Store(format!(
                "unexpected outcome of a registration: {other:?}"
            ))),
        }
    }
}

/// A schema that is there already, where registering it again would change nothing.
fn known(
    finder: &Finder<'_>,
    subject: &str,
    candidate: &Candidate,
    options: Options,
) -> Result<Option<Arc<StoredSchema>>, Refusal> {
    if candidate.version != 0 || finder.effective(subject).has_defaults_or_overrides() {
        return Ok(None);
    }
    let found = finder.look_up(subject, candidate, options.form, Deleted::Hidden)?;
    Ok(found.filter(|schema| candidate.id.is_none_or(|id| id == schema.id)))
}
