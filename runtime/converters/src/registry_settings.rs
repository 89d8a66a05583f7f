//! Options of the registry client and of how schemas are found in the registry
//!
//! Shared by the converters of all schema languages. What Confluent's serializers know and this one does not (key
//! stores other than PEM, OAuth, SASL, guids in headers, metadata look-ups) is refused by name. Kafka:
//! `AbstractKafkaSchemaSerDeConfig`, `SchemaRegistryClientConfig`.

use std::time::Duration;

use weir_api::converter::ConverterSlot;
use weir_api::error::ConnectError;
use weir_config::def::{ConfigDef, ConfigKey, Importance, Validator};
use weir_config::secret::Password;
use weir_config::validate::ParsedConfig;

use crate::subject_name::SubjectNameStrategy;

const URL: &str = "schema.registry.url";
const AUTO_REGISTER: &str = "auto.register.schemas";
const USE_LATEST: &str = "use.latest.version";
const LATEST_STRICT: &str = "latest.compatibility.strict";
const LATEST_METADATA: &str = "use.latest.with.metadata";
const USE_ID: &str = "use.schema.id";
const USE_GUID: &str = "use.schema.guid";
const ID_STRICT: &str = "id.compatibility.strict";
const NORMALIZE: &str = "normalize.schemas";
const MAX_SCHEMAS: &str = "max.schemas.per.subject";
const KEY_STRATEGY: &str = "key.subject.name.strategy";
const VALUE_STRATEGY: &str = "value.subject.name.strategy";
const CONTEXT_STRATEGY: &str = "context.name.strategy";
const KEY_ID_SERIALIZER: &str = "key.schema.id.serializer";
const VALUE_ID_SERIALIZER: &str = "value.schema.id.serializer";
const BASIC_SOURCE: &str = "basic.auth.credentials.source";
const BASIC_INFO: &str = "basic.auth.user.info";
const OLD_BASIC_INFO: &str = "schema.registry.basic.auth.user.info";
const BEARER_SOURCE: &str = "bearer.auth.credentials.source";
const BEARER_TOKEN: &str = "bearer.auth.token";
const CONNECT_TIMEOUT: &str = "http.connect.timeout.ms";
const READ_TIMEOUT: &str = "http.read.timeout.ms";
const MAX_RETRIES: &str = "max.retries";
const RETRY_WAIT: &str = "retries.wait.ms";
const RETRY_MAX_WAIT: &str = "retries.max.wait.ms";
const PROXY_HOST: &str = "proxy.host";
const PROXY_PORT: &str = "proxy.port";
const TRUST_TYPE: &str = "schema.registry.ssl.truststore.type";
const TRUST_LOCATION: &str = "schema.registry.ssl.truststore.location";
const TRUST_CERTIFICATES: &str = "schema.registry.ssl.truststore.certificates";
const TRUST_PASSWORD: &str = "schema.registry.ssl.truststore.password";
const KEY_TYPE: &str = "schema.registry.ssl.keystore.type";
const KEY_LOCATION: &str = "schema.registry.ssl.keystore.location";
const KEY_KEY: &str = "schema.registry.ssl.keystore.key";
const KEY_CHAIN: &str = "schema.registry.ssl.keystore.certificate.chain";
const KEY_STORE_PASSWORD: &str = "schema.registry.ssl.keystore.password";
const KEY_PASSWORD: &str = "schema.registry.ssl.key.password";
const HOST_CHECK: &str = "schema.registry.ssl.endpoint.identification.algorithm";

const STRATEGIES: &str = "io.confluent.kafka.serializers.subject.";
const PREFIX_SERIALIZER: &str = "io.confluent.kafka.serializers.schema.id.PrefixSchemaIdSerializer";
const NO_CONTEXT: &str = "io.confluent.kafka.serializers.context.NullContextNameStrategy";

/// Who the client says it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Authorization {
    /// Nobody, or who the URL names.
    None,
    /// A user with a password.
    Basic {
        /// User.
        user: String,
        /// Password.
        password: Password,
    },
    /// The holder of a token.
    Bearer(Password),
}

/// Certificates and keys, as PEM texts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct TlsSettings {
    /// Certificates to trust instead of the machine's.
    pub trusted: Option<String>,
    /// Private key and certificates to show.
    pub identity: Option<Password>,
    /// Names in certificates are not compared with the host.
    pub any_host: bool,
}

/// Where the registry is and how it is talked to; equal settings share one client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RegistrySettings {
    /// URLs, tried in turn; they may hold a user and password.
    pub urls: Vec<Password>,
    /// Who the client says it is.
    pub authorization: Authorization,
    /// Certificates and keys.
    pub tls: TlsSettings,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for an answer's next bytes.
    pub read_timeout: Duration,
    /// How often a request that failed on the way is sent again.
    pub max_retries: u32,
    /// Wait before the first retry; doubled for each further one.
    pub retry_wait: Duration,
    /// Longest wait before a retry.
    pub retry_max_wait: Duration,
    /// Proxy for all requests.
    pub proxy: Option<String>,
    /// Headers sent along.
    pub headers: Vec<(String, Password)>,
    /// Most schemas kept of one subject.
    pub max_schemas: usize,
}

/// Which schema a value is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteSchema {
    /// The value's own, registered on first use.
    Register,
    /// The value's own, which must be registered.
    LookUp,
    /// The subject's latest.
    Latest {
        /// It must be able to read what the value's own schema writes.
        strict: bool,
    },
    /// The one of an id.
    Id {
        /// The id.
        id: u32,
        /// It must be able to read what the value's own schema writes.
        strict: bool,
    },
}

/// How schemas are found in the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaLookup {
    /// Which schema a value is written with.
    pub write: WriteSchema,
    /// The registry normalizes schemas before it compares them.
    pub normalize: bool,
    /// Subject of the slot's schemas.
    pub strategy: SubjectNameStrategy,
}

/// Adds the keys to a definition.
pub fn config_def(definition: ConfigDef) -> ConfigDef {
    tls_keys(client_keys(lookup_keys(definition)))
}

fn lookup_keys(definition: ConfigDef) -> ConfigDef {
    let flag = |name: &str, default: &str, importance: Importance, doc: &str| {
        ConfigKey::boolean(name)
            .default(default)
            .importance(importance)
            .doc(doc)
    };
    let text = |name: &str, default: &str, doc: &str| {
        ConfigKey::text(name)
            .default(default)
            .importance(Importance::Low)
            .doc(doc)
    };
    let class = |name: &str, default: &str, doc: &str| {
        ConfigKey::text(name)
            .default(default)
            .importance(Importance::Medium)
            .doc(doc)
    };
    let (medium, low) = (Importance::Medium, Importance::Low);
    definition
        .key(ConfigKey::list(URL).importance(Importance::High).doc("Comma-separated list of URLs for schema registry instances that can be used to register or look up schemas."))
        .key(flag(AUTO_REGISTER, "true", medium, "Specify if the Serializer should attempt to register the Schema with Schema Registry"))
        .key(flag(USE_LATEST, "false", low, "Specify if the Serializer should use the latest subject version for serialization, when auto.register.schemas is false"))
        .key(flag(LATEST_STRICT, "true", low, "Specify if the latest subject version should be verified for backward compatibility when use.latest.version is true"))
        .key(text(LATEST_METADATA, "", "Only empty: look-ups by metadata are not supported"))
        .key(ConfigKey::int(USE_ID).default("-1").importance(low).doc("Schema id to use for serialization, when auto.register.schemas is false"))
        .key(text(USE_GUID, "", "Only empty: schemas fixed by guid are not supported"))
        .key(flag(ID_STRICT, "true", low, "Specify if the schema of use.schema.id should be verified for backward compatibility"))
        .key(flag(NORMALIZE, "false", medium, "Whether to normalize schemas, which generally has the effect of ignoring ordering when it is not significant"))
        .key(ConfigKey::int(MAX_SCHEMAS).default("1000").validator(Validator::at_least(1)).importance(low).doc("Maximum number of schemas to create or cache locally."))
        .key(class(KEY_STRATEGY, &format!("{STRATEGIES}TopicNameStrategy"), "Determines how to construct the subject name under which the key schema is registered with the schema registry"))
        .key(class(VALUE_STRATEGY, &format!("{STRATEGIES}TopicNameStrategy"), "Determines how to construct the subject name under which the value schema is registered with the schema registry"))
        .key(text(CONTEXT_STRATEGY, NO_CONTEXT, "Only the strategy without contexts is supported"))
        .key(text(KEY_ID_SERIALIZER, PREFIX_SERIALIZER, "Only ids in front of the payload are supported"))
        .key(text(VALUE_ID_SERIALIZER, PREFIX_SERIALIZER, "Only ids in front of the payload are supported"))
}

fn client_keys(definition: ConfigDef) -> ConfigDef {
    let millis = |name: &str, default: &str, doc: &str| {
        ConfigKey::int(name)
            .default(default)
            .validator(Validator::at_least(0))
            .importance(Importance::Low)
            .doc(doc)
    };
    let medium = Importance::Medium;
    definition
        .key(ConfigKey::text(BASIC_SOURCE).default("URL").importance(medium).doc("Specify how to pick the credentials for the Basic Auth header: URL or USER_INFO"))
        .key(ConfigKey::password(BASIC_INFO).default("").importance(medium).doc("Specify the user info for Basic Auth in the form of {username}:{password}"))
        .key(ConfigKey::password(OLD_BASIC_INFO).default("").importance(medium).doc("The older name of basic.auth.user.info"))
        .key(ConfigKey::text(BEARER_SOURCE).default_null().importance(medium).doc("Specify how to pick the credentials for the Bearer Auth header: STATIC_TOKEN"))
        .key(ConfigKey::password(BEARER_TOKEN).default("").importance(medium).doc("Specify the Bearer token to be used for authentication"))
        .key(millis(CONNECT_TIMEOUT, "60000", "Longest wait for a connection to the schema registry, in milliseconds"))
        .key(millis(READ_TIMEOUT, "60000", "Longest wait for an answer of the schema registry, in milliseconds"))
        .key(millis(MAX_RETRIES, "3", "How often a request to the schema registry that failed on the way is sent again"))
        .key(millis(RETRY_WAIT, "1000", "Wait before the first retry, in milliseconds"))
        .key(millis(RETRY_MAX_WAIT, "20000", "Longest wait before a retry, in milliseconds"))
        .key(ConfigKey::text(PROXY_HOST).default("").importance(Importance::Low).doc("The hostname, or address, of the proxy server that will be used to connect to the schema registry instances."))
        .key(ConfigKey::int(PROXY_PORT).default("-1").importance(Importance::Low).doc("The port number of the proxy server that will be used to connect to the schema registry instances."))
}

fn tls_keys(definition: ConfigDef) -> ConfigDef {
    let text = |name: &str, doc: &str| {
        ConfigKey::text(name)
            .default_null()
            .importance(Importance::Low)
            .doc(doc)
    };
    let secret = |name: &str, doc: &str| {
        ConfigKey::password(name)
            .default_null()
            .importance(Importance::Low)
            .doc(doc)
    };
    definition
        .key(text(TRUST_TYPE, "Format of the trust store: PEM"))
        .key(text(TRUST_LOCATION, "File with the certificates to trust, as PEM"))
        .key(secret(TRUST_CERTIFICATES, "Certificates to trust, as PEM"))
        .key(secret(TRUST_PASSWORD, "Only absent: PEM has none"))
        .key(text(KEY_TYPE, "Format of the key store: PEM"))
        .key(text(
            KEY_LOCATION,
            "File with the client's private key and certificates, as PEM",
        ))
        .key(secret(KEY_KEY, "The client's private key, as PEM"))
        .key(secret(KEY_CHAIN, "The client's certificates, as PEM"))
        .key(secret(KEY_STORE_PASSWORD, "Only absent: PEM has none"))
        .key(secret(KEY_PASSWORD, "Only absent: encrypted keys are not supported"))
        .key(
            ConfigKey::text(HOST_CHECK)
                .default("https")
                .importance(Importance::Low)
                .doc("Empty: names in certificates are not compared with the host"),
        )
}

impl SchemaLookup {
    /// Takes the settings of a slot.
    ///
    /// # Errors
    /// `Config`: a setting is not supported, or a class is not known.
    pub fn new(parsed: &ParsedConfig, slot: ConverterSlot) -> Result<Self, ConnectError> {
        let is_key = slot == ConverterSlot::Key;
        refuse_unless(parsed, LATEST_METADATA, &[""], "look-ups by metadata are not supported")?;
        refuse_unless(
            parsed,
            USE_GUID,
            &[""],
            "schemas fixed by guid are not supported; use use.schema.id",
        )?;
        refuse_unless(
            parsed,
            CONTEXT_STRATEGY,
            &[NO_CONTEXT, "NullContextNameStrategy"],
            "contexts are not supported",
        )?;
        let serializer = if is_key { KEY_ID_SERIALIZER } else { VALUE_ID_SERIALIZER };
        let prefix = [PREFIX_SERIALIZER, "PrefixSchemaIdSerializer"];
        refuse_unless(parsed, serializer, &prefix, "schema ids in headers are not supported")?;
        let strict_latest = parsed.get_boolean(LATEST_STRICT)?;
        let strict_id = parsed.get_boolean(ID_STRICT)?;
        let write = match (parsed.get_boolean(AUTO_REGISTER)?, parsed.get_int(USE_ID)?) {
            (true, _) => WriteSchema::Register,
            (false, id @ 0..) => WriteSchema::Id {
                id: id.unsigned_abs(),
                strict: strict_id,
            },
            (false, _) if parsed.get_boolean(USE_LATEST)? => WriteSchema::Latest { strict: strict_latest },
            (false, _) => WriteSchema::LookUp,
        };
        Ok(Self {
            write,
            normalize: parsed.get_boolean(NORMALIZE)?,
            strategy: SubjectNameStrategy::parse(parsed.get_text(if is_key {
                KEY_STRATEGY
            } else {
                VALUE_STRATEGY
            })?)?,
        })
    }
}

fn refuse_unless(parsed: &ParsedConfig, key: &str, allowed: &[&str], reason: &str) -> Result<(), ConnectError> {
    let value = parsed.get_text(key)?;
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(ConnectError::config(format!(
        "Invalid value {value} for configuration {key}: {reason}"
    )))
}

impl RegistrySettings {
    /// Takes the settings; `headers` are the options that start with `request.header.`.
    ///
    /// # Errors
    /// `Config`: a setting is wrong or not supported, or a file cannot be read.
    pub fn new(parsed: &ParsedConfig, headers: Vec<(String, Password)>) -> Result<Self, ConnectError> {
        let urls = parsed.get_list(URL)?;
        if urls.is_empty() {
            return Err(ConnectError::config(format!(
                "Invalid value for configuration {URL}: at least one URL is needed"
            )));
        }
        for url in urls {
            check_url(url)?;
        }
        let millis = |key: &str| {
            parsed
                .get_int(key)
                .map(|value| Duration::from_millis(u64::try_from(value).unwrap_or(0)))
        };
        Ok(Self {
            urls: urls
                .iter()
                .map(|url| Password::new(url.trim_end_matches('/')))
                .collect(),
            authorization: authorization(parsed)?,
            tls: tls(parsed)?,
            connect_timeout: millis(CONNECT_TIMEOUT)?,
            read_timeout: millis(READ_TIMEOUT)?,
            max_retries: u32::try_from(parsed.get_int(MAX_RETRIES)?).unwrap_or(0),
            retry_wait: millis(RETRY_WAIT)?,
            retry_max_wait: millis(RETRY_MAX_WAIT)?,
            proxy: proxy(parsed)?,
            headers,
            max_schemas: usize::try_from(parsed.get_int(MAX_SCHEMAS)?).unwrap_or(1),
        })
    }
}

/// The text is never shown: it may hold a password.
fn check_url(url: &str) -> Result<(), ConnectError> {
    let wrong = |reason: &str| {
        ConnectError::config(format!(
            "Invalid value {} for configuration {URL}: {reason}",
            without_credentials(url)
        ))
    };
    if url.starts_with("mock://") {
        return Err(wrong("mock:// is not supported"));
    }
    if !(url.starts_with("http://") || url.starts_with("https://")) {
        return Err(wrong("URLs start with http:// or https://"));
    }
    Ok(())
}

/// Gives a URL without user and password.
pub fn without_credentials(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{separator}{host}{path}")
}

fn authorization(parsed: &ParsedConfig) -> Result<Authorization, ConnectError> {
    let clear = |key: &str| {
        parsed
            .opt_password(key)
            .map(|secret| secret.reveal().to_owned())
            .unwrap_or_default()
    };
    match parsed.opt_text(BEARER_SOURCE).unwrap_or_default() {
        "" => {}
        "STATIC_TOKEN" => {
            let token = clear(BEARER_TOKEN);
            if token.is_empty() {
                return Err(ConnectError::config(format!(
                    "{BEARER_SOURCE} is STATIC_TOKEN and {BEARER_TOKEN} is empty"
                )));
            }
            return Ok(Authorization::Bearer(Password::new(token)));
        }
        other => {
            return Err(ConnectError::config(format!(
                "Invalid value {other} for configuration {BEARER_SOURCE}: only STATIC_TOKEN is supported"
            )));
        }
    }
    match parsed.get_text(BASIC_SOURCE)? {
        "URL" => Ok(Authorization::None),
        "USER_INFO" => {
            let info = Some(clear(BASIC_INFO))
                .filter(|info| !info.is_empty())
                .unwrap_or_else(|| clear(OLD_BASIC_INFO));
            let Some((user, password)) = info.split_once(':') else {
                return Err(ConnectError::config(format!(
                    "{BASIC_SOURCE} is USER_INFO and {BASIC_INFO} is not of the form user:password"
                )));
            };
            Ok(Authorization::Basic {
                user: user.to_owned(),
                password: Password::new(password),
            })
        }
        other => Err(ConnectError::config(format!(
            "Invalid value {other} for configuration {BASIC_SOURCE}: only URL and USER_INFO are supported"
        ))),
    }
}

fn proxy(parsed: &ParsedConfig) -> Result<Option<String>, ConnectError> {
    let host = parsed.get_text(PROXY_HOST)?;
    if host.is_empty() {
        return Ok(None);
    }
    match u16::try_from(parsed.get_int(PROXY_PORT)?) {
        Ok(port) => Ok(Some(format!("http://{host}:{port}"))),
        Err(_) => Err(ConnectError::config(format!(
            "{PROXY_HOST} is set and {PROXY_PORT} is no port"
        ))),
    }
}

fn tls(parsed: &ParsedConfig) -> Result<TlsSettings, ConnectError> {
    let clear = |key: &str| parsed.opt_password(key).map(|secret| secret.reveal().to_owned());
    let trusted = match (parsed.opt_text(TRUST_LOCATION), clear(TRUST_CERTIFICATES)) {
        (None, None) => None,
        (location, certificates) => {
            need_pem(parsed, TRUST_TYPE, location.is_some())?;
            Some(match (certificates, location) {
                (Some(text), _) => text,
                (None, location) => read_file(TRUST_LOCATION, location.unwrap_or_default())?,
            })
        }
    };
    let identity = match (parsed.opt_text(KEY_LOCATION), clear(KEY_KEY), clear(KEY_CHAIN)) {
        (None, None, None) => None,
        (None, Some(key), Some(chain)) => {
            need_pem(parsed, KEY_TYPE, false)?;
            Some(format!("{key}\n{chain}"))
        }
        (Some(location), None, None) => {
            need_pem(parsed, KEY_TYPE, true)?;
            Some(read_file(KEY_LOCATION, location)?)
        }
        _ => {
            return Err(ConnectError::config(format!(
                "{KEY_KEY} and {KEY_CHAIN} go together, without {KEY_LOCATION}"
            )));
        }
    };
    if clear(KEY_PASSWORD).is_some_and(|password| !password.is_empty()) {
        return Err(ConnectError::config(format!(
            "{KEY_PASSWORD} is set, but encrypted private keys are not supported"
        )));
    }
    Ok(TlsSettings {
        trusted,
        identity: identity.map(Password::new),
        any_host: parsed.get_text(HOST_CHECK)?.is_empty(),
    })
}

/// Java takes JKS for granted; texts in the settings themselves can only be PEM.
fn need_pem(parsed: &ParsedConfig, key: &str, from_file: bool) -> Result<(), ConnectError> {
    let given = parsed.opt_text(key);
    if given.map_or(!from_file, |kind| kind.eq_ignore_ascii_case("PEM")) {
        return Ok(());
    }
    Err(ConnectError::config(format!(
        "Invalid value {} for configuration {key}: only PEM is supported",
        given.unwrap_or("JKS (the default)")
    )))
}

fn read_file(key: &str, location: &str) -> Result<String, ConnectError> {
    std::fs::read_to_string(location)
        .map_err(|error| ConnectError::config(format!("{key} cannot be read: {location}: {error}")))
}

#[cfg(test)]
mod tests;
