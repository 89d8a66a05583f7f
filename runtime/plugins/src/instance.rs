//! One store, one instance, calls under guard
//!
//! Every call counts its CPU time, is ended at the stop deadline and poisons the instance when it traps or is abandoned.
//! A poisoned instance gives its memory back at once and answers every later call with the first failure. The typed
//! calls are in `guest/`.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wasmtime::Store;
use wasmtime::component::{Func, Instance as WasmInstance};

use weir_config::map::ConfigMap;

use crate::bindings::exports::weir::connect as exports;
use crate::bindings::weir::connect::types::PluginError as WitError;
use crate::component::LoadedComponent;
use crate::engine::{Ticker, WasmEngine};
use crate::error::{Fault, GuestError, LimitExceeded};
use crate::host::state::{HostState, StateParts};
use crate::marshal::{self, WitConfig};
use crate::secrets::Secrets;
use crate::stop::StopSignal;
use crate::trap;

/// Bytes that may cross besides a frame in one call.
const CALL_HEADROOM_BYTES: usize = 1024 * 1024;

/// An instance that can be called, or the reason why it cannot any more.
pub(crate) struct Instance {
    state: State,
    stop: StopSignal,
    ticker: &'static Ticker,
    cpu: Duration,
    lift_limit_bytes: usize,
    secrets: Arc<Secrets>,
}

enum State {
    Live(Box<Live>),
    Poisoned(GuestError),
}

/// The store with its instance. Whoever holds it during a call has the instance to itself.
pub(crate) struct Live {
    pub(crate) store: Store<HostState>,
    pub(crate) exports: Exports,
    is_in_call: bool,
}

/// Functions of the interfaces that the component exports.
pub(crate) struct Exports {
    pub(crate) plugin: exports::plugin::Guest,
    pub(crate) source_connector: Option<exports::source_connector::Guest>,
    pub(crate) source_task: Option<exports::source_task::Guest>,
    pub(crate) sink_connector: Option<exports::sink_connector::Guest>,
    pub(crate) sink_task: Option<exports::sink_task::Guest>,
    pub(crate) sink_put: Option<Func>,
}

/// What a guarded call ended with: the guest's answer or the engine's error.
type Outcome<T> = Result<T, wasmtime::Error>;

impl Instance {
    /// Creates the store and instantiates the component in it.
    pub(crate) async fn create(
        engine: &Arc<WasmEngine>,
        component: &LoadedComponent,
        parts: StateParts,
    ) -> Result<Self, GuestError> {
        let lift_limit_bytes = parts.max_frame_bytes.saturating_add(CALL_HEADROOM_BYTES);
        let stop = parts.context.stop.clone();
        let secrets = Arc::clone(&parts.secrets);
        let mut store = Store::new(engine.engine(), HostState::new(parts));
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(lift_limit_bytes);
        store.epoch_deadline_callback(|mut store| store.data_mut().on_tick());
        // Before instantiating: the deadline starts at 0 and would trap in the start function.
        store.set_epoch_deadline(1);
        let mut guard = Guard {
            ticker: engine.ticker(),
            stop: &stop,
            cpu: Duration::ZERO,
        };
        let made = guard
            .run(component.pre.instantiate_async(&mut store))
            .await
            .and_then(|instance| Exports::load(&mut store, &instance, component));
        let cpu = guard.cpu;
        match made {
            Ok(exports) => Ok(Self {
                state: State::Live(Box::new(Live {
                    store,
                    exports,
                    is_in_call: false,
                })),
                stop,
                ticker: engine.ticker(),
                cpu,
                lift_limit_bytes,
                secrets,
            }),
            Err(error) => {
                let stderr = store.data().stderr.last_lines();
                Err(secrets.redact_error(trap::guest_error(&error, &stderr, lift_limit_bytes)))
            }
        }
    }

    /// Starts a call: gives the live parts and the guard to run the call's future under.
    pub(crate) fn begin(&mut self) -> Result<(&mut Live, Guard<'_>), GuestError> {
        if let State::Live(live) = &self.state
            && live.is_in_call
        {
            let error = GuestError::fatal(Fault::Poisoned, "an earlier call was abandoned");
            self.state = State::Poisoned(error);
        }
        match &mut self.state {
            State::Poisoned(first) => Err(GuestError {
                fault: Fault::Poisoned,
                ..first.clone()
            }),
            State::Live(live) => {
                live.is_in_call = true;
                let data = live.store.data_mut();
                data.enter_host();
                let guard = Guard {
                    ticker: self.ticker,
                    stop: &self.stop,
                    cpu: Duration::ZERO,
                };
                Ok((live, guard))
            }
        }
    }

    /// Ends a call that cannot answer an error of its own.
    pub(crate) fn finish<T>(&mut self, outcome: Outcome<T>, cpu: Duration) -> Result<T, GuestError> {
        self.cpu += cpu;
        let error = match outcome {
            Ok(value) => {
                if let State::Live(live) = &mut self.state {
                    live.is_in_call = false;
                }
                return Ok(value);
            }
            Err(error) => error,
        };
        let stderr = match &self.state {
            State::Live(live) => live.store.data().stderr.last_lines(),
            State::Poisoned(_) => Vec::new(),
        };
        let failure = trap::guest_error(&error, &stderr, self.lift_limit_bytes);
        let failure = self.secrets.redact_error(failure);
        // Dropping the store here gives its memory back while the task still waits to be restarted.
        self.state = State::Poisoned(failure.clone());
        Err(failure)
    }

    /// Ends a call whose answer may be the guest's own error.
    pub(crate) fn finish_fallible<T>(
        &mut self,
        outcome: Outcome<Result<T, WitError>>,
        cpu: Duration,
    ) -> Result<T, GuestError> {
        self.finish(outcome, cpu)?
            .map_err(|error| GuestError::returned(self.secrets.redact_connect_error(marshal::error_from_wit(error))))
    }

    /// Settings as the guest sees them.
    pub(crate) fn seen(&self, config: &ConfigMap) -> WitConfig {
        marshal::config_to_wit(&self.secrets.conceal(config))
    }

    /// What stands between the guest and the secrets of its settings.
    pub(crate) fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    /// Store data of a usable instance.
    pub(crate) fn data(&self) -> Option<&HostState> {
        match &self.state {
            State::Live(live) => Some(live.store.data()),
            State::Poisoned(_) => None,
        }
    }

    pub(crate) fn data_mut(&mut self) -> Option<&mut HostState> {
        match &mut self.state {
            State::Live(live) => Some(live.store.data_mut()),
            State::Poisoned(_) => None,
        }
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        match &self.state {
            State::Live(live) => live.is_in_call,
            State::Poisoned(_) => true,
        }
    }

    /// CPU time that the guest has taken.
    pub(crate) fn cpu(&self) -> Duration {
        self.cpu
    }
}

impl Exports {
    fn load(
        store: &mut Store<HostState>,
        instance: &WasmInstance,
        component: &LoadedComponent,
    ) -> wasmtime::Result<Self> {
        let indices = &component.exports;
        Ok(Self {
            plugin: indices.plugin.load(&mut *store, instance)?,
            source_connector: match &indices.source_connector {
                Some(indices) => Some(indices.load(&mut *store, instance)?),
                None => None,
            },
            source_task: match &indices.source_task {
                Some(indices) => Some(indices.load(&mut *store, instance)?),
                None => None,
            },
            sink_connector: match &indices.sink_connector {
                Some(indices) => Some(indices.load(&mut *store, instance)?),
                None => None,
            },
            sink_put: indices.sink_put.and_then(|put| instance.get_func(&mut *store, put)),
            sink_task: match &indices.sink_task {
                Some(indices) => Some(indices.load(&mut *store, instance)?),
                None => None,
            },
        })
    }
}

/// Runs the future of one call.
pub(crate) struct Guard<'a> {
    ticker: &'static Ticker,
    stop: &'a StopSignal,
    /// Time that polls of the future took: a guest runs only inside of them.
    pub(crate) cpu: Duration,
}

impl Guard<'_> {
    /// Waits for the call or for the stop deadline. After the latter the store must be dropped, which `finish` does.
    pub(crate) async fn run<T>(&mut self, call: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        let mut call = pin!(call);
        let (ticker, cpu) = (self.ticker, &mut self.cpu);
        let counted = std::future::poll_fn(move |cx| {
            let began = Instant::now();
            let _on_cpu = ticker.enter();
            let polled = call.as_mut().poll(cx);
            *cpu += began.elapsed();
            polled
        });
        tokio::select! {
            biased;
            outcome = counted => outcome,
            // A guest that waits in the host reaches no epoch check; it is left behind here instead.
            () = self.stop.deadline() => Err(LimitExceeded::StopDeadline.into()),
        }
    }
}
