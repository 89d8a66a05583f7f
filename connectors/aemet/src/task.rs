//! The task: rounds over its places, envelope and data by turns
//!
//! A poll never waits longer than its budget; what is due is kept and looked at again. Nothing is kept that an offset
//! does not hold, but for the round itself. What an answer means is in `envelope.rs`, what becomes of its rows in
//! `intake.rs`, who may fail in `failures.rs`.

use std::cell::RefCell;

use serde_json::Value as Json;
use weir_feed::answer::{Answer, Fetch, Verdict};
use weir_feed::client::{Client, described};
use weir_feed::pause::Pause;
use weir_feed::url::Url;
use weir_sdk::api::data::logical::DAY_MS;
use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::SourceRecord;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::context::SourceTaskContext;
use weir_sdk::http::Request;
use weir_sdk::source::{PollBudget, SourceTask};
use weir_sdk::{budget, debug, info, runtime, warn};

use crate::aemet_config::Settings;
use crate::cycle::{Ask, Cycle, Step, Subject, asks_of, station_list};
use crate::envelope::Found;
use crate::failures::{Failures, Next};
use crate::intake::Intake;
use crate::number::Number;
use crate::product::{ALL, Product};

/// The budget that all tasks of the connector share.
const BUDGET: &str = "aemet";
/// Fresh envelopes for one ask, in a round.
const FRESH_ENVELOPES: u32 = 3;
/// With so few requests left in the minute, the connector slows down.
const FEW_LEFT: i32 = 5;
const MINUTE_MS: u32 = 60_000;

/// Reads the service.
#[derive(Debug, Default)]
pub struct AemetSourceTask {
    running: Option<Running>,
}

impl SourceTask for AemetSourceTask {
    fn start(&mut self, context: SourceTaskContext, config: &ConfigMap) -> Result<(), ConnectError> {
        let settings = Settings::parse(config)?;
        self.running = Some(Running::new(context, settings)?);
        Ok(())
    }

    fn poll(&mut self, budget: PollBudget) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        match &mut self.running {
            Some(running) => running.poll(budget),
            None => Ok(None),
        }
    }

    fn stop(&mut self) -> Result<(), ConnectError> {
        self.running = None;
        Ok(())
    }
}

#[derive(Debug)]
struct Running {
    settings: Settings,
    client: Client,
    failures: Failures,
    intake: Intake,
    /// Whether the offsets of all stations were read, where that decides where climatology goes on.
    knows_stations: bool,
    cycle: Option<Cycle>,
    pause: Option<Pause>,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stepped {
    Further,
    Waiting,
}

impl Running {
    fn new(context: SourceTaskContext, settings: Settings) -> Result<Self, ConnectError> {
        let mut client = Client::new(&settings.common.access, BUDGET);
        client.hide(settings.api_key.reference());
        info!("reading {}", settings.product.as_str(); "places" => settings.places.len());
        Ok(Self {
            client,
            failures: Failures::new(settings.common.access.retry, settings.places.len()),
            intake: Intake::new(&settings, context.offset_reader())?,
            knows_stations: settings.product != Product::DailyClimate || !settings.is_all(),
            cycle: None,
            pause: None,
            settings,
        })
    }

    fn poll(&mut self, budget: PollBudget) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        let began_ms = runtime::now_ms();
        loop {
            if let Some(records) = self.intake.take(budget) {
                return Ok(Some(records));
            }
            if runtime::stop_requested() || runtime::now_ms().saturating_sub(began_ms) > i64::from(budget.max_wait_ms) {
                return Ok(None);
            }
            if self.step()? == Stepped::Waiting {
                self.idle(budget);
                return Ok(None);
            }
        }
    }

    fn idle(&mut self, budget: PollBudget) {
        match &mut self.pause {
            Some(pause) if self.cycle.is_none() => pause.idle(budget),
            _ => self.client.idle(budget),
        }
    }

    fn step(&mut self) -> Result<Stepped, ConnectError> {
        let Some(cycle) = &self.cycle else {
            if self.pause.as_mut().is_some_and(|pause| !pause.is_over()) {
                return Ok(Stepped::Waiting);
            }
            self.cycle = Some(self.plan()?);
            return Ok(Stepped::Further);
        };
        let Some(ask) = cycle.current().cloned() else {
            self.end_cycle();
            return Ok(Stepped::Further);
        };
        match cycle.step.clone() {
            Step::Envelope => self.ask_envelope(&ask),
            Step::Data(address) => self.fetch_data(&ask, &address),
        }
    }

    fn plan(&mut self) -> Result<Cycle, ConnectError> {
        if !self.knows_stations {
            return Ok(Cycle::new([station_list()]));
        }
        let places: Vec<&str> = self.settings.places.iter().map(String::as_str).collect();
        if !self.settings.is_all() {
            self.intake.memory.load(places.iter().copied())?;
        }
        let today = i32::try_from(runtime::now_ms().div_euclid(DAY_MS)).unwrap_or(i32::MAX);
        let mut asks = Vec::new();
        for place in places {
            let newest = if place == ALL {
                self.intake.memory.newest_of_all()
            } else {
                self.intake.memory.newest(place)
            };
            let newest = newest.and_then(|newest| i32::try_from(newest).ok());
            asks.extend(asks_of(&self.settings, place, newest, today));
        }
        Ok(Cycle::new(asks))
    }

    fn end_cycle(&mut self) {
        let failing: Vec<&str> = self.failures.failing().collect();
        if failing.is_empty() {
            debug!("cycle complete");
        } else {
            warn!("cycle complete but for places that fail"; "places" => failing.join(","));
        }
        self.cycle = None;
        let interval_ms = self.settings.common.poll_interval_ms;
        self.pause = Some(Pause::of(u64::try_from(interval_ms).unwrap_or(0)));
    }

    fn ask_envelope(&mut self, ask: &Ask) -> Result<Stepped, ConnectError> {
        let url = format!("{}{}", self.settings.base, ask.path);
        let request = Request::get(&url)
            .with_header("api_key", self.settings.api_key.reference())
            .with_header("accept", "application/json");
        match self.exchange(&request, Found::envelope)? {
            None => return Ok(Stepped::Waiting),
            Some((Found::Address(address), _)) => {
                let address = self.checked(&request, &address)?;
                self.set_step(Step::Data(address));
            }
            Some((Found::Nothing, _)) => self.answered(ask),
            Some((other, answer)) => self.failed(ask, &request, &reason_of(&other), &answer)?,
        }
        Ok(Stepped::Further)
    }

    fn fetch_data(&mut self, ask: &Ask, address: &str) -> Result<Stepped, ConnectError> {
        // Without the key: this address needs none.
        let request = Request::get(address);
        match self.exchange(&request, Found::data)? {
            None => return Ok(Stepped::Waiting),
            Some((Found::Rows(rows), _)) => self.received(ask, rows)?,
            Some((Found::Gone, answer)) => self.gone(ask, &request, &answer)?,
            Some((other, answer)) => self.failed(ask, &request, &reason_of(&other), &answer)?,
        }
        Ok(Stepped::Further)
    }

    /// Sends a request, now or in a later poll (`None`).
    fn exchange(
        &mut self,
        request: &Request,
        read: fn(&Answer, i64) -> Found,
    ) -> Result<Option<(Found, Answer)>, ConnectError> {
        let sent_before = self.client.requests_sent();
        let has_others = self.settings.places.len() > 1;
        let found = RefCell::new(None);
        let fetched = self.client.fetch_judging(
            request,
            &|answer| {
                let read = read(answer, runtime::now_ms());
                let verdict = read.verdict();
                *found.borrow_mut() = Some(read);
                verdict
            },
            // With one place only, the client counts and waits as for every feed.
            &|error| {
                let left_out = Found::cut_off(error).filter(|_| has_others)?;
                *found.borrow_mut() = Some(left_out);
                Some(Verdict::Unjudged)
            },
        )?;
        match (fetched, found.into_inner()) {
            (Fetch::Got(answer) | Fetch::Empty(answer) | Fetch::Skipped(answer, _), Some(found)) => {
                self.slow_down(&answer);
                Ok(Some((found, answer)))
            }
            _ => {
                if self.client.requests_sent() != sent_before {
                    // Refused or cut off: the wait is longer than a data address lives.
                    self.set_step(Step::Envelope);
                }
                Ok(None)
            }
        }
    }

    /// Refuses an address on a host that nobody named: the service's answer must not choose whom we ask.
    fn checked(&self, request: &Request, address: &str) -> Result<String, ConnectError> {
        let refused = |reason: String| {
            let what = described(request);
            ConnectError::fatal(self.client.redacted(&format!("{what} answered with data {reason}")))
        };
        let mut url = Url::parse(address).map_err(|reason| refused(format!("at an invalid address: {reason}")))?;
        let base = &self.settings.base;
        if self.settings.rewrites_data_host {
            url.scheme.clone_from(&base.scheme);
            url.host.clone_from(&base.host);
            url.port = base.port;
        }
        if self.settings.data_hosts.check(&url).is_err() {
            return Err(refused(format!(
                "at {}, another host than that of aemet.base.url; if it is right, name {} in aemet.allow.data.hosts",
                url.redacted(),
                url.authority()
            )));
        }
        Ok(url.to_string())
    }

    /// Spreads the last requests of the service's minute; sister tasks are slowed as well.
    fn slow_down(&self, answer: &Answer) {
        let left = answer.header("remaining-request-count").map(Number::of_text);
        if let Some(left) = left.and_then(|left| left.whole())
            && (0..=FEW_LEFT).contains(&left)
        {
            let wait_ms = MINUTE_MS / left.unsigned_abs().saturating_add(1);
            debug!("few requests are left in this minute"; "left" => left, "wait_ms" => wait_ms);
            budget::hold(BUDGET, wait_ms);
        }
    }

    fn answered(&mut self, ask: &Ask) {
        self.failures.succeeded(&ask.place);
        if ask.subject == Subject::Stations {
            self.knows_stations = true;
            // The rows are asked for at once.
            self.cycle = None;
            self.pause = None;
        } else if let Some(cycle) = &mut self.cycle {
            cycle.advance();
        }
    }

    fn gone(&mut self, ask: &Ask, request: &Request, answer: &Answer) -> Result<(), ConnectError> {
        if let Some(cycle) = &mut self.cycle {
            cycle.step = Step::Envelope;
            cycle.fresh_envelopes += 1;
            if cycle.fresh_envelopes <= FRESH_ENVELOPES {
                info!("the data address was gone, asking for a fresh one"; "place" => ask.place);
                return Ok(());
            }
            // Enough for this round.
            cycle.tries = u32::MAX - 1;
        }
        let reason = format!("the data address was gone {} times", FRESH_ENVELOPES + 1);
        self.failed(ask, request, &reason, answer)?;
        if let Some(cycle) = &mut self.cycle
            && cycle.current() == Some(ask)
        {
            cycle.leave_place();
        }
        Ok(())
    }

    /// Notes that an ask failed: it is tried again after a wait, or left to the next round.
    fn failed(&mut self, ask: &Ask, request: &Request, reason: &str, answer: &Answer) -> Result<(), ConnectError> {
        let what = described(request);
        let reason = match answer.excerpt() {
            excerpt if excerpt.is_empty() => reason.to_owned(),
            excerpt => format!("{reason}: '{excerpt}'"),
        };
        let Some(cycle) = &mut self.cycle else {
            return Ok(());
        };
        cycle.step = Step::Envelope;
        cycle.tries = cycle.tries.saturating_add(1);
        if self.settings.places.len() < 2 {
            return self.client.failed(&what, &reason);
        }
        match self.failures.failed(&ask.place, cycle.tries, &reason) {
            Next::Again(wait_ms) => self.client.wait(wait_ms, &format!("{what}: {reason}")),
            Next::LeaveOut => cycle.leave_place(),
            Next::GiveUp(count) => {
                let text = format!(
                    "{what} failed, and so did all others, {count} times in a row; the last time with: {reason}; \
                     see whether the service works, or raise retry.max.attempts"
                );
                return Err(ConnectError::fatal(self.client.redacted(&text)));
            }
        }
        Ok(())
    }

    fn received(&mut self, ask: &Ask, rows: Vec<Json>) -> Result<(), ConnectError> {
        let taken = match ask.subject {
            Subject::Stations => self.intake.stations(&rows),
            Subject::Rows => self.intake.rows(ask, rows),
        };
        if taken.is_err() {
            // The worker polls again; the address is used up.
            self.set_step(Step::Envelope);
        }
        taken?;
        self.answered(ask);
        Ok(())
    }

    fn set_step(&mut self, step: Step) {
        if let Some(cycle) = &mut self.cycle {
            cycle.step = step;
        }
    }
}

fn reason_of(found: &Found) -> String {
    match found {
        Found::Retry(reason) => reason.clone(),
        Found::Gone => "the data address was gone".to_owned(),
        Found::Address(_) | Found::Rows(_) | Found::Nothing | Found::TooMany(_) | Found::Fatal(_) => {
            "an unexpected answer".to_owned()
        }
    }
}
