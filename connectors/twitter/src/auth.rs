//! Who the app is: a bearer token, given or made from key and secret
//!
//! A made token that is refused is made anew, once; refused again it is the credentials that are wrong.

use weir_feed::answer::{Answer, Fetch};
use weir_feed::client::Client;
use weir_feed::settings::Access;
use weir_feed::url::Url;
use weir_sdk::api::error::ConnectError;
use weir_sdk::http::Request;
use weir_sdk::info;
use weir_sdk::runtime;
use weir_sdk::secret::{Secret, basic};
use weir_sdk::source::PollBudget;

use crate::problem::{hint, verdict};
use crate::settings::Credentials;

/// What signs requests.
#[derive(Debug)]
pub struct Auth {
    credentials: Credentials,
    made: Option<Secret>,
    /// Whether the token at hand was made because one was refused.
    is_second: bool,
    client: Client,
    url: Url,
}

impl Auth {
    /// Starts with the credentials.
    pub fn new(credentials: &Credentials, base: &Url, access: &Access) -> Self {
        let mut client = Client::new(access, "x.token");
        match credentials {
            Credentials::Bearer(token) => client.hide(token.reference()),
            Credentials::App { key, secret } => {
                client.hide(key.reference());
                client.hide(secret.reference());
            }
        }
        let mut url = base.clone();
        "/oauth2/token".clone_into(&mut url.path);
        Self {
            credentials: credentials.clone(),
            made: None,
            is_second: false,
            client,
            url,
        }
    }

    /// Gives the value of the `Authorization` header; none = not yet.
    ///
    /// # Errors
    /// Fatal when no token is given for key and secret.
    pub fn header(&mut self) -> Result<Option<String>, ConnectError> {
        if let Credentials::Bearer(token) = &self.credentials {
            return Ok(Some(bearer(token)));
        }
        if self.made.is_none() {
            self.made = self.make()?;
        }
        Ok(self.made.as_ref().map(bearer))
    }

    /// Notes that a token was taken.
    pub fn accepted(&mut self) {
        self.is_second = false;
    }

    /// Notes that the token was refused; true = another one can be tried.
    pub fn refused(&mut self) -> bool {
        if matches!(self.credentials, Credentials::Bearer(_)) || self.is_second {
            return false;
        }
        info!("the token was refused: making another one");
        self.made = None;
        self.is_second = true;
        true
    }

    /// Gives the secrets that must stay out of messages.
    pub fn hide_from(&self, client: &mut Client) {
        match &self.credentials {
            Credentials::Bearer(token) => client.hide(token.reference()),
            Credentials::App { key, secret } => {
                client.hide(key.reference());
                client.hide(secret.reference());
            }
        }
        if let Some(token) = &self.made {
            client.hide(token.reference());
        }
    }

    /// Sleeps while a token cannot be had yet.
    pub fn idle(&mut self, budget: PollBudget) {
        self.client.idle(budget);
    }

    fn make(&mut self) -> Result<Option<Secret>, ConnectError> {
        let Credentials::App { key, secret } = &self.credentials else {
            return Ok(None);
        };
        // X's keys and secrets hold letters and digits only, so that encoding them, which RFC 6749 asks for, changes
        // nothing.
        let request = Request::post(&self.url.to_string(), "grant_type=client_credentials")
            .with_header("authorization", &basic(key.reference(), secret))
            .with_header("content-type", "application/x-www-form-urlencoded;charset=UTF-8");
        let now_ms = runtime::now_ms();
        match self.client.fetch(&request, &|answer| verdict(answer, now_ms, &[]))? {
            Fetch::Got(answer) => match token_of(&answer) {
                Some(token) => {
                    self.client.hide(&token);
                    Ok(Some(Secret::learned(&token)))
                }
                // The body may hold a token in a place that we do not know: it is not shown.
                None => Err(ConnectError::fatal(format!(
                    "POST {} answered {} without an access token: {}",
                    self.url.redacted(),
                    answer.status,
                    hint(401)
                ))),
            },
            Fetch::Empty(_) | Fetch::Skipped(..) | Fetch::NotYet => Ok(None),
        }
    }
}

fn bearer(token: &Secret) -> String {
    format!("Bearer {}", token.reference())
}

fn token_of(answer: &Answer) -> Option<String> {
    let body = answer.json().ok()?;
    let is_bearer = body.get("token_type")?.as_str()?.eq_ignore_ascii_case("bearer");
    let token = body.get("access_token")?.as_str()?;
    (is_bearer && !token.is_empty()).then(|| token.to_owned())
}
