//! The registry's client, shared by all converters of equal settings
//!
//! Converters are synchronous: a call is handed to the client's own thread and waited for. Answers that cannot change
//! are kept, up to a bound; of equal calls one is under way at a time. How requests are sent is in `registry_http.rs`.
//! Kafka: `CachedSchemaRegistryClient`.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};
use weir_api::error::ConnectError;
use weir_schema::schema::Reference;

use crate::registry_http::{Answer, Call, CallError, Http, Registered};
use crate::registry_settings::RegistrySettings;

/// Most schemas that one schema may use, directly or not.
const MAX_REFERENCES: usize = 1024;

/// The client of one set of settings.
#[derive(Debug)]
pub struct RegistryClient {
    /// One thread of its own; taken when the client ends.
    runtime: Option<Runtime>,
    http: Arc<Http>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// At the bound all are forgotten.
    capacity: usize,
    answers: HashMap<Call, Arc<Registered>>,
    in_flight: HashMap<Call, Vec<SyncSender<Answer>>>,
}

/// A client and what it was made with.
#[derive(Debug)]
struct InUse {
    settings: RegistrySettings,
    client: Weak<RegistryClient>,
}

/// Clients in use.
static CLIENTS: LazyLock<Mutex<Vec<InUse>>> = LazyLock::new(Mutex::default);

impl RegistryClient {
    /// Gives the client of these settings, the one in use if there is one.
    ///
    /// # Errors
    /// `Config`: certificates, keys, headers or the proxy are not usable.
    pub fn shared(settings: &RegistrySettings) -> Result<Arc<Self>, ConnectError> {
        let mut clients = CLIENTS.lock();
        clients.retain(|known| known.client.strong_count() > 0);
        let known = clients.iter().find(|known| known.settings == *settings);
        if let Some(client) = known.and_then(|known| known.client.upgrade()) {
            return Ok(client);
        }
        let client = Arc::new(Self::new(settings)?);
        clients.push(InUse {
            settings: settings.clone(),
            client: Arc::downgrade(&client),
        });
        Ok(client)
    }

    fn new(settings: &RegistrySettings) -> Result<Self, ConnectError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("schema-registry-client")
            .enable_all()
            .build()
            .map_err(|error| ConnectError::fatal("the registry client's thread does not start").caused_by(error))?;
        Ok(Self {
            runtime: Some(runtime),
            http: Arc::new(Http::new(settings)?),
            state: Arc::new(Mutex::new(State {
                capacity: settings.max_schemas,
                answers: HashMap::new(),
                in_flight: HashMap::new(),
            })),
        })
    }

    /// Asks the registry, or those who asked before, and waits for the answer.
    ///
    /// # Errors
    /// The registry cannot be reached, or says no.
    pub fn call(&self, call: &Call) -> Answer {
        let receiver = {
            let mut state = self.state.lock();
            if let Some(answer) = state.answers.get(call) {
                return Ok(Arc::clone(answer));
            }
            let (sender, receiver) = sync_channel(1);
            match state.in_flight.get_mut(call) {
                Some(waiting) => waiting.push(sender),
                None => {
                    state.in_flight.insert(call.clone(), vec![sender]);
                    self.start(call.clone());
                }
            }
            receiver
        };
        wait(&receiver).unwrap_or_else(|| {
            Err(CallError::Unreachable(format!(
                "{}: the client has stopped",
                call.failure()
            )))
        })
    }

    /// Gives the texts that a schema uses, those they use first.
    ///
    /// # Errors
    /// The registry cannot be reached, or does not have one of them.
    pub fn references(&self, of: &Registered) -> Result<Vec<String>, CallError> {
        let mut seen = Vec::new();
        let mut texts = Vec::new();
        self.add_references(of, &mut seen, &mut texts)?;
        Ok(texts)
    }

    fn add_references(
        &self,
        of: &Registered,
        seen: &mut Vec<Reference>,
        texts: &mut Vec<String>,
    ) -> Result<(), CallError> {
        for reference in &of.references {
            if seen.contains(reference) || seen.len() >= MAX_REFERENCES {
                continue;
            }
            seen.push(reference.clone());
            let used = self.call(&Call::Version {
                subject: reference.subject.clone(),
                version: reference.version.unsigned_abs(),
            })?;
            self.add_references(&used, seen, texts)?;
            texts.extend(used.schema.clone());
        }
        Ok(())
    }

    fn start(&self, call: Call) {
        let Some(runtime) = &self.runtime else {
            return;
        };
        let http = Arc::clone(&self.http);
        let flight = Flight {
            state: Arc::clone(&self.state),
            call,
            landed: false,
        };
        // The runtime is the client's own: its tasks end with it.
        runtime.spawn(async move {
            let answer = http.perform(&flight.call).await;
            flight.land(&answer);
        });
    }
}

impl Drop for RegistryClient {
    fn drop(&mut self) {
        // Waiting for the thread is not allowed where converters are dropped.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A call under way; who waits is told even if it ends without an answer.
struct Flight {
    state: Arc<Mutex<State>>,
    call: Call,
    landed: bool,
}

impl Flight {
    fn land(mut self, answer: &Answer) {
        self.landed = true;
        let waiting = {
            let mut state = self.state.lock();
            if let Ok(registered) = answer
                && !matches!(self.call, Call::Latest { .. })
            {
                if state.answers.len() >= state.capacity {
                    state.answers.clear();
                }
                state.answers.insert(self.call.clone(), Arc::clone(registered));
            }
            state.in_flight.remove(&self.call).unwrap_or_default()
        };
        for sender in waiting {
            // A full or closed channel is that of someone who went away.
            let _gone = sender.try_send(answer.clone());
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        // After landing the place may be that of the next call.
        if !self.landed {
            self.state.lock().in_flight.remove(&self.call);
        }
    }
}

/// Waits without holding up the runtime that the caller may run on.
fn wait(receiver: &Receiver<Answer>) -> Option<Answer> {
    let on_workers = Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    if on_workers {
        tokio::task::block_in_place(|| receiver.recv().ok())
    } else {
        receiver.recv().ok()
    }
}

#[cfg(test)]
pub(crate) mod fixture;

#[cfg(test)]
mod tests;
