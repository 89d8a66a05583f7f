//! Where a request may carry secrets

use super::*;

const SECRET: &str = "s3cr3t-value";

/// The hook, and the reference under which its guest knows the secret.
fn with_token(setup: &Setup) -> (Egress, String) {
    let egress = setup.egress();
    let config: ConfigMap = [("token", SECRET)].into_iter().collect();
    let reference = egress.secrets.conceal(&config).get("token").expect("kept").to_owned();
    (egress, reference)
}

fn bearer(url: &str, reference: &str) -> http::Request<WasiBody> {
    http::Request::get(url)
        .header("authorization", format!("Bearer {reference}"))
        .body(empty())
        .expect("is a request")
}

#[tokio::test]
async fn the_hosts_of_the_connectors_own_settings_see_the_secret() {
    let (port, requests) = serve(HELLO).await;
    let url = url_at(port);
    let (mut egress, token) = with_token(&Setup::bundled(&url));
    assert_eq!(
        send(&mut egress, bearer(&url, &token)).await.expect("is answered").0,
        200
    );
    let request = http::Request::post(format!("{url}&key={token}"))
        .header("content-type", "application/json")
        .header("content-length", 16 + token.len())
        .header("authorization", format!("Basic user:{token}"))
        .body(body_of(&format!(r#"{{"password": "{token}"}}"#)))
        .expect("is a request");
    assert_eq!(send(&mut egress, request).await.expect("is answered").0, 200);
    let seen = requests.lock();
    let request = |at: usize| seen.get(at).cloned().unwrap_or_default();
    assert!(
        request(0).contains(&format!("authorization: Bearer {SECRET}\r\n")),
        "{}",
        request(0)
    );
    assert!(
        request(1).starts_with(&format!("POST /path?q=1&key={SECRET} ")),
        "{}",
        request(1)
    );
    assert!(
        request(1).contains("authorization: Basic dXNlcjpzM2NyM3QtdmFsdWU=\r\n"),
        "{}",
        request(1)
    );
    assert!(
        request(1).ends_with(&format!(r#"{{"password": "{SECRET}"}}"#)),
        "{}",
        request(1)
    );
    assert!(!seen.join("").contains(&token));
}

#[tokio::test]
async fn another_host_sees_no_secret_even_where_a_grant_covers_it() {
    let (port, requests) = serve(HELLO).await;
    let (other_port, other_requests) = serve(HELLO).await;
    let url = url_at(port);
    // A stranger may ask anybody on loopback, and send secrets.
    let setup = Setup {
        grants: "http:127.0.0.1:*,secrets,config",
        origin: Origin::PluginPath,
        ..Setup::bundled(&url)
    };
    let policy = |egress: &mut Egress| {
        let settings: ConfigMap = [("weir.grants.C", setup.grants)].into_iter().collect();
        let granted = Grants::parse(&settings).expect("parses").for_class(["C"], setup.origin);
        let asked = vec![
            Capability::Http("config:url".to_owned()),
            Capability::Http("127.0.0.1:*".to_owned()),
            Capability::Secrets,
        ];
        egress.set_policy(Arc::new(Policy::new(
            asked,
            Arc::new(granted),
            Arc::new(setup.settings.clone()),
        )));
    };
    let (mut egress, token) = with_token(&setup);
    policy(&mut egress);
    assert_eq!(
        send(&mut egress, bearer(&url, &token)).await.expect("is answered").0,
        200
    );
    // As after a redirect: the same headers to the other port of the same host.
    let foreign = url_at(other_port);
    let refused = send(&mut egress, bearer(&foreign, &token)).await;
    assert!(matches!(refused, Err(Error::HttpRequestDenied)), "{refused:?}");
    let refused = get(&mut egress, &format!("{foreign}&key={token}")).await;
    assert!(matches!(refused, Err(Error::HttpRequestDenied)), "{refused:?}");
    assert!(other_requests.lock().is_empty(), "nothing was sent");
    assert_eq!(get(&mut egress, &foreign).await.expect("without the secret").0, 200);
    assert_eq!(requests.lock().len(), 1);
}

#[tokio::test]
async fn secrets_need_their_own_grant() {
    let (port, requests) = serve(HELLO).await;
    let url = url_at(port);
    let setup = Setup {
        grants: "config",
        origin: Origin::PluginPath,
        ..Setup::bundled(&url)
    };
    let (mut egress, token) = with_token(&setup);
    let refused = send(&mut egress, bearer(&url, &token)).await;
    assert!(matches!(refused, Err(Error::HttpRequestDenied)), "{refused:?}");
    assert!(requests.lock().is_empty(), "nothing was sent");
    let bundled = Setup {
        grants: "config",
        ..Setup::bundled(&url)
    };
    let (mut egress, token) = with_token(&bundled);
    assert_eq!(
        send(&mut egress, bearer(&url, &token)).await.expect("is answered").0,
        200
    );
}

#[tokio::test]
async fn an_error_shows_no_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let url = format!("http://{}/?key=", listener.local_addr().expect("has one"));
    drop(listener);
    let (mut egress, token) = with_token(&Setup::bundled(&url));
    let refused = get(&mut egress, &format!("{url}{token}")).await;
    assert!(!format!("{refused:?}").contains(SECRET), "{refused:?}");
}
