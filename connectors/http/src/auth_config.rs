//! The settings of authentication, for source and sink

use weir_feed::pointer::Pointer;
use weir_feed::url::Url;
use weir_sdk::config::def::{ConfigDef, ConfigKey, Importance, Validator};
use weir_sdk::config::map::ConfigMap;
use weir_sdk::config::validate::ParsedConfig;
use weir_sdk::secret::Secret;

use crate::auth::{AuthKind, ClientAuth, KeyPlace, Login, OAuth2};
use crate::problems::Problems;
use crate::template::{Position, Template};

/// Which kind.
pub const TYPE: &str = "http.auth.type";
/// User.
pub const USER: &str = "http.auth.user";
/// Password.
pub const PASSWORD: &str = "http.auth.password";
/// Bearer token or API key.
pub const TOKEN: &str = "http.auth.token";
/// Name of the header or parameter of an API key.
pub const API_KEY_NAME: &str = "http.auth.api.key.name";
/// Whether it is a header or a parameter.
pub const API_KEY_IN: &str = "http.auth.api.key.in";
/// Token service.
pub const TOKEN_URL: &str = "http.auth.oauth2.token.url";
/// Client.
pub const CLIENT_ID: &str = "http.auth.oauth2.client.id";
/// Its secret.
pub const CLIENT_SECRET: &str = "http.auth.oauth2.client.secret";
/// Scopes.
pub const SCOPES: &str = "http.auth.oauth2.scopes";
/// How the client shows its secret.
pub const CLIENT_AUTH: &str = "http.auth.oauth2.client.auth";
/// Refresh token.
pub const REFRESH_TOKEN: &str = "http.auth.oauth2.refresh.token";
/// How early tokens are replaced.
pub const EARLY_REFRESH_MS: &str = "http.auth.oauth2.early.refresh.ms";
/// Login request.
pub const LOGIN_URL: &str = "http.auth.login.url";
/// Its body.
pub const LOGIN_BODY: &str = "http.auth.login.body";
/// Where the token stands.
pub const LOGIN_TOKEN_POINTER: &str = "http.auth.login.token.pointer";
/// How long it lives.
pub const LOGIN_TTL_MS: &str = "http.auth.login.ttl.ms";

const TYPES: [&str; 7] = [
    "none",
    "basic",
    "bearer",
    "api_key",
    "oauth2_client_credentials",
    "oauth2_refresh_token",
    "login",
];

/// Adds the rows to a definition.
pub fn auth_keys(def: ConfigDef) -> ConfigDef {
    let optional = |name: &str, doc: &str| ConfigKey::text(name).default_null().doc(doc);
    let secret = |name: &str, doc: &str| ConfigKey::password(name).default_null().doc(doc);
    let def = def
        .key(
            ConfigKey::text(TYPE)
                .default("none")
                .validator(Validator::one_of(&TYPES))
                .importance(Importance::High)
                .doc("How requests are authenticated"),
        )
        .key(optional(USER, "User of http.auth.type=basic"))
        .key(secret(
            PASSWORD,
            "Password of http.auth.type=basic; also ${config.http.auth.password} in a login body",
        ))
        .key(secret(TOKEN, "Token of http.auth.type=bearer, or key of api_key"))
        .key(optional(
            API_KEY_NAME,
            "Name of the header or query parameter of an API key or login token",
        ))
        .key(
            ConfigKey::text(API_KEY_IN)
                .default("header")
                .validator(Validator::one_of(&["header", "query"]))
                .doc("Where the API key goes; a header keeps it out of the service's access logs"),
        );
    def.key(optional(TOKEN_URL, "URL of the token service of the oauth2 types"))
        .key(optional(CLIENT_ID, "Client id of the oauth2 types"))
        .key(secret(CLIENT_SECRET, "Client secret of the oauth2 types"))
        .key(
            ConfigKey::text(SCOPES)
                .default("")
                .doc("Scopes to ask for, blanks between them"),
        )
        .key(
            ConfigKey::text(CLIENT_AUTH)
                .default("basic")
                .validator(Validator::one_of(&["basic", "body"]))
                .doc("How the client shows its secret: in the Authorization header or in the form"),
        )
        .key(secret(
            REFRESH_TOKEN,
            "Refresh token of oauth2_refresh_token; a service that replaces it makes a restart impossible",
        ))
        .key(
            ConfigKey::long(EARLY_REFRESH_MS)
                .default("60000")
                .validator(Validator::at_least(0))
                .importance(Importance::Low)
                .doc("How long before its end a token is replaced, in milliseconds"),
        )
        .key(optional(LOGIN_URL, "URL of the login request"))
        .key(optional(
            LOGIN_BODY,
            "Body of the login request, JSON or a form, with placeholders such as ${config.http.auth.password}",
        ))
        .key(
            ConfigKey::text(LOGIN_TOKEN_POINTER)
                .default("/token")
                .doc("JSON pointer to the token in the login's answer"),
        )
        .key(
            ConfigKey::long(LOGIN_TTL_MS)
                .default_null()
                .importance(Importance::Low)
                .doc("How long a login token lives, in milliseconds; without it one is used until it is refused"),
        )
}

/// Reads the settings; what is wrong goes to the problems.
pub fn parse(parsed: &ParsedConfig, config: &ConfigMap, problems: &mut Problems) -> AuthKind {
    let kind = parsed.opt_text(TYPE).unwrap_or("none");
    let mut need = |key: &str| problems.need(config, key, &format!("{TYPE}={kind}"));
    let secret = |key: &str| Secret::of(config, key);
    let found = match kind {
        "basic" => match (need(USER), secret(PASSWORD)) {
            (Some(user), Some(password)) => Some(AuthKind::Basic { user, password }),
            (_, None) => {
                need(PASSWORD);
                None
            }
            _ => None,
        },
        "bearer" => need(TOKEN).and_then(|_| secret(TOKEN)).map(AuthKind::Bearer),
        "api_key" => match (need(API_KEY_NAME), need(TOKEN).and_then(|_| secret(TOKEN))) {
            (Some(name), Some(key)) => Some(AuthKind::ApiKey {
                name,
                place: place_of(parsed),
                key,
            }),
            _ => None,
        },
        "oauth2_client_credentials" => {
            need(CLIENT_SECRET);
            oauth(parsed, config, problems).map(AuthKind::OAuth2)
        }
        "oauth2_refresh_token" => {
            need(REFRESH_TOKEN);
            let refresh_token = secret(REFRESH_TOKEN);
            oauth(parsed, config, problems).map(|oauth| AuthKind::OAuth2(OAuth2 { refresh_token, ..oauth }))
        }
        "login" => login(parsed, config, problems).map(AuthKind::Login),
        _ => None,
    };
    found.unwrap_or(AuthKind::None)
}

fn place_of(parsed: &ParsedConfig) -> KeyPlace {
    match parsed.opt_text(API_KEY_IN) {
        Some("query") => KeyPlace::Query,
        _ => KeyPlace::Header,
    }
}

fn oauth(parsed: &ParsedConfig, config: &ConfigMap, problems: &mut Problems) -> Option<OAuth2> {
    let why = format!("{TYPE}={}", parsed.opt_text(TYPE).unwrap_or_default());
    let token_url = problems.need(config, TOKEN_URL, &why);
    let client_id = problems.need(config, CLIENT_ID, &why);
    let token_url = url(TOKEN_URL, token_url?, problems)?;
    Some(OAuth2 {
        token_url,
        client_id: client_id?,
        client_secret: Secret::of(config, CLIENT_SECRET),
        client_auth: match parsed.opt_text(CLIENT_AUTH) {
            Some("body") => ClientAuth::Body,
            _ => ClientAuth::Basic,
        },
        scopes: parsed.opt_text(SCOPES).unwrap_or_default().to_owned(),
        refresh_token: None,
        early_refresh_ms: parsed.opt_long(EARLY_REFRESH_MS).unwrap_or(0).unsigned_abs(),
    })
}

fn login(parsed: &ParsedConfig, config: &ConfigMap, problems: &mut Problems) -> Option<Login> {
    let why = format!("{TYPE}=login");
    let login_url = problems.need(config, LOGIN_URL, &why);
    let body = problems.need(config, LOGIN_BODY, &why);
    let login_url = url(LOGIN_URL, login_url?, problems)?;
    let body = body?;
    let template = problems.keep(LOGIN_BODY, &body, Template::parse(&body))?;
    let position = if body.trim_start().starts_with(['{', '[']) {
        Position::Json
    } else {
        Position::Url
    };
    for hole in template.holes() {
        if hole
            .strip_prefix("config.")
            .is_none_or(|name| config.get(name).is_none())
        {
            problems.push(
                LOGIN_BODY,
                &body,
                &format!("the placeholder ${{{hole}}} names no setting; it reads ${{config.KEY}}"),
            );
        }
    }
    let body = template.render(position, &|hole| {
        config.get(hole.strip_prefix("config.")?).map(str::to_owned)
    });
    let pointer_text = parsed.opt_text(LOGIN_TOKEN_POINTER).unwrap_or_default();
    Some(Login {
        url: login_url,
        body,
        token: problems.keep(LOGIN_TOKEN_POINTER, pointer_text, Pointer::parse(pointer_text))?,
        ttl_ms: parsed.opt_long(LOGIN_TTL_MS).map(i64::unsigned_abs),
        sent_as: parsed
            .opt_text(API_KEY_NAME)
            .filter(|name| !name.is_empty())
            .map(|name| (name.to_owned(), place_of(parsed))),
    })
}

fn url(key: &str, text: String, problems: &mut Problems) -> Option<String> {
    problems.keep(key, &text, Url::parse(&text)).map(|url| url.to_string())
}
