//! Servers that misbehave: an error with a name, in bounded time

use super::*;

/// Runs a server of one connection; what it does with it is the test's.
async fn with_server<F, Fut>(behave: F) -> (Setup, String)
where
    F: FnOnce(tokio::net::TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let url = format!("http://{}/", listener.local_addr().expect("has one"));
    tokio::spawn(async move {
        if let Ok((mut stream, _)) = listener.accept().await {
            read_request(&mut stream).await;
            behave(stream).await;
        }
    });
    (Setup::bundled(&url), url)
}

/// Sends the text and then nothing more, until the other side leaves.
async fn say_and_wait(mut stream: tokio::net::TcpStream, text: &str) {
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.read(&mut [0; 1]).await;
}

#[tokio::test]
async fn a_server_that_says_nothing_runs_into_the_first_byte_timeout() {
    let (setup, url) = with_server(|stream| async move { say_and_wait(stream, "").await }).await;
    let outcome = get(&mut setup.egress(), &url).await;
    assert!(matches!(outcome, Err(Error::ConnectionReadTimeout)), "{outcome:?}");
}

#[tokio::test]
async fn slow_headers_run_into_the_first_byte_timeout() {
    let (setup, url) = with_server(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        // A header every 20 ms, for ever.
        while stream.write_all(b"x-more: 1\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let outcome = get(&mut setup.egress(), &url).await;
    assert!(matches!(outcome, Err(Error::ConnectionReadTimeout)), "{outcome:?}");
}

#[tokio::test]
async fn a_body_that_stops_runs_into_the_timeout_between_bytes() {
    let (setup, url) = with_server(|stream| async move {
        say_and_wait(stream, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    })
    .await;
    let outcome = get(&mut setup.egress(), &url).await;
    assert!(matches!(outcome, Err(Error::ConnectionReadTimeout)), "{outcome:?}");
}

#[tokio::test]
async fn an_endless_body_is_read_only_as_far_as_the_guest_reads() {
    let (setup, url) = with_server(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
    })
    .await;
    let request = http::Request::get(&url).body(empty()).expect("is a request");
    let done = Box::new(async { Ok(()) });
    let mut egress = setup.egress();
    let (response, _) = Pin::from(egress.send_request(request, impatient(), done))
        .await
        .expect("has a head");
    let mut body = response.into_body();
    let mut read = 0;
    while read < 1_000_000 {
        let frame = body.frame().await.expect("goes on").expect("is sound");
        read += frame.into_data().map(|data| data.len()).unwrap_or(0);
    }
    assert_eq!(egress.in_flight.available_permits(), MAX_HTTP_IN_FLIGHT - 1);
    drop(body);
    assert_eq!(egress.in_flight.available_permits(), MAX_HTTP_IN_FLIGHT);
}

#[tokio::test]
async fn a_connection_cut_in_the_body_is_an_incomplete_response() {
    let (setup, url) = with_server(|mut stream| async move {
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
            .await;
    })
    .await;
    let outcome = get(&mut setup.egress(), &url).await;
    assert!(matches!(outcome, Err(Error::HttpResponseIncomplete)), "{outcome:?}");
    let (setup, url) = with_server(|mut stream| async move {
        let text = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
        let _ = stream.write_all(text).await;
    })
    .await;
    let outcome = get(&mut setup.egress(), &url).await;
    assert!(matches!(outcome, Err(Error::HttpResponseIncomplete)), "{outcome:?}");
}

#[tokio::test]
async fn a_connection_cut_before_the_head_is_a_terminated_connection() {
    for text in ["", "HTTP/1.1 200 OK\r\ncontent-le"] {
        let (setup, url) = with_server(move |mut stream| async move {
            let _ = stream.write_all(text.as_bytes()).await;
        })
        .await;
        let outcome = get(&mut setup.egress(), &url).await;
        assert!(
            matches!(outcome, Err(Error::ConnectionTerminated)),
            "{text}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn what_is_not_http_is_a_protocol_error() {
    for text in [
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "HTTP/1.1 9999 Too Much\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnot-a-size\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n",
    ] {
        let (setup, url) = with_server(move |stream| async move { say_and_wait(stream, text).await }).await;
        let outcome = get(&mut setup.egress(), &url).await;
        assert!(
            matches!(outcome, Err(Error::HttpProtocolError)),
            "{text:?}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_flood_of_headers_is_refused() {
    let many: String = (0..1000).map(|number| format!("x-{number}: 1\r\n")).collect();
    let large = format!("x-large: {}\r\n", "x".repeat(MAX_RESPONSE_HEADER_BYTES));
    let endless = format!("x-endless: {}", "x".repeat(1024 * 1024));
    for headers in [many, large, endless] {
        let text = format!("HTTP/1.1 200 OK\r\n{headers}content-length: 0\r\n\r\n");
        let (setup, url) = with_server(move |stream| async move { say_and_wait(stream, &text).await }).await;
        let outcome = get(&mut setup.egress(), &url).await;
        assert!(
            matches!(outcome, Err(Error::HttpResponseHeaderSectionSize(Some(65_536)))),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_name_that_leads_nowhere_runs_into_the_connect_timeout() {
    // Never answers: the look-up is part of connecting.
    let lookup = Lookup::by(|_| Box::pin(std::future::pending()));
    let setup = Setup::bundled("http://slow.test").lookup(lookup);
    let began = tokio::time::Instant::now();
    let outcome = get(&mut setup.egress(), "http://slow.test/").await;
    assert!(matches!(outcome, Err(Error::ConnectionTimeout)), "{outcome:?}");
    assert!(began.elapsed() < Duration::from_millis(550), "{:?}", began.elapsed());
}
