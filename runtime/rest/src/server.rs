//! The REST server: sockets first, then routes, then a graceful end.
//!
//! Sockets are bound before the worker starts; requests that come earlier wait in the backlog. Admin resources may have listeners of
//! their own. The routes themselves are in `routes.rs`.

use std::future::IntoFuture as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;
use weir_config::properties::Properties;
use weir_herder::handle::HerderHandle;
use weir_metrics::registry::MetricRegistry;
use weir_secrets::error::SecretsError;

use crate::forward::Forwarder;
use crate::incoming::Incoming;
use crate::rest_config::{AdminListeners, Advertised, Listener, RestConfig, RestConfigError, Scheme};
use crate::routes::{Resources, router};
use crate::tls::server_config;

/// How long requests in flight may take once the worker stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// What the handlers need.
#[derive(Debug, Clone)]
pub struct Api {
    /// The herder's door.
    pub herder: HerderHandle,
    /// `host:port` of this worker, used where a request names no host.
    pub worker_id: String,
    /// Passes requests on to other workers.
    pub forwarder: Forwarder,
    /// How the listener of a request is spoken to.
    pub scheme: Scheme,
    /// What this process measures, shown at `/metrics`.
    pub metrics: MetricRegistry,
}

/// Sockets that cannot be had.
#[derive(Debug, Error)]
pub enum BindError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] RestConfigError),
    /// The TLS settings of a listener are wrong.
    #[error(transparent)]
    Tls(#[from] SecretsError),
    /// The port is taken, or the host is not of this machine.
    #[error(
        "REST cannot listen on {address}: {source}; stop what uses the port, or choose another (listeners, --connect-port)"
    )]
    Socket {
        /// What was wanted.
        address: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

#[derive(Debug)]
struct Bound {
    socket: TcpListener,
    address: SocketAddr,
    scheme: Scheme,
    resources: Resources,
    tls: Option<Arc<ServerConfig>>,
}

/// Bound sockets, not yet serving.
#[derive(Debug)]
pub struct BoundRest {
    config: RestConfig,
    bound: Vec<Bound>,
}

/// How other workers reach this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvertisedUrl {
    /// http or https.
    pub scheme: Scheme,
    /// Host and port; the worker's id.
    pub authority: String,
}

impl AdvertisedUrl {
    /// The URL, with a slash at its end as the group protocol carries it.
    pub fn url(&self) -> String {
        format!("{}://{}/", self.scheme.name(), self.authority)
    }
}

impl BoundRest {
    /// Reads the settings and binds all listeners.
    ///
    /// *Errors*: [`BindError`]; every text names the setting or the address.
    pub async fn bind(properties: &Properties) -> Result<Self, BindError> {
        let config = RestConfig::from_properties(properties)?;
        let (resources, own) = match &config.admin {
            AdminListeners::Shared => (Resources::All, &[][..]),
            AdminListeners::Off => (Resources::Main, &[][..]),
            AdminListeners::Own(listeners) => (Resources::Main, listeners.as_slice()),
        };
        let mut bound = Vec::new();
        for listener in &config.listeners {
            bound.push(bind(listener, resources, &config.tls).await?);
        }
        for listener in own {
            bound.push(bind(listener, Resources::Admin, &config.admin_tls).await?);
        }
        Ok(BoundRest { config, bound })
    }

    /// The address of the first listener, with the real port.
    pub fn address(&self) -> SocketAddr {
        let unbound = SocketAddr::from(([0, 0, 0, 0], 0));
        self.bound.first().map_or(unbound, |bound| bound.address)
    }

    /// The URL of the first listener, with the real port.
    pub fn url(&self) -> String {
        let scheme = self.bound.first().map_or(Scheme::Http, |bound| bound.scheme);
        format!("{}://{}", scheme.name(), self.address())
    }

    /// The `ssl.*` settings of requests to other workers: those of the listeners.
    pub fn client_tls(&self) -> &Properties {
        &self.config.tls
    }

    /// The addresses of all admin listeners.
    pub fn admin_addresses(&self) -> Vec<SocketAddr> {
        let own = self.bound.iter().filter(|bound| bound.resources == Resources::Admin);
        own.map(|bound| bound.address).collect()
    }

    /// How others reach this worker; `host_name` stands in where all interfaces are bound.
    pub fn advertised(&self, host_name: &str) -> AdvertisedUrl {
        let main: Vec<(Scheme, SocketAddr)> = self
            .bound
            .iter()
            .filter(|bound| bound.resources != Resources::Admin)
            .map(|bound| (bound.scheme, bound.address))
            .collect();
        advertised_url(&self.config.advertised, &main, host_name)
    }

    /// Serves until `shutdown`, then lets requests in flight end for a moment.
    pub async fn serve(self, api: Api, shutdown: CancellationToken) -> io::Result<()> {
        let mut servers = JoinSet::new();
        for bound in self.bound {
            let api = Api {
                scheme: bound.scheme,
                ..api.clone()
            };
            let routes = router(api, bound.resources, &self.config);
            let incoming = Incoming::start(bound.socket, bound.address, bound.tls);
            let drained = shutdown.clone();
            let server = axum::serve(incoming, routes).with_graceful_shutdown(async move { drained.cancelled().await });
            servers.spawn(server.into_future());
        }
        let deadline = async {
            shutdown.cancelled().await;
            tokio::time::sleep(DRAIN_TIMEOUT).await;
        };
        let ends = async {
            while let Some(ended) = servers.join_next().await {
                ended.map_err(io::Error::other)??;
            }
            Ok(())
        };
        tokio::select! {
            biased;
            result = ends => result,
            () = deadline => Ok(()),
        }
    }
}

async fn bind(listener: &Listener, resources: Resources, tls: &Properties) -> Result<Bound, BindError> {
    let tls = match listener.scheme {
        Scheme::Http => None,
        Scheme::Https => Some(server_config(tls)?),
    };
    let wanted = listener.bind_address();
    let refused = |source| BindError::Socket {
        address: wanted.clone(),
        source,
    };
    let socket = TcpListener::bind(&wanted).await.map_err(refused)?;
    let address = socket.local_addr().map_err(refused)?;
    Ok(Bound {
        socket,
        address,
        scheme: listener.scheme,
        resources,
        tls,
    })
}

/// Apache's choice: the listener asked for, else the first http one, else the first of all.
fn advertised_url(wanted: &Advertised, bound: &[(Scheme, SocketAddr)], host_name: &str) -> AdvertisedUrl {
    let with = |scheme: Scheme| bound.iter().find(|(bound, _)| *bound == scheme);
    let chosen = match wanted.scheme {
        Some(scheme) => with(scheme),
        None => with(Scheme::Http),
    };
    let unbound = (Scheme::Http, SocketAddr::from(([0, 0, 0, 0], 0)));
    let (scheme, address) = chosen.or(bound.first()).copied().unwrap_or(unbound);
    let host = match (&wanted.host, address.ip()) {
        (Some(host), _) => host.clone(),
        (None, ip) if ip.is_unspecified() => host_name.to_owned(),
        (None, IpAddr::V6(ip)) => format!("[{ip}]"),
        (None, ip @ IpAddr::V4(_)) => ip.to_string(),
    };
    AdvertisedUrl {
        scheme: wanted.scheme.unwrap_or(scheme),
        authority: format!("{host}:{}", wanted.port.unwrap_or(address.port())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advertised_url_follows_the_listeners() {
        let at = |text: &str| text.parse::<SocketAddr>().expect("address");
        let https = (Scheme::Https, at("0.0.0.0:8443"));
        let http = (Scheme::Http, at("127.0.0.1:8083"));
        let none = Advertised::default();
        for (wanted, bound, expected) in [
            (none.clone(), vec![https, http], "http://127.0.0.1:8083/"),
            (none.clone(), vec![https], "https://here:8443/"),
            (none, vec![(Scheme::Http, at("[::1]:1"))], "http://[::1]:1/"),
            (
                Advertised {
                    scheme: Some(Scheme::Https),
                    ..Advertised::default()
                },
                vec![http, https],
                "https://here:8443/",
            ),
            (
                Advertised {
                    host: Some("h".to_owned()),
                    port: Some(80),
                    scheme: None,
                },
                vec![http],
                "http://h:80/",
            ),
        ] {
            assert_eq!(advertised_url(&wanted, &bound, "here").url(), expected);
        }
    }
}
