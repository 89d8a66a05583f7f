//! Security settings: TLS stores and SASL logins.
//!
//! Stores (PEM, PKCS12, JKS) are handed to librdkafka as PEM in memory, the PLAIN and SCRAM mechanisms under its own names; raw
//! connections read the same settings (`transport`). What is not built (GSSAPI, OAUTHBEARER) is an error that names the key. Secrets
//! are masked in every text.
//! Source: `SslConfigs`, `SaslConfigs`, `JaasContext` of Kafka 4.3.

use weir_config::properties::Properties;
use weir_config::secret::HIDDEN;
use weir_secrets::key_store::{certificates_pem, key_pair, trusted};

use crate::client_config::Translated;
use crate::error::ClientError;

/// Is true for keys this module owns.
pub(crate) fn is_security_key(key: &str) -> bool {
    key == "security.protocol" || key == "security.providers" || key.starts_with("ssl.") || key.starts_with("sasl.")
}

/// The value, or a mask when the native key holds a secret.
pub(crate) fn masked<'a>(native: &str, value: &'a str) -> &'a str {
    const SECRETS: &[&str] = &[
        "password",
        "secret",
        "ssl.key.pem",
        "sasl.username",
        "jaas",
        "keystore.key",
    ];
    if SECRETS.iter().any(|part| native.contains(part)) {
        HIDDEN
    } else {
        value
    }
}

/// What `security.protocol` calls for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Protocol {
    pub(crate) name: &'static str,
    pub(crate) uses_tls: bool,
    pub(crate) uses_sasl: bool,
}

impl Protocol {
    pub(crate) fn of(properties: &Properties) -> Result<Self, ClientError> {
        const KEY: &str = "security.protocol";
        const ALL: [(&str, bool, bool); 4] = [
            ("PLAINTEXT", false, false),
            ("SSL", true, false),
            ("SASL_PLAINTEXT", false, true),
            ("SASL_SSL", true, true),
        ];
        let given = properties.get(KEY).unwrap_or("PLAINTEXT").trim().to_ascii_uppercase();
        let (name, uses_tls, uses_sasl) = ALL.into_iter().find(|(name, ..)| *name == given).ok_or_else(|| {
            let right = "must be one of: PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL";
            ClientError::config(KEY, &given, right)
        })?;
        Ok(Self {
            name,
            uses_tls,
            uses_sasl,
        })
    }
}

/// Translates the security settings of one client.
pub(crate) fn translate(out: &mut Translated, properties: &Properties) -> Result<(), ClientError> {
    let protocol = Protocol::of(properties)?;
    out.put(
        "security.protocol",
        "security.protocol",
        protocol.name.to_ascii_lowercase(),
    );
    if protocol.uses_tls {
        translate_tls(out, properties)?;
    }
    if protocol.uses_sasl {
        translate_sasl(out, properties)?;
    }
    Ok(())
}

fn translate_stores(out: &mut Translated, properties: &Properties) -> Result<(), ClientError> {
    match trusted(properties)? {
        Some(certificates) => out.put("ssl.truststore.location", "ssl.ca.pem", certificates_pem(&certificates)),
        // OpenSSL is linked in: the machine's certificates are not where it looks by itself.
        None => out.put("ssl.truststore.location", "ssl.ca.location", "probe"),
    }
    if let Some(pair) = key_pair(properties)? {
        out.put("ssl.keystore.location", "ssl.certificate.pem", pair.chain_pem());
        out.put("ssl.keystore.location", "ssl.key.pem", pair.key_pem().reveal());
    }
    Ok(())
}

fn translate_tls(out: &mut Translated, properties: &Properties) -> Result<(), ClientError> {
    let get = |key: &str| properties.get(key).map(str::trim).filter(|value| !value.is_empty());
    translate_stores(out, properties)?;
    let algorithm = properties
        .get("ssl.endpoint.identification.algorithm")
        .map_or("https", str::trim);
    let algorithm = if algorithm.is_empty() {
        "none".to_owned()
    } else {
        algorithm.to_ascii_lowercase()
    };
    out.put(
        "ssl.endpoint.identification.algorithm",
        "ssl.endpoint.identification.algorithm",
        algorithm,
    );
    translate_ciphers(out, get("ssl.cipher.suites"))?;
    check_protocols(out, get("ssl.enabled.protocols"))?;
    if let Some(class) = get("ssl.engine.factory.class") {
        return Err(ClientError::config(
            "ssl.engine.factory.class",
            class,
            "Java classes cannot run here",
        ));
    }
    for key in [
        "ssl.provider",
        "ssl.secure.random.implementation",
        "ssl.keymanager.algorithm",
        "ssl.trustmanager.algorithm",
    ] {
        if get(key).is_some() {
            out.warn(key, "it selects a part of the JVM");
        }
    }
    Ok(())
}

// DIVERGES: librdkafka cannot narrow the range of TLS versions; a better version than asked for is no harm, an older one is.
fn check_protocols(out: &mut Translated, protocols: Option<&str>) -> Result<(), ClientError> {
    const KEY: &str = "ssl.enabled.protocols";
    let Some(value) = protocols else {
        return Ok(());
    };
    let has = |version: &str| value.split(',').any(|part| part.trim() == version);
    if !has("TLSv1.2") {
        let right = "must contain TLSv1.2: clients of records cannot be kept from it";
        return Err(ClientError::config(KEY, value, right));
    }
    if !has("TLSv1.3") {
        out.warn(KEY, "clients of records use TLSv1.3 where the broker offers it");
    }
    Ok(())
}

// Java's names carry the protocol and WITH; OpenSSL's do not. TLS 1.3 suites cannot be narrowed.
fn translate_ciphers(out: &mut Translated, suites: Option<&str>) -> Result<(), ClientError> {
    const KEY: &str = "ssl.cipher.suites";
    let Some(value) = suites else { return Ok(()) };
    let mut names = Vec::new();
    for suite in value.split(',').map(str::trim) {
        let Some((exchange, cipher)) = suite.strip_prefix("TLS_").and_then(|suite| suite.split_once("_WITH_")) else {
            if suite.starts_with("TLS_AES_") || suite.starts_with("TLS_CHACHA20_") {
                continue;
            }
            return Err(ClientError::config(KEY, suite, "must be a TLS suite by its IANA name"));
        };
        let cipher = cipher
            .replace("AES_", "AES")
            .replace("_CBC_", "_")
            .replace("CHACHA20_POLY1305_SHA256", "CHACHA20_POLY1305");
        let exchange = if exchange == "RSA" {
            String::new()
        } else {
            format!("{exchange}_")
        };
        names.push(format!("{exchange}{cipher}").replace('_', "-"));
    }
    if !names.is_empty() {
        out.put(KEY, KEY, names.join(":"));
    }
    Ok(())
}

fn translate_sasl(out: &mut Translated, properties: &Properties) -> Result<(), ClientError> {
    let login = Login::of(properties)?;
    out.put("sasl.mechanism", "sasl.mechanism", login.mechanism.name());
    out.put("sasl.jaas.config", "sasl.username", login.username);
    out.put("sasl.jaas.config", "sasl.password", login.password);
    for (key, _) in properties
        .iter()
        .filter(|(key, _)| key.starts_with("sasl.login.") || key.starts_with("sasl.client.callback"))
    {
        out.warn(key, "Java login classes cannot run here");
    }
    Ok(())
}

/// The SASL mechanisms that are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mechanism {
    Plain,
    ScramSha256,
    ScramSha512,
}

impl Mechanism {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }

    fn of(properties: &Properties) -> Result<Self, ClientError> {
        const KEY: &str = "sasl.mechanism";
        let given = properties.get(KEY).map_or("GSSAPI", str::trim);
        [Self::Plain, Self::ScramSha256, Self::ScramSha512]
            .into_iter()
            .find(|mechanism| mechanism.name() == given)
            .ok_or_else(|| {
                // DIVERGES: Kerberos and OAuth logins are not built.
                let right = match given {
                    "GSSAPI" | "OAUTHBEARER" => "not supported here; use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
                    _ => "must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
                };
                ClientError::config(KEY, given, right)
            })
    }
}

/// Who logs in, and how.
pub(crate) struct Login {
    pub(crate) mechanism: Mechanism,
    pub(crate) username: String,
    pub(crate) password: String,
}

/// Prints the mechanism only.
impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("mechanism", &self.mechanism)
            .finish_non_exhaustive()
    }
}

impl Login {
    /// Reads `sasl.mechanism` and `sasl.jaas.config` of a PLAIN or SCRAM login.
    pub(crate) fn of(properties: &Properties) -> Result<Self, ClientError> {
        const KEY: &str = "sasl.jaas.config";
        let mechanism = Mechanism::of(properties)?;
        let wrong = |reason: &str| ClientError::config(KEY, HIDDEN, reason);
        let text = properties
            .get(KEY)
            .ok_or_else(|| wrong("is required by the SASL mechanism"))?;
        let (class, mut options) =
            parse_jaas(text).ok_or_else(|| wrong("must be: login module class, flag, options, semicolon"))?;
        let expected = match mechanism {
            Mechanism::Plain => "PlainLoginModule",
            Mechanism::ScramSha256 | Mechanism::ScramSha512 => "ScramLoginModule",
        };
        let module = class.rsplit('.').next().unwrap_or_default();
        if module != expected {
            return Err(wrong(&format!(
                "must use {expected} with mechanism {}",
                mechanism.name()
            )));
        }
        let mut option = |name: &str| {
            let place = options.iter().position(|(key, _)| key == name)?;
            Some(options.swap_remove(place).1)
        };
        if option("tokenauth").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Err(wrong("delegation tokens (tokenauth) are not supported"));
        }
        match (option("username"), option("password")) {
            (Some(username), Some(password)) => Ok(Self {
                mechanism,
                username,
                password,
            }),
            _ => Err(wrong("must set username and password")),
        }
    }
}

fn parse_jaas(text: &str) -> Option<(String, Vec<(String, String)>)> {
    let body = text.trim().strip_suffix(';')?;
    let (class, rest) = body.split_once(char::is_whitespace)?;
    let (flag, mut rest) = rest
        .trim_start()
        .split_once(char::is_whitespace)
        .unwrap_or((rest.trim(), ""));
    if !["required", "requisite", "sufficient", "optional"].contains(&flag.to_ascii_lowercase().as_str()) {
        return None;
    }
    let mut options = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Some((class.to_owned(), options));
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = jaas_value(after.trim_start())?;
        options.push((name.trim().to_owned(), value));
        rest = after;
    }
}

fn jaas_value(text: &str) -> Option<(String, &str)> {
    let Some(quote) = text.chars().next().filter(|c| *c == '"' || *c == '\'') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return Some((value.to_owned(), rest));
    };
    let quoted = text.get(1..)?;
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            c if c == quote => return Some((value, quoted.get(index + 1..).unwrap_or_default())),
            '\\' => value.push(chars.next()?.1),
            _ => value.push(c),
        }
    }
    None
}
