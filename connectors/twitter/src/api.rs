//! One endpoint of X, asked politely
//!
//! Signs requests, has answers judged by X's table, makes another token where one was refused, and gives the rest to the
//! mode: a body, a refusal that the mode asked for, or nothing yet.

use serde_json::Value;
use weir_feed::answer::{Answer, Fetch};
use weir_feed::client::Client;
use weir_feed::url::Url;
use weir_sdk::api::error::ConnectError;
use weir_sdk::http::{Method, Request};
use weir_sdk::runtime;
use weir_sdk::source::PollBudget;

use crate::auth::Auth;
use crate::problem::{Problem, Refusal, hint, service_now_ms, verdict};
use crate::settings::Settings;

/// What came of asking.
#[derive(Debug)]
pub enum Reply {
    /// An answer.
    Body(Value, Answer),
    /// One of the refusals that the caller named.
    Refused(Refusal, Box<Refused>),
    /// Not yet: ask again in the next poll.
    NotYet,
}

/// A refusal, with what its message needs.
#[derive(Debug)]
pub struct Refused {
    /// What was asked.
    pub request: Request,
    /// What came back.
    pub answer: Answer,
    /// What it says.
    pub problems: Vec<Problem>,
}

/// Who asks: the token and the service's clock are shared by all endpoints of a task.
#[derive(Debug)]
pub struct Caller {
    auth: Auth,
    /// The service's time less ours, as of the last answer that told.
    skew_ms: i64,
}

impl Caller {
    /// Starts with the settings.
    pub fn new(settings: &Settings) -> Self {
        Self {
            auth: Auth::new(&settings.credentials, &settings.base, &settings.common.access),
            skew_ms: 0,
        }
    }

    /// Gives the time by the service's clock, as well as it is known.
    pub fn service_now_ms(&self) -> i64 {
        runtime::now_ms().saturating_add(self.skew_ms)
    }

    /// Gives access to the token's state.
    pub fn auth(&mut self) -> &mut Auth {
        &mut self.auth
    }

    /// Notes what an answer says of the service's clock.
    pub fn note_date(&mut self, answer: &Answer) {
        let now_ms = runtime::now_ms();
        self.skew_ms = service_now_ms(answer, now_ms).saturating_sub(now_ms);
    }
}

/// One endpoint.
#[derive(Debug)]
pub struct Endpoint {
    client: Client,
    /// Whether the last wait was for a token.
    waits_for_token: bool,
}

impl Endpoint {
    /// Starts an endpoint whose limit has a name.
    pub fn new(settings: &Settings, budget: &str) -> Self {
        Self {
            client: Client::new(&settings.common.access, budget),
            waits_for_token: false,
        }
    }

    /// Asks for a URL.
    ///
    /// # Errors
    /// Fatal where X's table says so, and when failures in a row are used up.
    pub fn get(&mut self, caller: &mut Caller, url: &Url, handled: &[Refusal]) -> Result<Reply, ConnectError> {
        self.ask(caller, Request::new(Method::Get, &url.to_string()), handled)
    }

    /// Posts a JSON body.
    ///
    /// # Errors
    /// As [`Endpoint::get`].
    pub fn post(&mut self, caller: &mut Caller, url: &Url, body: &Value) -> Result<Reply, ConnectError> {
        let request = Request::post(&url.to_string(), body.to_string()).with_header("content-type", "application/json");
        self.ask(caller, request, &[])
    }

    /// Gives the value of the `Authorization` header, and keeps it out of messages; none = not yet.
    ///
    /// # Errors
    /// As [`Auth::header`].
    pub fn authorization(&mut self, caller: &mut Caller) -> Result<Option<String>, ConnectError> {
        let authorization = caller.auth.header()?;
        self.waits_for_token = authorization.is_none();
        caller.auth.hide_from(&mut self.client);
        Ok(authorization)
    }

    fn ask(&mut self, caller: &mut Caller, request: Request, handled: &[Refusal]) -> Result<Reply, ConnectError> {
        let Some(authorization) = self.authorization(caller)? else {
            return Ok(Reply::NotYet);
        };
        let request = request.with_header("authorization", &authorization);
        let now_ms = runtime::now_ms();
        let mut handled = handled.to_vec();
        handled.push(Refusal::Unauthorized);
        match self
            .client
            .fetch(&request, &|answer| verdict(answer, now_ms, &handled))?
        {
            Fetch::Got(answer) => {
                caller.note_date(&answer);
                self.received(caller, request, answer)
            }
            Fetch::Empty(_) | Fetch::Skipped(..) | Fetch::NotYet => Ok(Reply::NotYet),
        }
    }

    fn received(&mut self, caller: &mut Caller, request: Request, answer: Answer) -> Result<Reply, ConnectError> {
        let problems = Problem::of(&answer);
        if answer.status >= 300
            && let Some(refusal) = Refusal::of(&answer, &problems)
        {
            if refusal == Refusal::Unauthorized {
                if caller.auth.refused() {
                    return Ok(Reply::NotYet);
                }
                return Err(self.client.fatal(&request, &answer, hint(answer.status)));
            }
            self.client.succeeded();
            let refused = Refused {
                request,
                answer,
                problems,
            };
            return Ok(Reply::Refused(refusal, Box::new(refused)));
        }
        caller.auth.accepted();
        // The verdict made sure that it is an object.
        let body = answer.json().unwrap_or_default();
        Ok(Reply::Body(body, answer))
    }

    /// Gives the error of a refusal from which there is no way on.
    pub fn fatal(&self, refused: &Refused) -> ConnectError {
        self.client
            .fatal(&refused.request, &refused.answer, hint(refused.answer.status))
    }

    /// Sleeps through the wait at hand, within the poll's budget.
    pub fn idle(&mut self, caller: &mut Caller, budget: PollBudget) {
        if self.waits_for_token {
            caller.auth.idle(budget);
        } else {
            self.client.idle(budget);
        }
    }

    /// Gives the client, for those who send by themselves.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }
}
