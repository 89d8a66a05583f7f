//! Authentication: basic, bearer, API key, OAuth 2, a login request
//!
//! Secrets are references that the host fills in. Tokens that a service gives are kept in memory until shortly before
//! they expire; a refused token is replaced once. One request for a token runs at a time, because a task does.

use serde_json::Value;
use weir_feed::answer::{Answer, Fetch, Verdict};
use weir_feed::client::Client;
use weir_feed::pointer::Pointer;
use weir_feed::url::{Url, encoded};
use weir_sdk::api::error::ConnectError;
use weir_sdk::http::Request;
use weir_sdk::runtime;
use weir_sdk::secret::{Secret, basic};

/// Where a key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPlace {
    /// Into a header.
    Header,
    /// Into the query.
    Query,
}

/// How a client shows its own credentials to a token service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// In the `Authorization` header.
    Basic,
    /// In the form.
    Body,
}

/// How requests are authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthKind {
    /// Not at all.
    None,
    /// User and password.
    Basic {
        /// User.
        user: String,
        /// Password.
        password: Secret,
    },
    /// A fixed token.
    Bearer(Secret),
    /// A fixed key under a name.
    ApiKey {
        /// Name of the header or parameter.
        name: String,
        /// Where it goes.
        place: KeyPlace,
        /// The key.
        key: Secret,
    },
    /// A token from a token service.
    OAuth2(OAuth2),
    /// A token from a login request.
    Login(Login),
}

/// OAuth 2 without a user at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth2 {
    /// The token service.
    pub token_url: String,
    /// Client.
    pub client_id: String,
    /// Its secret; public clients have none.
    pub client_secret: Option<Secret>,
    /// How it is shown.
    pub client_auth: ClientAuth,
    /// Scopes, blanks between them.
    pub scopes: String,
    /// With one, the grant is `refresh_token`, else `client_credentials`.
    pub refresh_token: Option<Secret>,
    /// How long before its end a token is replaced.
    pub early_refresh_ms: u64,
}

/// A request that gives a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Where to.
    pub url: String,
    /// Body, placeholders filled; JSON, or a form if it is none.
    pub body: String,
    /// Where the token stands in the answer.
    pub token: Pointer,
    /// How long it lives.
    pub ttl_ms: Option<u64>,
    /// Name and place under which it is sent; none = as a bearer token.
    pub sent_as: Option<(String, KeyPlace)>,
}

/// A token in use.
#[derive(Debug)]
struct Token {
    secret: Secret,
    taken_ms: i64,
    /// Replaced after that; none = when it is refused.
    lives_ms: Option<u64>,
}

/// Whether requests can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// Yes.
    Yes,
    /// The token is not there yet: ask again in the next poll.
    NotYet,
}

/// Authenticates the requests of one task.
#[derive(Debug)]
pub struct Auth {
    kind: AuthKind,
    token: Option<Token>,
    /// A refresh token that the service put in place of the first.
    rotated: Option<Secret>,
    was_refreshed: bool,
}

impl Auth {
    /// Starts without a token.
    pub fn new(kind: AuthKind) -> Self {
        Self {
            kind,
            token: None,
            rotated: None,
            was_refreshed: false,
        }
    }

    /// Has the client keep composed credentials out of messages; the secrets themselves it knows.
    pub fn hide_in(&self, client: &mut Client) {
        if let AuthKind::Basic { user, password } = &self.kind {
            let header = basic(user, password);
            client.hide(header.strip_prefix("Basic ").unwrap_or(&header));
        }
    }

    /// Gets a token if one is needed.
    ///
    /// # Errors
    /// Fatal when the credentials are refused or the answer holds no token.
    pub fn prepare(&mut self, client: &mut Client) -> Result<Ready, ConnectError> {
        let needs_token = matches!(self.kind, AuthKind::OAuth2(_) | AuthKind::Login(_));
        if !needs_token || self.token.as_ref().is_some_and(Token::is_fresh) {
            return Ok(Ready::Yes);
        }
        let request = self.token_request()?;
        let answer = match client.fetch(&request, &judge_token)? {
            Fetch::Got(answer) => answer,
            Fetch::NotYet | Fetch::Empty(_) | Fetch::Skipped(..) => return Ok(Ready::NotYet),
        };
        let (token, lives_ms) = self.read_token(&answer).map_err(|reason| {
            // The body may hold a token under another name: it is not shown.
            ConnectError::fatal(format!("the answer of {} {reason}", answer_place(&answer)))
        })?;
        client.hide(&token);
        self.token = Some(Token {
            secret: Secret::learned(&token),
            taken_ms: runtime::now_ms(),
            lives_ms,
        });
        Ok(Ready::Yes)
    }

    /// Adds what is needed to a request.
    pub fn apply(&self, request: &mut Request, url: &mut Url) {
        let token = self.token.as_ref().map(|token| &token.secret);
        let (place, secret) = match &self.kind {
            AuthKind::None => return,
            AuthKind::Basic { user, password } => {
                push_header(request, "Authorization", &basic(user, password));
                return;
            }
            AuthKind::Bearer(secret) => (None, Some(secret)),
            AuthKind::ApiKey { name, place, key } => (Some((name, *place)), Some(key)),
            AuthKind::OAuth2(_) => (None, token),
            AuthKind::Login(login) => (login.sent_as.as_ref().map(|(name, place)| (name, *place)), token),
        };
        let Some(secret) = secret else { return };
        match place {
            None => push_header(request, "Authorization", &format!("Bearer {}", secret.reference())),
            Some((name, KeyPlace::Header)) => push_header(request, name, secret.reference()),
            Some((name, KeyPlace::Query)) => url.push_raw_param(name, &encoded(secret.reference())),
        }
    }

    /// Drops a refused token; false = there is no other, or the other was refused as well.
    pub fn refresh(&mut self) -> bool {
        let can_refresh = matches!(self.kind, AuthKind::OAuth2(_) | AuthKind::Login(_));
        if !can_refresh || self.was_refreshed {
            return false;
        }
        self.was_refreshed = true;
        self.token = None;
        true
    }

    /// Notes that a token was taken.
    pub fn accepted(&mut self) {
        self.was_refreshed = false;
    }

    fn token_request(&self) -> Result<Request, ConnectError> {
        match &self.kind {
            AuthKind::OAuth2(oauth) => Ok(self.oauth_request(oauth)),
            AuthKind::Login(login) => {
                let content_type = if serde_json::from_str::<Value>(&login.body).is_ok() {
                    "application/json"
                } else {
                    "application/x-www-form-urlencoded"
                };
                let request =
                    Request::post(&login.url, login.body.as_bytes()).with_header("Content-Type", content_type);
                Ok(request.with_header("Accept", "application/json"))
            }
            _ => Err(ConnectError::fatal("this kind of authentication has no token")),
        }
    }

    fn oauth_request(&self, oauth: &OAuth2) -> Request {
        let mut form = Vec::new();
        let mut push = |name: &str, value: &str| form.push(format!("{name}={}", encoded(value)));
        match self.rotated.as_ref().or(oauth.refresh_token.as_ref()) {
            Some(token) => {
                push("grant_type", "refresh_token");
                push("refresh_token", token.reference());
            }
            None => push("grant_type", "client_credentials"),
        }
        if !oauth.scopes.is_empty() {
            push("scope", &oauth.scopes);
        }
        let basic_secret = oauth
            .client_secret
            .as_ref()
            .filter(|_| oauth.client_auth == ClientAuth::Basic);
        if basic_secret.is_none() {
            push("client_id", &oauth.client_id);
            if let Some(secret) = &oauth.client_secret {
                push("client_secret", secret.reference());
            }
        }
        let mut request = Request::post(&oauth.token_url, form.join("&"))
            .with_header("Content-Type", "application/x-www-form-urlencoded")
            .with_header("Accept", "application/json");
        if let Some(secret) = basic_secret {
            push_header(&mut request, "Authorization", &basic(&oauth.client_id, secret));
        }
        request
    }

    fn read_token(&mut self, answer: &Answer) -> Result<(String, Option<u64>), String> {
        let body = answer.json().map_err(|_| "is not JSON".to_owned())?;
        match &self.kind {
            AuthKind::Login(login) => {
                let token = login.token.text(&body).filter(|token| !token.is_empty());
                let token = token.ok_or_else(|| format!("has no token at {}", login.token))?;
                Ok((token, login.ttl_ms))
            }
            AuthKind::OAuth2(oauth) => {
                let token = body
                    .get("access_token")
                    .and_then(Value::as_str)
                    .filter(|token| !token.is_empty());
                let token = token.ok_or("has no access_token")?.to_owned();
                let seconds = body.get("expires_in").and_then(seconds_of);
                let lives_ms = seconds.map(|seconds| {
                    let whole = seconds.saturating_mul(1_000);
                    // A token that lives hardly longer than the early refresh is used for half its life.
                    whole.saturating_sub(oauth.early_refresh_ms.min(whole / 2))
                });
                let rotated = body.get("refresh_token").and_then(Value::as_str).map(Secret::learned);
                if oauth.refresh_token.is_some() && rotated.is_some() {
                    self.rotated = rotated;
                }
                Ok((token, lives_ms))
            }
            _ => Err("was not asked for".to_owned()),
        }
    }
}

impl Token {
    fn is_fresh(&self) -> bool {
        let passed = u64::try_from(runtime::now_ms().saturating_sub(self.taken_ms));
        // A clock set back tells nothing: better a token too many than one too old.
        self.lives_ms
            .is_none_or(|lives_ms| passed.is_ok_and(|passed| passed < lives_ms))
    }
}

fn seconds_of(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn judge_token(answer: &Answer) -> Verdict {
    Verdict::by_status(
        answer,
        runtime::now_ms(),
        "the credentials were refused; check http.auth.* and that the account may ask for tokens",
    )
}

fn answer_place(answer: &Answer) -> String {
    Url::parse(&answer.url).map_or_else(|_| answer.path.clone(), |url| url.redacted())
}

fn push_header(request: &mut Request, name: &str, value: &str) {
    request.headers.push((name.to_owned(), value.to_owned()));
}
