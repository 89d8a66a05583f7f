//! wasi:http over the worker's clients, denied unless granted
//!
//! A guest's request is judged by name, waits for the operator's budget, gets the secrets it refers to where its
//! destination may see them, and goes out over a client that connects to allowed addresses only. Redirects are answers
//! like any other: the guest sees them and every hop is judged. The parts are in `egress/`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, HeaderValue, USER_AGENT};
use tokio::sync::Semaphore;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::egress::body::{Incoming, Outgoing, outgoing};
use crate::egress::clients::{HttpClients, Route};
use crate::egress::connect::with_connect_limit;
use crate::egress::errors::{Stage, wasi_error};
use crate::egress::fill::Fillable;
use crate::egress::lookup::AddressRule;
use crate::egress::settings::ProxyUrl;
use crate::limits::{MAX_CONNECT_LIMIT, MAX_HTTP_IN_FLIGHT, MAX_RESPONSE_HEADER_BYTES, MAX_SILENCE};
use crate::policy::{Destination, Network, PROXY_KEY, Policy};
use crate::secrets::Secrets;
use crate::stop::StopSignal;

/// What servers see of a guest that says nothing about itself.
const OWN_USER_AGENT: &str = concat!("weir/", env!("CARGO_PKG_VERSION"));

type SendOutcome = Result<
    (
        http::Response<WasiBody>,
        Box<dyn Future<Output = Result<(), Error>> + Send>,
    ),
    Error,
>;

/// The hook through which one instance's requests go out.
#[derive(Clone)]
pub(crate) struct Egress {
    clients: HttpClients,
    policy: Arc<Policy>,
    secrets: Arc<Secrets>,
    in_flight: Arc<Semaphore>,
    stop: StopSignal,
}

impl Egress {
    pub(crate) fn new(clients: HttpClients, policy: Arc<Policy>, secrets: Arc<Secrets>, stop: StopSignal) -> Self {
        Self {
            clients,
            policy,
            secrets,
            in_flight: Arc::new(Semaphore::new(MAX_HTTP_IN_FLIGHT)),
            stop,
        }
    }

    pub(crate) fn set_policy(&mut self, policy: Arc<Policy>) {
        self.policy = policy;
    }
}

impl WasiHttpHooks for Egress {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _done: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = SendOutcome> + Send> {
        let egress = self.clone();
        let stop = self.stop.clone();
        Box::new(async move {
            tokio::select! {
                biased;
                outcome = egress.send(request, Limits::of(options)) => outcome,
                () = stop.cut() => Err(Error::ConnectionTerminated),
            }
        })
    }
}

/// How long the parts of an exchange may take: what the guest says, within what the host allows.
#[derive(Debug, Clone, Copy)]
struct Limits {
    connect: Duration,
    /// Until the whole head of the answer is there, from the connection on.
    head: Duration,
    between_bytes: Duration,
}

impl Limits {
    fn of(options: Option<RequestOptions>) -> Self {
        let within = |wish: Option<Duration>, cap: Duration| wish.unwrap_or(cap).min(cap);
        Self {
            connect: within(options.and_then(|options| options.connect_timeout), MAX_CONNECT_LIMIT),
            head: within(options.and_then(|options| options.first_byte_timeout), MAX_SILENCE),
            between_bytes: within(options.and_then(|options| options.between_bytes_timeout), MAX_SILENCE),
        }
    }
}

impl Egress {
    async fn send(self, request: http::Request<WasiBody>, limits: Limits) -> SendOutcome {
        let (mut head, body) = request.into_parts();
        let mut url = url_of(&head.uri)?;
        let route = self.route(&url)?;
        let closed = |_| Error::ConnectionLimitReached;
        let permit = Arc::clone(&self.in_flight).acquire_owned().await.map_err(closed)?;
        let mut body = outgoing(body).await?;
        self.fill(&mut url, &mut head.headers, &mut body)?;
        let (host, port) = target(&url)?;
        self.clients.host_budgets().wait(&host, port).await;

        // The client writes its own Host header from the URL, which is the one that was judged.
        head.headers.remove(HOST);
        if let Outgoing::Whole(bytes) = &body {
            // Filled in it may be longer, and the client knows its length.
            head.headers.remove(CONTENT_LENGTH);
            let is_bodiless = matches!(head.method, http::Method::GET | http::Method::HEAD);
            if bytes.is_empty() && !is_bodiless {
                head.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
        }
        head.headers
            .entry(USER_AGENT)
            .or_insert(HeaderValue::from_static(OWN_USER_AGENT));
        let client = self.clients.get(&route).await?;
        let mut outgoing = client.request(head.method, url).headers(head.headers);
        if !matches!(&body, Outgoing::Whole(bytes) if bytes.is_empty()) {
            outgoing = outgoing.body(body);
        }
        let sent = with_connect_limit(limits.connect, outgoing.send());
        let response = tokio::time::timeout(limits.connect + limits.head, sent)
            .await
            .map_err(|_elapsed| Error::ConnectionReadTimeout)?
            .map_err(|error| wasi_error(error, Stage::Head))?;
        let response: http::Response<reqwest::Body> = response.into();
        check_head(response.headers())?;
        let incoming = Incoming {
            permit,
            stop: self.stop,
            between_bytes: limits.between_bytes,
        };
        Ok((response.map(|body| incoming.body(body)), Box::new(async { Ok(()) })))
    }

    /// Judges the destination and finds the way to it.
    fn route(&self, url: &reqwest::Url) -> Result<Route, Error> {
        let (host, port) = target(url)?;
        let rule = self.judge(&host, port)?;
        // An address in the URL is looked up by nobody, so it is judged here.
        let literal = host.trim_matches(['[', ']']).parse();
        if literal.is_ok_and(|address| !rule.allows(address)) {
            tracing::warn!(
                host,
                "HTTP request denied: the address is not public and no grant names it"
            );
            return Err(Error::DestinationIpProhibited);
        }
        let proxy = self.proxy(&host)?;
        Ok(match proxy {
            None => Route { rule, proxy: None },
            // From here on names are the proxy's to look up.
            Some((proxy, rule)) => Route {
                rule,
                proxy: Some(proxy),
            },
        })
    }

    fn judge(&self, host: &str, port: u16) -> Result<AddressRule, Error> {
        let destination = self.policy.destination(Network::Http, host, port).map_err(|reason| {
            tracing::warn!(reason, "HTTP request denied");
            Error::HttpRequestDenied
        })?;
        Ok(match destination {
            Destination::Any => AddressRule::Any,
            Destination::PublicOnly => AddressRule::Public {
                besides: self.policy.granted_ranges(Network::Http, port).collect::<BTreeSet<_>>(),
            },
        })
    }

    /// The connector's own proxy, which is judged as any host is, or the operator's, which is not.
    fn proxy(&self, host: &str) -> Result<Option<(ProxyUrl, AddressRule)>, Error> {
        if let Some(text) = self.policy.own_proxy() {
            let proxy = ProxyUrl::parse(text).map_err(|reason| {
                Error::InternalError(Some(format!("invalid value for configuration {PROXY_KEY}: {reason}")))
            })?;
            if let Some(password) = proxy.password() {
                self.secrets.note_secret(password);
            }
            let rule = self.judge(proxy.host(), proxy.port())?;
            if let Ok(address) = proxy.host().trim_matches(['[', ']']).parse()
                && !rule.allows(address)
            {
                return Err(Error::DestinationIpProhibited);
            }
            return Ok(Some((proxy, rule)));
        }
        // What runs on this machine is behind no proxy.
        let is_own_machine = host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        let proxy = self.clients.proxy().filter(|_| !is_own_machine);
        Ok(proxy.map(|proxy| (proxy.clone(), AddressRule::Any)))
    }

    /// Puts secrets in, where the connector's own settings name the destination.
    fn fill(&self, url: &mut reqwest::Url, headers: &mut http::HeaderMap, body: &mut Outgoing) -> Result<(), Error> {
        let (host, port) = target(url)?;
        let whole: Option<&mut Bytes> = match body {
            Outgoing::Whole(bytes) => Some(bytes),
            Outgoing::Streamed(..) => None,
        };
        let mut parts = Fillable {
            url,
            headers,
            body: whole,
        };
        if !parts.needs_secrets(&self.secrets) {
            return Ok(());
        }
        self.policy.may_see_secrets(&host, port).map_err(|reason| {
            tracing::warn!(reason, "HTTP request denied: it holds a secret");
            Error::HttpRequestDenied
        })?;
        parts.fill(&self.secrets)
    }
}

/// Reads the URL as the client will, so that what is judged is what is asked: `http://2130706433/` is an address.
fn url_of(uri: &http::Uri) -> Result<reqwest::Url, Error> {
    let url = reqwest::Url::parse(&uri.to_string()).map_err(|_| Error::HttpRequestUriInvalid)?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    if !is_plain || !matches!(url.scheme(), "http" | "https") {
        return Err(Error::HttpRequestUriInvalid);
    }
    Ok(url)
}

fn target(url: &reqwest::Url) -> Result<(String, u16), Error> {
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or(Error::HttpRequestUriInvalid)?.to_owned();
    let port = url.port_or_known_default().ok_or(Error::HttpRequestUriInvalid)?;
    Ok((host, port))
}

fn check_head(headers: &http::HeaderMap) -> Result<(), Error> {
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    if bytes <= MAX_RESPONSE_HEADER_BYTES {
        return Ok(());
    }
    let limit = u32::try_from(MAX_RESPONSE_HEADER_BYTES).unwrap_or(u32::MAX);
    Err(Error::HttpResponseHeaderSectionSize(Some(limit)))
}

#[cfg(test)]
mod tests;
