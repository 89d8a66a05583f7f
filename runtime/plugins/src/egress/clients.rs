//! The worker's HTTP clients
//!
//! All guests share them and so their connections. Connections are kept apart where rules differ: each client connects by
//! one address rule and through one proxy, so what a wildcard grant forbids cannot come out of its pool.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use reqwest::redirect;
use rustls_platform_verifier::Verifier;
use tokio::sync::OnceCell;

use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use wasmtime_wasi_http::Error;

use crate::egress::budgets::HostBudgets;
use crate::egress::connect::ConnectLimit;
use crate::egress::lookup::{AddressRule, CheckedLookup};
use crate::egress::settings::{HttpSettings, ProxyUrl};
use crate::host::budget::Budgets;

/// Clients that are kept; the one that was made first goes when there is one more.
const MAX_CLIENTS: usize = 64;
/// How long a connection is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(90);
/// Unused connections that a client keeps for each host.
const MAX_IDLE_PER_HOST: usize = 32;

/// The clients and budgets of a worker; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct HttpClients {
    settings: Arc<HttpSettings>,
    /// Made by the first request: reading the machine's certificates takes longer than a worker's start may.
    tls: Arc<OnceCell<ClientConfig>>,
    /// Oldest first.
    clients: Arc<Mutex<Vec<(Route, reqwest::Client)>>>,
    budgets: Budgets,
    host_budgets: Arc<HostBudgets>,
}

/// What tells clients apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// Of the proxy's address where there is one, else of the destination's.
    pub(crate) rule: AddressRule,
    pub(crate) proxy: Option<ProxyUrl>,
}

impl HttpClients {
    pub(crate) fn new(settings: HttpSettings) -> Self {
        Self {
            host_budgets: Arc::new(HostBudgets::new(&settings.budgets)),
            settings: Arc::new(settings),
            tls: Arc::default(),
            clients: Arc::default(),
            budgets: Budgets::default(),
        }
    }

    /// Budgets that connectors set for themselves.
    pub(crate) fn budgets(&self) -> Budgets {
        self.budgets.clone()
    }

    /// Budgets that the operator set for hosts.
    pub(crate) fn host_budgets(&self) -> &HostBudgets {
        &self.host_budgets
    }

    /// The operator's proxy.
    pub(crate) fn proxy(&self) -> Option<&ProxyUrl> {
        self.settings.proxy.as_ref()
    }

    /// Gives the client of a route.
    pub(crate) async fn get(&self, route: &Route) -> Result<reqwest::Client, Error> {
        let tls = self
            .tls
            .get_or_try_init(|| make_tls(self.settings.roots.clone()))
            .await?;
        let mut clients = self.clients.lock();
        if let Some((_, client)) = clients.iter().find(|(made, _)| made == route) {
            return Ok(client.clone());
        }
        let client = self.make(route, tls.clone()).map_err(|error| internal(&error))?;
        if clients.len() >= MAX_CLIENTS {
            clients.remove(0);
        }
        clients.push((route.clone(), client.clone()));
        Ok(client)
    }

    fn make(&self, route: &Route, tls: ClientConfig) -> Result<reqwest::Client, reqwest::Error> {
        let lookup = CheckedLookup {
            lookup: self.settings.lookup.clone(),
            rule: route.rule.clone(),
        };
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .dns_resolver(Arc::new(lookup))
            .connector_layer(ConnectLimit)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE_PER_HOST);
        let builder = match &route.proxy {
            Some(proxy) => builder.proxy(reqwest::Proxy::all(proxy.url())?),
            None => builder,
        };
        builder.build()
    }
}

/// Reads the machine's roots, once for all clients.
async fn make_tls(extra: Vec<CertificateDer<'static>>) -> Result<ClientConfig, Error> {
    let make = move || {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder =
            ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let config = match Verifier::new_with_extra_roots(extra.clone(), provider) {
            Ok(verifier) => builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)),
            // A machine without certificates can still ask over plain HTTP.
            Err(error) => {
                tracing::warn!(%error, "the machine's certificates cannot be read, HTTPS trusts the operator's only");
                let mut store = RootCertStore::empty();
                store.add_parsable_certificates(extra);
                builder.with_root_certificates(store)
            }
        };
        Ok::<_, tokio_rustls::rustls::Error>(config.with_no_client_auth())
    };
    tokio::task::spawn_blocking(make)
        .await
        .map_err(|error| internal(&error))?
        .map_err(|error| internal(&error))
}

fn internal(error: &dyn std::error::Error) -> Error {
    Error::InternalError(Some(error.to_string()))
}
