//! Security settings: TLS stores and SASL logins.
//!
//! PEM stores (files or inline text) and the PLAIN and SCRAM mechanisms are mapped to librdkafka. What is not built yet (JKS and
//! PKCS12 stores, GSSAPI, OAUTHBEARER) is an error that names the key. Secrets are masked in every text.
//! Source: `SslConfigs`, `SaslConfigs`, `JaasContext` of Kafka 4.3.

use weir_config::properties::Properties;
use weir_config::secret::HIDDEN;

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

/// Translates the security settings of one client.
pub(crate) fn translate(out: &mut Translated, properties: &Properties) -> Result<(), ClientError> {
    let protocol = properties
        .get("security.protocol")
        .unwrap_or("PLAINTEXT")
        .trim()
        .to_ascii_uppercase();
    let (uses_tls, uses_sasl) = match protocol.as_str() {
        "PLAINTEXT" => (false, false),
        "SSL" => (true, false),
        "SASL_PLAINTEXT" => (false, true),
        "SASL_SSL" => (true, true),
        _ => {
            let right = "must be one of: PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL";
            return Err(ClientError::config("security.protocol", &protocol, right));
        }
    };
    out.put("security.protocol", "security.protocol", protocol.to_ascii_lowercase());
    if uses_tls {
        translate_tls(out, properties)?;
    }
    if uses_sasl {
        translate_sasl(out, properties)?;
    }
    Ok(())
}

/// Is true when connections are neither encrypted nor authenticated.
pub(crate) fn is_plaintext(properties: &Properties) -> bool {
    properties
        .get("security.protocol")
        .is_none_or(|protocol| protocol.trim().eq_ignore_ascii_case("PLAINTEXT"))
}

fn translate_tls(out: &mut Translated, properties: &Properties) -> Result<(), ClientError> {
    let get = |key: &str| properties.get(key).map(str::trim).filter(|value| !value.is_empty());
    if let Some(path) = get("ssl.truststore.location") {
        require_pem(get("ssl.truststore.type"), "ssl.truststore.type")?;
        out.put("ssl.truststore.location", "ssl.ca.location", path);
    }
    if let Some(text) = get("ssl.truststore.certificates") {
        out.put("ssl.truststore.certificates", "ssl.ca.pem", text);
    }
    if let Some(path) = get("ssl.keystore.location") {
        require_pem(get("ssl.keystore.type"), "ssl.keystore.type")?;
        // A PEM key store is one file with the key and its chain: each part is read from it.
        out.put("ssl.keystore.location", "ssl.certificate.location", path);
        out.put("ssl.keystore.location", "ssl.key.location", path);
    }
    if let Some(text) = get("ssl.keystore.certificate.chain") {
        out.put("ssl.keystore.certificate.chain", "ssl.certificate.pem", text);
    }
    if let Some(text) = get("ssl.keystore.key") {
        out.put("ssl.keystore.key", "ssl.key.pem", text);
    }
    if let Some(password) = get("ssl.key.password") {
        out.put("ssl.key.password", "ssl.key.password", password);
    }
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
    check_protocols(get("ssl.enabled.protocols"))?;
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

// DIVERGES: Apache reads JKS (the default) and PKCS12 stores too.
fn require_pem(store_type: Option<&str>, key: &str) -> Result<(), ClientError> {
    match store_type.unwrap_or("JKS") {
        kind if kind.eq_ignore_ascii_case("PEM") => Ok(()),
        kind => Err(ClientError::config(
            key,
            kind,
            "only PEM stores are read; convert the store and set the type to PEM",
        )),
    }
}

// DIVERGES: the range of TLS versions cannot be narrowed in librdkafka.
fn check_protocols(protocols: Option<&str>) -> Result<(), ClientError> {
    let Some(value) = protocols else {
        return Ok(());
    };
    let has = |version: &str| value.split(',').any(|part| part.trim() == version);
    if has("TLSv1.2") && has("TLSv1.3") {
        return Ok(());
    }
    Err(ClientError::config(
        "ssl.enabled.protocols",
        value,
        "must contain TLSv1.2 and TLSv1.3",
    ))
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
    const KEY: &str = "sasl.mechanism";
    let mechanism = properties.get(KEY).map_or("GSSAPI", str::trim);
    match mechanism {
        "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512" => {}
        // DIVERGES: Kerberos and OAuth logins are not built.
        "GSSAPI" | "OAUTHBEARER" => {
            let right = "not supported here; use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512";
            return Err(ClientError::config(KEY, mechanism, right));
        }
        _ => {
            return Err(ClientError::config(
                KEY,
                mechanism,
                "must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
            ));
        }
    }
    out.put(KEY, KEY, mechanism);
    let login = login(properties)?;
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

/// A name and password out of a JAAS line.
pub(crate) struct Login {
    pub(crate) username: String,
    pub(crate) password: String,
}

/// Reads `sasl.jaas.config` of a PLAIN or SCRAM login.
pub(crate) fn login(properties: &Properties) -> Result<Login, ClientError> {
    const KEY: &str = "sasl.jaas.config";
    let wrong = |reason: &str| ClientError::config(KEY, HIDDEN, reason);
    let text = properties
        .get(KEY)
        .ok_or_else(|| wrong("is required by the SASL mechanism"))?;
    let (class, options) =
        parse_jaas(text).ok_or_else(|| wrong("must be: login module class, flag, options, semicolon"))?;
    let module = class.rsplit('.').next().unwrap_or_default();
    if module != "PlainLoginModule" && module != "ScramLoginModule" {
        return Err(wrong("must use PlainLoginModule or ScramLoginModule"));
    }
    let option = |name: &str| {
        options
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    };
    match (option("username"), option("password")) {
        (Some(username), Some(password)) => Ok(Login { username, password }),
        _ => Err(wrong("must set username and password")),
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
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return Some((value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            '"' => return Some((value, quoted.get(index + 1..).unwrap_or_default())),
            '\\' => value.push(chars.next()?.1),
            _ => value.push(c),
        }
    }
    None
}
