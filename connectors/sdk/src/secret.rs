//! Secrets that a connector uses and never sees
//!
//! A plugin that asks for [`Capability::Secrets`](crate::plugin::Capability::Secrets) gets its PASSWORD settings as
//! opaque references. The host puts the values into header values, the query and small bodies of requests, and only
//! for hosts that the connector's own settings name. On the development machine a reference is the clear text.

use std::fmt;

use weir_config::map::ConfigMap;

use crate::host;

/// What is shown in place of a secret.
const MASK: &str = "[hidden]";

/// A secret, or a reference to one.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the secret of a setting; `None` when the setting is absent, null or empty.
    pub fn of(config: &ConfigMap, key: &str) -> Option<Self> {
        config
            .get(key)
            .filter(|value| !value.is_empty())
            .map(|value| Self(value.to_owned()))
    }

    /// Makes a secret of what a service answered, such as an access token: the host keeps it out of logs and errors
    /// from now on. The reference holds for this instance only: never put it into a task config or an offset.
    pub fn learned(value: &str) -> Self {
        Self(host::learn_secret(value))
    }

    /// Takes a secret apart that holds names and values, such as headers: a JSON object of texts, or lines `name: value`.
    /// The names are known here, the values stay secret; nothing comes of
    /// other text.
    pub fn entries(&self) -> Vec<(String, Self)> {
        host::secret_entries(&self.0)
            .into_iter()
            .map(|(name, value)| (name, Self(value)))
            .collect()
    }

    /// Gives the text to put into a header value, a query parameter, or a form or JSON body.
    pub fn reference(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Gives the value of an `Authorization` header for HTTP's basic scheme (RFC 7617). In a component the host does the
/// base64, because only it knows the password.
pub fn basic(user: &str, password: &Secret) -> String {
    host::basic_credentials(user, password.reference())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let config: ConfigMap = [("token", "s3cr3t"), ("empty", "")].into_iter().collect();
        let secret = Secret::of(&config, "token").expect("set above");
        assert_eq!(format!("{secret} {secret:?}"), "[hidden] [hidden]");
        assert_eq!(secret.reference(), "s3cr3t");
        assert_eq!(Secret::of(&config, "empty"), None);
        assert_eq!(Secret::of(&config, "absent"), None);
    }

    #[test]
    fn a_secret_with_names_is_taken_apart() {
        let check = |text: &str| {
            let config: ConfigMap = [("headers", text)].into_iter().collect();
            let entries = Secret::of(&config, "headers").expect("set above").entries();
            let seen: Vec<(&str, &str)> = entries
                .iter()
                .map(|(name, value)| (name.as_str(), value.reference()))
                .collect();
            assert_eq!(seen, [("X-Key", "abc"), ("X-Time", "1:2")]);
        };
        check("X-Key: abc\n\nX-Time:1:2\n");
        check(r#"{"X-Key": "abc", "X-Time": "1:2"}"#);
    }

    #[test]
    fn basic_credentials_are_those_of_the_rfc() {
        let config: ConfigMap = [("password", "open sesame")].into_iter().collect();
        let password = Secret::of(&config, "password").expect("set above");
        assert_eq!(basic("Aladdin", &password), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }
}
