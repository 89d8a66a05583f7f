//! The reader: cycles of searches within the daily budget
//!
//! A cycle goes through all units of the task, one search at a time. Nothing here sleeps: a step answers how long there is
//! nothing to do. What becomes of an answer is in `finish.rs`.

use std::collections::{HashSet, VecDeque};

use weir_feed::answer::{Answer, Fetch};
use weir_feed::bad_record::BadRecords;
use weir_feed::client::Client;
use weir_feed::outbox::Outbox;
use weir_feed::pause::Pause;
use weir_feed::time::rfc3339;
use weir_sdk::api::error::ConnectError;
use weir_sdk::offsets::OffsetReader;
use weir_sdk::runtime::{self, Sample};
use weir_sdk::warn;

use crate::daily_budget::{DailyBudget, PAUSED, Permit, day_of, share, used_on};
use crate::judge::{Asked, judge_legacy, judge_new};
use crate::memory::Memory;
use crate::place::PlaceSchema;
use crate::progress::{Progress, ProgressWriter};
use crate::request::{Api, Search};
use crate::search_run::{End, SearchRun};
use crate::settings::Settings;
use crate::unit::{FEED, Unit, UnitOffset, budget_partition};

/// Most tasks whose daily counts are read; more make no sense with a budget.
const MAX_TASKS: usize = 64;
/// Wait before looking again whether a block of the budget is durable.
const CONFIRM_MS: u64 = 1000;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Go on.
    Go,
    /// Nothing to do for so long.
    Wait(u64),
    /// The client waits.
    WaitForClient,
}

/// Reads places.
#[derive(Debug)]
pub struct Reader {
    /// Records to hand over.
    pub outbox: Outbox,
    /// Asks the service.
    pub client: Client,
    pub(crate) settings: Settings,
    offsets: OffsetReader,
    pub(crate) budget: DailyBudget,
    budget_partition: String,
    /// The day for which a pause was told.
    told_pause: Option<String>,
    pub(crate) schema: PlaceSchema,
    pub(crate) progress: ProgressWriter,
    pub(crate) bad: BadRecords,
    pub(crate) memory: Memory,
    pub(crate) units: Vec<Unit>,
    pub(crate) cycle: u64,
    pub(crate) queue: VecDeque<usize>,
    pub(crate) is_cycle_open: bool,
    run: Option<(usize, SearchRun)>,
    pause: Option<Pause>,
    /// Ids that were told to be unknown.
    pub(crate) told_unknown: HashSet<String>,
}

impl Reader {
    /// Starts where the offsets say.
    ///
    /// # Errors
    /// As the offset reader; fatal if a schema is malformed.
    pub fn start(settings: Settings, offsets: OffsetReader) -> Result<Self, ConnectError> {
        let now_ms = runtime::now_ms();
        let budget_partition = budget_partition(settings.task);
        let mut client = Client::new(&settings.common.access, FEED);
        client.hide(settings.asking.key.reference());
        let mut reader = Self {
            outbox: Outbox::new(settings.common.records_max_per_poll),
            client,
            offsets,
            budget: start_budget(&settings, offsets, now_ms)?,
            budget_partition,
            told_pause: None,
            schema: PlaceSchema::new(settings.kept)?,
            progress: ProgressWriter::new(&settings.progress_topic)?,
            bad: BadRecords::new(&settings.common),
            memory: Memory::new(settings.common.dedupe_window),
            units: Vec::new(),
            cycle: 0,
            queue: VecDeque::new(),
            is_cycle_open: false,
            run: None,
            pause: None,
            told_unknown: HashSet::new(),
            settings,
        };
        let searches = reader.settings.own_searches();
        let units = searches
            .iter()
            .map(|search| Unit::new(search.clone(), reader.settings.mode))
            .collect();
        reader.add_units(units)?;
        reader.resume(now_ms)?;
        Ok(reader)
    }

    /// Does the next thing.
    ///
    /// # Errors
    /// What fails the task.
    pub fn step(&mut self) -> Result<Step, ConnectError> {
        if let Some(pause) = &mut self.pause {
            let left_ms = pause.left_ms();
            if left_ms > 0 {
                return Ok(Step::Wait(left_ms));
            }
            self.pause = None;
        }
        let Some((at, mut run)) = self.run.take() else {
            return self.next_unit();
        };
        let step = self.ask(at, &mut run);
        match step {
            Ok((step, None)) => {
                self.run = Some((at, run));
                Ok(step)
            }
            Ok((step, Some(end))) => {
                self.finish(at, &run, end)?;
                Ok(step)
            }
            Err(error) => Err(error),
        }
    }

    // ---- cycles --------------------------------------------------------------------------------------------

    /// Reads the offsets of units, and of the parts of those that were cut.
    pub(crate) fn add_units(&mut self, mut units: Vec<Unit>) -> Result<Vec<usize>, ConnectError> {
        let mut added = Vec::new();
        while !units.is_empty() {
            let partitions: Vec<&str> = units.iter().map(|unit| unit.partition.as_str()).collect();
            let offsets = self.offsets.offsets(&partitions)?;
            let mut parts = Vec::new();
            for (mut unit, offset) in units.into_iter().zip(offsets) {
                unit.offset = offset.as_ref().map(UnitOffset::read).unwrap_or_default();
                if unit.offset.is_split
                    && let Some(area) = &self.settings.area
                {
                    parts.extend(unit.parts(area, self.settings.mode).unwrap_or_default());
                }
                added.push(self.units.len());
                self.units.push(unit);
            }
            units = parts;
        }
        Ok(added)
    }

    /// Finds out where the last run stopped.
    fn resume(&mut self, now_ms: i64) -> Result<(), ConnectError> {
        self.cycle = self.units.iter().map(|unit| unit.offset.cycle).max().unwrap_or(0);
        for at in 0..self.units.len() {
            self.remember(at);
        }
        if self.cycle == 0 {
            return Ok(());
        }
        let open = self
            .units
            .iter()
            .enumerate()
            .filter(|(_, unit)| unit.offset.cycle < self.cycle);
        self.queue = open.map(|(at, _)| at).collect();
        self.is_cycle_open = true;
        if self.queue.is_empty() {
            // Perhaps it was not closed before; if it was, there is nothing to do.
            self.close_cycle()?;
            let ended_ms = self.units.iter().map(|unit| unit.offset.at_ms).max().unwrap_or(now_ms);
            let passed_ms = now_ms.saturating_sub(ended_ms).max(0);
            let left_ms = self.settings.common.poll_interval_ms.saturating_sub(passed_ms);
            self.pause = Some(Pause::of(u64::try_from(left_ms).unwrap_or(0)));
        }
        Ok(())
    }

    /// Loads the places at home at a unit.
    pub(crate) fn remember(&mut self, at: usize) {
        let Some(unit) = self.units.get(at) else { return };
        // A unit that was left out of cycles did not miss its places then.
        let left_out = self.cycle.saturating_sub(1).saturating_sub(unit.offset.cycle);
        self.memory.load(at, &unit.offset.places, left_out, self.cycle);
    }

    fn next_unit(&mut self) -> Result<Step, ConnectError> {
        if let Some(at) = self.queue.pop_front() {
            if self.units.get(at).is_some_and(|unit| unit.offset.is_split) {
                // Its parts are searched; its offset moves along.
                self.finish(at, &SearchRun::default(), End::Complete)?;
            } else {
                self.run = Some((at, SearchRun::default()));
            }
            return Ok(Step::Go);
        }
        if self.is_cycle_open {
            self.close_cycle()?;
            self.pause = Some(Pause::of(self.settings.common.poll_interval_ms.unsigned_abs()));
            return Ok(Step::Go);
        }
        if self.units.is_empty() {
            return Ok(Step::Wait(u64::from(u32::MAX)));
        }
        self.cycle += 1;
        self.is_cycle_open = true;
        self.memory.begin_cycle();
        self.queue = (0..self.units.len()).collect();
        Ok(Step::Go)
    }

    // ---- requests ------------------------------------------------------------------------------------------

    fn ask(&mut self, at: usize, run: &mut SearchRun) -> Result<(Step, Option<End>), ConnectError> {
        let wait_ms = run.wait_ms();
        if wait_ms > 0 {
            return Ok((Step::Wait(wait_ms), None));
        }
        if let Some(step) = self.within_budget()? {
            return Ok((step, None));
        }
        let Some(unit) = self.units.get(at) else {
            return Ok((Step::Go, Some(End::Incomplete)));
        };
        let now_ms = runtime::now_ms();
        let (asking, search) = (&self.settings.asking, &unit.labelled.search);
        let asked = Asked {
            is_details: matches!(search, Search::Details { .. }),
            has_token: run.token().is_some(),
        };
        let judge = |answer: &Answer| match asking.api {
            Api::New => judge_new(answer, asked, now_ms),
            Api::Legacy => judge_legacy(answer, asked, now_ms),
        };
        let sent = self.client.requests_sent();
        let fetched = self.client.fetch(&asking.request(search, run.token()), &judge);
        self.budget.spend(self.client.requests_sent().saturating_sub(sent));
        let (_, used, allowance) = self.budget.state();
        runtime::metric(
            "places-budget-left",
            &[],
            Sample::Gauge(allowance.saturating_sub(used) as f64),
        );
        match fetched? {
            Fetch::NotYet => Ok((Step::WaitForClient, None)),
            fetched => Ok((
                Step::Go,
                run.take(asking, search, fetched, now_ms, self.settings.page_delay_ms),
            )),
        }
    }

    /// Gives what to do instead of asking; none = ask.
    fn within_budget(&mut self) -> Result<Option<Step>, ConnectError> {
        let now_ms = runtime::now_ms();
        let mut permit = self.budget.permit(now_ms);
        if permit == Permit::Wait
            && let Some(offset) = self.offsets.offset(&self.budget_partition)?
        {
            self.budget.confirm(&offset);
            permit = self.budget.permit(now_ms);
        }
        Ok(match permit {
            Permit::Granted => None,
            Permit::Wait => Some(Step::Wait(CONFIRM_MS)),
            Permit::Reserve => {
                let offset = self.budget.reserve();
                self.push_budget(offset, now_ms, None)?;
                Some(Step::Go)
            }
            Permit::Paused(until_ms) => {
                let (day, used, allowance) = self.budget.state();
                if self.told_pause.as_deref() != Some(day) {
                    warn!("the daily budget is used up, nothing is asked until the next day";
                        "reason" => PAUSED, "requests" => used, "limit" => allowance, "until" => rfc3339(until_ms));
                    self.told_pause = Some(day.to_owned());
                    self.push_budget(self.budget.paused_offset(until_ms), now_ms, Some((PAUSED, until_ms)))?;
                    return Ok(Some(Step::Go));
                }
                Some(Step::Wait(until_ms.saturating_sub(now_ms).max(0).unsigned_abs()))
            }
        })
    }

    fn push_budget(&mut self, offset: String, at_ms: i64, paused: Option<(&str, i64)>) -> Result<(), ConnectError> {
        let (day, requests, limit) = self.budget.state();
        let says = Progress {
            at_ms,
            day,
            requests,
            limit,
            paused,
            ..Progress::default()
        };
        let record = self.progress.record(&self.budget_partition, offset, &says)?;
        self.outbox.push(record);
        self.outbox.finish(None);
        Ok(())
    }
}

/// Takes the task's share of what all tasks left of the day's budget.
fn start_budget(settings: &Settings, offsets: OffsetReader, now_ms: i64) -> Result<DailyBudget, ConnectError> {
    let (task, tasks, limit) = (settings.task, settings.tasks, settings.max_requests_per_day);
    let partitions: Vec<String> = (0..MAX_TASKS.max(tasks)).map(budget_partition).collect();
    let found = offsets.offsets(&partitions.iter().map(String::as_str).collect::<Vec<_>>())?;
    let today = day_of(now_ms);
    let used: Vec<u64> = found
        .iter()
        .map(|offset| offset.as_ref().map_or(0, |offset| used_on(offset, &today)))
        .collect();
    let allowance = share(limit, &used, tasks, task);
    let own = found.get(task).and_then(Option::as_ref);
    Ok(DailyBudget::new(allowance, share(limit, &[], tasks, task), own, now_ms))
}
