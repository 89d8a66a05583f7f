//! `listeners` and `advertised.listeners`, parsed and checked.
//!
//! PLAINTEXT listeners are offered, as many as wanted and under any name the protocol map gives.
//! A controller listener is dropped with a note; SASL and SSL are refused by name. A listener on
//! every interface without an advertised address advertises the address the client connected to.
//! DIVERGES: Kafka advertises the machine's host name there, which often does not resolve.

use std::collections::HashMap;

use weir_config::error::ConfigError;
use weir_config::validate::ParsedConfig;

use crate::error::ServerError;

const LISTENERS: &str = "listeners";
const ADVERTISED_LISTENERS: &str = "advertised.listeners";

/// The address Metadata gives to clients of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Advertised {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// One listener to bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListenerSpec {
    pub(crate) name: String,
    /// Empty for every interface.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// None: the bound address. Port 0: the bound port.
    pub(crate) advertised: Option<Advertised>,
}

impl ListenerSpec {
    /// A PLAINTEXT listener that advertises where it is bound.
    pub(crate) fn plaintext(host: &str, port: u16) -> Self {
        Self {
            name: "PLAINTEXT".to_owned(),
            host: host.to_owned(),
            port,
            advertised: None,
        }
    }
}

/// The listeners to bind and the names of controller listeners left out.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) bound: Vec<ListenerSpec>,
    pub(crate) dropped: Vec<String>,
}

/// Reads the listener keys of a parsed `server.properties`.
///
/// # Errors
/// Syntax, a name without protocol, a SASL or SSL listener, a wildcard that is advertised.
pub(crate) fn parse_listeners(parsed: &ParsedConfig) -> Result<Listeners, ServerError> {
    let protocols = protocol_map(parsed.get_text("listener.security.protocol.map")?);
    let controllers: Vec<&str> = parsed
        .get_text("controller.listener.names")?
        .split(',')
        .map(str::trim)
        .collect();
    let advertised = advertised_by_name(parsed)?;
    let mut listeners = Listeners {
        bound: Vec::new(),
        dropped: Vec::new(),
    };
    for text in parsed.get_list(LISTENERS)? {
        let endpoint = parse_endpoint(LISTENERS, text)?;
        let is_controller = controllers.contains(&endpoint.name.as_str())
            || (endpoint.name == "CONTROLLER" && !protocols.contains_key("CONTROLLER"));
        if is_controller {
            listeners.dropped.push(endpoint.name);
            continue;
        }
        check_protocol(&endpoint.name, &protocols, text)?;
        let advertised = advertised.get(&endpoint.name).cloned();
        listeners.bound.push(ListenerSpec {
            name: endpoint.name,
            host: endpoint.host,
            port: endpoint.port,
            advertised,
        });
    }
    check_listeners(&listeners.bound)?;
    Ok(listeners)
}

fn check_listeners(bound: &[ListenerSpec]) -> Result<(), ServerError> {
    let refuse = |value: &str, reason: &str| Err(ConfigError::invalid(LISTENERS, value, reason).into());
    if bound.is_empty() {
        return refuse("", "at least one listener that is not a controller's is needed");
    }
    for (at, one) in bound.iter().enumerate() {
        for other in &bound[at + 1..] {
            if one.name == other.name {
                return refuse(&one.name, "each listener must have a different name");
            }
            if one.port != 0 && one.port == other.port && one.host == other.host {
                return refuse(&one.port.to_string(), "each listener must have a different port");
            }
        }
    }
    Ok(())
}

fn protocol_map(text: &str) -> HashMap<&str, &str> {
    text.split(',')
        .filter_map(|entry| entry.trim().split_once(':'))
        .collect()
}

fn check_protocol(name: &str, protocols: &HashMap<&str, &str>, value: &str) -> Result<(), ServerError> {
    let own = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
        .contains(&name)
        .then_some(name);
    match protocols.get(name).copied().or(own) {
        Some("PLAINTEXT") => Ok(()),
        Some(protocol) => Err(ServerError::Unsupported {
            key: LISTENERS,
            value: value.to_owned(),
            reason: format!("its protocol is {protocol}; PLAINTEXT listeners are supported"),
        }),
        None => Err(ConfigError::invalid(
            LISTENERS,
            value,
            format!("no security protocol is given for {name} in listener.security.protocol.map"),
        )
        .into()),
    }
}

fn advertised_by_name(parsed: &ParsedConfig) -> Result<HashMap<String, Advertised>, ServerError> {
    let mut by_name = HashMap::new();
    for text in parsed.opt_list(ADVERTISED_LISTENERS).unwrap_or(&[]) {
        let Endpoint { name, host, port } = parse_endpoint(ADVERTISED_LISTENERS, text)?;
        if host.is_empty() {
            continue;
        }
        if host == "0.0.0.0" || host == "::" {
            let reason = "0.0.0.0 is no address a client can connect to; name one";
            return Err(ConfigError::invalid(ADVERTISED_LISTENERS, text, reason).into());
        }
        by_name.insert(name, Advertised { host, port });
    }
    Ok(by_name)
}

struct Endpoint {
    name: String,
    host: String,
    port: u16,
}

/// Reads `NAME://HOST:PORT`; IPv6 hosts stand in brackets.
fn parse_endpoint(key: &str, text: &str) -> Result<Endpoint, ConfigError> {
    let refuse = || ConfigError::invalid(key, text, "expected NAME://HOST:PORT");
    let (name, address) = text.trim().split_once("://").ok_or_else(refuse)?;
    let (host, port) = address.rsplit_once(':').ok_or_else(refuse)?;
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let port = port.parse().map_err(|_| refuse())?;
    Ok(Endpoint {
        name: name.to_uppercase(),
        host: host.to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use weir_config::map::ConfigMap;

    use super::*;
    use crate::config_table::BROKER_DEF;

    fn listeners(entries: &[(&str, &str)]) -> Result<Listeners, ServerError> {
        let map: ConfigMap = entries.iter().copied().collect();
        parse_listeners(&BROKER_DEF.parse(&map).unwrap())
    }

    #[test]
    fn the_stock_file_keeps_plaintext_and_drops_the_controller() {
        let parsed = listeners(&[
            ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
            (
                "advertised.listeners",
                "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
            ),
            ("controller.listener.names", "CONTROLLER"),
            (
                "listener.security.protocol.map",
                "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL",
            ),
        ])
        .unwrap();
        assert_eq!(parsed.dropped, ["CONTROLLER"]);
        let advertised = Some(Advertised {
            host: "localhost".to_owned(),
            port: 9092,
        });
        let name = "PLAINTEXT".to_owned();
        assert_eq!(
            parsed.bound,
            [ListenerSpec {
                name,
                host: String::new(),
                port: 9092,
                advertised
            }]
        );
    }

    #[test]
    fn several_names_and_ipv6() {
        let parsed = listeners(&[
            ("listeners", "INSIDE://[::1]:19092, outside://10.0.0.1:9092"),
            ("listener.security.protocol.map", "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT"),
        ])
        .unwrap();
        let hosts: Vec<_> = parsed.bound.iter().map(|listener| listener.host.as_str()).collect();
        assert_eq!(hosts, ["::1", "10.0.0.1"]);
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_name() {
        for (key, value, named) in [
            ("listeners", "SASL_SSL://:9092", "SASL_SSL"),
            ("listeners", "SSL://:9092", "SSL"),
            ("listeners", "NEW://:9092", "listener.security.protocol.map"),
            ("listeners", "PLAINTEXT://:notaport", "HOST:PORT"),
            ("listeners", "PLAINTEXT://:1,PLAINTEXT://:2", "different name"),
            ("listeners", "CONTROLLER://:9093", "at least one listener"),
            ("advertised.listeners", "PLAINTEXT://0.0.0.0:9092", "0.0.0.0"),
        ] {
            let error = listeners(&[(key, value)]).unwrap_err().to_string();
            assert!(error.contains(named), "{value}: {error}");
        }
    }
}
