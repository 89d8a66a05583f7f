//! Name look-up with the address check in it
//!
//! The client connects to what this answers and asks nobody else, so no name can change between check and connect.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address::{AddressRange, is_public};

/// Longest look-up; the system's own may take much longer.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks for the addresses of a name.
type Asking = dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync;

/// Who answers look-ups: the system unless a test says otherwise.
#[derive(Clone, Default)]
pub struct Lookup(Option<Arc<Asking>>);

impl Lookup {
    /// Answers by a function.
    pub fn by(ask: impl Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(ask)))
    }

    async fn ask(&self, host: String) -> io::Result<Vec<IpAddr>> {
        if let Some(ask) = &self.0 {
            return ask(host).await;
        }
        let found = tokio::net::lookup_host((host, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Lookup(test)"
        } else {
            "Lookup(system)"
        })
    }
}

/// Addresses that a connection may go to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum AddressRule {
    /// The host was named literally.
    Any,
    /// A wildcard covers the host: public addresses, and those that a grant names.
    Public { besides: BTreeSet<AddressRange> },
}

impl AddressRule {
    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Public { besides } => is_public(address) || besides.iter().any(|range| range.contains(address)),
        }
    }
}

/// An address was found that the rule does not allow.
#[derive(Debug, thiserror::Error)]
#[error("{host} resolves to {address}, which is not public and which no grant names")]
pub(crate) struct ProhibitedAddress {
    host: String,
    address: IpAddr,
}

/// The name has no address, or nobody could be asked.
#[derive(Debug, thiserror::Error)]
#[error("{host} cannot be looked up")]
pub(crate) struct LookupFailed {
    host: String,
    #[source]
    source: io::Error,
}

/// Looks names up and refuses them when any address is not allowed.
pub(crate) struct CheckedLookup {
    pub(crate) lookup: Lookup,
    pub(crate) rule: AddressRule,
}

impl Resolve for CheckedLookup {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, rule) = (self.lookup.clone(), self.rule.clone());
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let asked = tokio::time::timeout(LOOKUP_TIMEOUT, lookup.ask(host.clone())).await;
            let answered = asked.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()));
            let found = match answered {
                Ok(found) if found.is_empty() => Err(io::ErrorKind::NotFound.into()),
                other => other,
            };
            let found = found.map_err(|source| LookupFailed {
                host: host.clone(),
                source,
            })?;
            if let Some(address) = found.iter().copied().find(|address| !rule.allows(*address)) {
                tracing::warn!(host, %address, "HTTP request denied: the address is not public and no grant names it");
                return Err(ProhibitedAddress { host, address }.into());
            }
            // The client puts the port of the URL in.
            let addresses = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}
