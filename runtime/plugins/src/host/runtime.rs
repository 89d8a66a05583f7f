//! `weir:connect/runtime`: identity, log, settings, stop, sleep, metrics

use std::time::Duration;

use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use crate::bindings::weir::connect::runtime::{self, Host};
use crate::host::log::GuestLog;
use crate::host::metrics::{Sample, SeriesKey};
use crate::host::state::HostState;
use crate::marshal;
use crate::stop::StopSignal;

impl Host for HostState {
    fn who_am_i(&mut self) -> wasmtime::Result<runtime::Identity> {
        self.enter_host();
        Ok(runtime::Identity {
            connector: self.identity.connector.to_string(),
            task: self.identity.task,
            worker: self.identity.worker.clone(),
            plugin_version: self.identity.plugin_version.clone(),
        })
    }

    fn log_enabled(&mut self, level: runtime::Level) -> wasmtime::Result<bool> {
        self.enter_host();
        Ok(GuestLog::is_enabled(level))
    }

    fn log(&mut self, level: runtime::Level, message: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        self.enter_host();
        self.log.write(level, &message, &fields);
        Ok(())
    }

    fn current_config(&mut self) -> wasmtime::Result<marshal::WitConfig> {
        self.enter_host();
        Ok(marshal::config_to_wit(&self.secrets.conceal(&self.config)))
    }

    fn stop_requested(&mut self) -> wasmtime::Result<bool> {
        self.enter_host();
        Ok(self.context.stop.is_requested())
    }

    fn stop_signal(&mut self) -> wasmtime::Result<Resource<DynPollable>> {
        self.enter_host();
        let signal = self.table.push(StopPollable(self.context.stop.clone()))?;
        subscribe(&mut self.table, signal)
    }

    async fn sleep(&mut self, ms: u32) -> wasmtime::Result<bool> {
        let woken = tokio::select! {
            biased;
            () = self.context.stop.requested() => true,
            () = tokio::time::sleep(Duration::from_millis(u64::from(ms))) => false,
        };
        self.enter_host();
        Ok(woken)
    }

    fn metric(&mut self, name: String, tags: Vec<(String, String)>, sample: runtime::Sample) -> wasmtime::Result<()> {
        self.enter_host();
        let sample = match sample {
            runtime::Sample::CounterAdd(add) => Sample::CounterAdd(add),
            runtime::Sample::Gauge(value) => Sample::Gauge(value),
            runtime::Sample::Observe(value) => Sample::Observe(value),
        };
        let tags = tags
            .into_iter()
            .map(|(tag, value)| (tag, self.secrets.redact_owned(value)))
            .collect();
        self.metrics.record(SeriesKey { name, tags }, sample);
        Ok(())
    }
}

struct StopPollable(StopSignal);

#[wasmtime_wasi::async_trait]
impl Pollable for StopPollable {
    async fn ready(&mut self) {
        self.0.requested().await;
    }
}
