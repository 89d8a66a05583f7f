//! Mode `user_tweets`: cycles over the posts of users
//!
//! Each user is a source partition by id. Names are looked up once per start; a user that is suspended, protected or
//! gone is left out and looked at again hourly, unless it is the only one.

use serde_json::json;
use weir_feed::pause::Pause;
use weir_feed::url::{Url, encoded};
use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::SourceRecord;
use weir_sdk::offsets::OffsetReader;
use weir_sdk::source::PollBudget;
use weir_sdk::{info, warn};

use crate::api::{Caller, Endpoint, Reply};
use crate::cursor::Cursor;
use crate::handover::Handover;
use crate::parse::looked_up_user;
use crate::problem::{Problem, Refusal};
use crate::reader::{Read, Reader};
use crate::records::FEED;
use crate::settings::{Mode, Settings};
use crate::values::UserSetting;
use crate::walk::List;

/// How long an absent user is left alone.
const ABSENT_MS: u64 = 3_600_000;

/// Reads timelines.
#[derive(Debug)]
pub struct Timelines {
    settings: Settings,
    offsets: OffsetReader,
    caller: Caller,
    names: Endpoint,
    posts: Endpoint,
    users: Vec<User>,
    at: usize,
    handover: Handover,
    pause: Pause,
}

#[derive(Debug)]
struct User {
    setting: UserSetting,
    id: Option<u64>,
    reader: Option<Reader>,
    absent: Option<Pause>,
}

/// What a user's turn came to.
enum Turn {
    NotYet,
    More,
    Over,
}

impl Timelines {
    /// Starts with the users of this task.
    ///
    /// # Errors
    /// As [`Handover::new`].
    pub fn start(settings: &Settings, offsets: OffsetReader) -> Result<Self, ConnectError> {
        let users = settings.users.iter().map(|setting| User {
            setting: setting.clone(),
            id: None,
            reader: None,
            absent: None,
        });
        Ok(Self {
            users: users.collect(),
            offsets,
            caller: Caller::new(settings),
            names: Endpoint::new(settings, "x.users"),
            posts: Endpoint::new(settings, "x.timelines"),
            at: 0,
            handover: Handover::new(settings)?,
            pause: Pause::of(0),
            settings: settings.clone(),
        })
    }

    /// Reads a page of one user, or hands over what is there.
    ///
    /// # Errors
    /// As [`Reader::step`]; fatal when the only user cannot be read.
    pub fn poll(&mut self, budget: PollBudget) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        if let Some(records) = self.handover.take(budget) {
            return Ok(Some(records));
        }
        if !self.pause.is_over() {
            self.pause.idle(budget);
            return Ok(None);
        }
        let at = self.at;
        if at >= self.users.len() {
            self.at = 0;
            self.pause = Pause::of(self.settings.common.poll_interval_ms.unsigned_abs());
            return Ok(None);
        }
        match self.turn(at, budget)? {
            Turn::NotYet | Turn::More => {}
            Turn::Over => self.at += 1,
        }
        Ok(self.handover.take(budget))
    }

    fn turn(&mut self, at: usize, budget: PollBudget) -> Result<Turn, ConnectError> {
        let Some(user) = self.users.get_mut(at) else {
            return Ok(Turn::Over);
        };
        if let Some(absent) = &mut user.absent
            && !absent.is_over()
        {
            return Ok(Turn::Over);
        }
        if user.id.is_none() {
            match user.setting.clone() {
                UserSetting::Id(id) => user.id = Some(id),
                UserSetting::Name(name) => return self.look_up(at, &name, budget),
            }
        }
        self.prepare(at)?;
        let Some(reader) = self.users.get_mut(at).and_then(|user| user.reader.as_mut()) else {
            return Ok(Turn::Over);
        };
        match reader.step(&mut self.posts, &mut self.caller, &mut self.handover)? {
            Read::NotYet => {
                self.posts.idle(&mut self.caller, budget);
                Ok(Turn::NotYet)
            }
            Read::More => Ok(Turn::More),
            Read::Over => {
                self.present(at);
                Ok(Turn::Over)
            }
            Read::Absent(problems, error) => self.absent(at, &problems, error),
        }
    }

    /// Looks a name up.
    fn look_up(&mut self, at: usize, name: &str, budget: PollBudget) -> Result<Turn, ConnectError> {
        let url = Url {
            path: format!("/2/users/by/username/{}", encoded(name)),
            ..self.settings.base.clone()
        };
        let (problems, error) = match self.names.get(&mut self.caller, &url, &[Refusal::User])? {
            Reply::NotYet => {
                self.names.idle(&mut self.caller, budget);
                return Ok(Turn::NotYet);
            }
            Reply::Refused(_, refused) => {
                let error = self.names.fatal(&refused);
                (refused.problems, error)
            }
            Reply::Body(body, _) => match looked_up_user(&body) {
                Some((id, _)) => {
                    info!("user found"; "username" => name, "user_id" => id);
                    if let Some(user) = self.users.get_mut(at) {
                        user.id = Some(id);
                    }
                    return Ok(Turn::More);
                }
                None => {
                    let error = format!("X knows no user {name}; look at twitter.usernames");
                    (Problem::all(&body), ConnectError::fatal(error))
                }
            },
        };
        self.absent(at, &problems, error)
    }

    /// Gives a user whose id is known its reader; one that stands there twice, by name and id, has one only.
    fn prepare(&mut self, at: usize) -> Result<(), ConnectError> {
        let Some(id) = self.users.get(at).and_then(|user| user.id) else {
            return Ok(());
        };
        let is_known = self
            .users
            .iter()
            .any(|user| user.reader.is_some() && user.id == Some(id));
        if is_known {
            return Ok(());
        }
        let partition = partition(id);
        let committed = self.offsets.offset(&partition)?;
        let committed = committed.as_ref().map(Cursor::from_offset).transpose()?;
        let list = List::timeline(&self.settings, id);
        let reader = Reader::new(list, partition, committed, &self.settings, &self.caller);
        if let Some(user) = self.users.get_mut(at) {
            user.reader = Some(reader);
        }
        Ok(())
    }

    fn present(&mut self, at: usize) {
        if let Some(user) = self.users.get_mut(at)
            && user.absent.take().is_some()
        {
            info!("a user can be read again"; "user" => shown(&user.setting));
        }
    }

    fn absent(&mut self, at: usize, problems: &[Problem], error: ConnectError) -> Result<Turn, ConnectError> {
        if self.settings.users_total <= 1 {
            return Err(error);
        }
        if let Some(user) = self.users.get_mut(at) {
            let detail = problems
                .first()
                .map_or(error.message.as_str(), |problem| &problem.detail);
            if user.absent.is_none() {
                warn!("a user cannot be read; the others go on, and this one is tried again hourly";
                    "user" => shown(&user.setting), "detail" => detail);
            }
            user.absent = Some(Pause::of(ABSENT_MS));
        }
        Ok(Turn::Over)
    }
}

fn shown(setting: &UserSetting) -> String {
    match setting {
        UserSetting::Name(name) => name.clone(),
        UserSetting::Id(id) => id.to_string(),
    }
}

/// Gives the source partition of a user.
pub fn partition(user_id: u64) -> String {
    json!({"feed": FEED, "mode": Mode::UserTweets.as_str(), "user_id": user_id.to_string()}).to_string()
}
