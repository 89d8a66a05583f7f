//! The ready file: addresses of all roles once they answer.
//!
//! Written to a temporary name and renamed, so that whoever waits for it never reads half of it.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use serde_json::json;

/// Addresses of the roles; none = the role does not run.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    /// Kafka listener.
    pub(crate) kafka: Option<SocketAddr>,
    /// Schema Registry.
    pub(crate) registry: Option<SocketAddr>,
    /// REST proxy.
    pub(crate) rest_proxy: Option<SocketAddr>,
    /// Connect REST: a URL.
    pub(crate) connect: Option<String>,
    /// Metrics of a broker alone; the other roles show theirs on their own ports.
    pub(crate) metrics: Option<SocketAddr>,
}

impl Ready {
    /// The JSON text of the ready file.
    pub(crate) fn json(&self, pid: u32) -> String {
        let url = |address: Option<SocketAddr>| address.map(|address| format!("http://{address}"));
        json!({
            "kafka": self.kafka.map(|address| address.to_string()),
            "registry": url(self.registry),
            "rest_proxy": url(self.rest_proxy),
            "connect": self.connect,
            "metrics": url(self.metrics),
            "pid": pid,
        })
        .to_string()
    }

    /// Writes the file atomically.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        write_atomically(path, &self.json(std::process::id()))
    }
}

/// Writes a ready file under a temporary name and renames it.
pub(crate) fn write_atomically(path: &Path, text: &str) -> anyhow::Result<()> {
    let temporary = path.with_extension(format!("tmp{}", std::process::id()));
    let written = std::fs::File::create(&temporary)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&temporary, path));
    written.with_context(|| format!("cannot write the ready file {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_that_do_not_run_are_null() {
        let ready = Ready {
            kafka: "127.0.0.1:9092".parse().ok(),
            connect: Some("https://[::1]:8083".to_owned()),
            ..Ready::default()
        };
        assert_eq!(
            ready.json(7),
            r#"{"kafka":"127.0.0.1:9092","registry":null,"rest_proxy":null,"connect":"https://[::1]:8083","metrics":null,"pid":7}"#
        );
    }
}
