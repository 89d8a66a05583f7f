//! Requests through a proxy

use super::*;

/// A proxy that answers requests in absolute form by itself, and what it was asked.
async fn proxy() -> (String, Arc<Mutex<Vec<String>>>) {
    let (port, requests) = serve(HELLO).await;
    (format!("http://user:pr0xy-pass@127.0.0.1:{port}"), requests)
}

#[tokio::test]
async fn the_connectors_proxy_is_used_and_looks_names_up() {
    let (proxy, requests) = proxy().await;
    let lookup =
        Lookup::by(|name| Box::pin(async move { Err(std::io::Error::other(format!("{name} was looked up here"))) }));
    let setup = Setup::bundled("http://api.test")
        .setting("http.proxy.url", &proxy)
        .lookup(lookup);
    let mut egress = setup.egress();
    assert_eq!(
        get(&mut egress, "http://api.test/items").await.expect("is answered").0,
        200
    );
    let seen = requests.lock().join("");
    assert!(seen.starts_with("GET http://api.test/items HTTP/1.1\r\n"), "{seen}");
    assert!(seen.to_lowercase().contains("proxy-authorization: basic "), "{seen}");
    let denied = get(&mut egress, "http://other.test/").await;
    assert!(matches!(denied, Err(Error::HttpRequestDenied)), "{denied:?}");
    assert_eq!(egress.secrets.redact("pr0xy-pass"), "[hidden]");
}

#[tokio::test]
async fn the_operators_proxy_is_used_but_for_this_machine() {
    let (proxy, requests) = proxy().await;
    let (port, direct) = serve(HELLO).await;
    let own = url_at(port);
    let setup = Setup::bundled(&format!("http://api.test,{own}")).worker(&[("weir.http.proxy", &proxy)]);
    let mut egress = setup.egress();
    assert_eq!(
        get(&mut egress, "http://api.test/items").await.expect("is answered").0,
        200
    );
    assert_eq!(get(&mut egress, &own).await.expect("is answered").0, 200);
    assert_eq!((requests.lock().len(), direct.lock().len()), (1, 1));
}

#[tokio::test]
async fn a_connectors_proxy_needs_a_grant_as_any_host_does() {
    let (proxy, requests) = proxy().await;
    let setup = Setup::stranger("*:*", "http:*:*").setting("http.proxy.url", &proxy);
    let denied = get(&mut setup.egress(), "http://93.184.216.34/").await;
    assert!(matches!(denied, Err(Error::DestinationIpProhibited)), "{denied:?}");
    let literal = Setup {
        grants: "http:*:*,http:127.0.0.1:*",
        ..setup
    };
    assert_eq!(
        get(&mut literal.egress(), "http://93.184.216.34/")
            .await
            .expect("is answered")
            .0,
        200
    );
    let inside = get(&mut literal.egress(), "http://10.0.0.1/").await;
    assert!(matches!(inside, Err(Error::DestinationIpProhibited)), "{inside:?}");
    assert_eq!(requests.lock().len(), 1);
}

#[tokio::test]
async fn a_tunnel_that_the_proxy_refuses_is_an_error_that_says_so() {
    let (port, requests) = serve("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
    let setup = Setup::bundled("https://api.test").setting("http.proxy.url", &format!("http://127.0.0.1:{port}"));
    let outcome = get(&mut setup.egress(), "https://api.test/").await;
    assert!(
        matches!(&outcome, Err(Error::InternalError(Some(text))) if text.contains("tunnel")),
        "{outcome:?}"
    );
    assert!(requests.lock().join("").starts_with("CONNECT api.test:443 "));
}
