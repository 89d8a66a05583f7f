use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConnection, ServerConnection, Stream};

use super::*;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");
const SERVER: &str = "ssl.keystore.location=DATA/keys.jks\nssl.keystore.password=changeit\nssl.key.password=keypass\n";
const SELF: &str = "ssl.keystore.location=DATA/self.p12\nssl.keystore.password=changeit\n";
const TRUST: &str = "ssl.truststore.location=DATA/trust.jks\nssl.truststore.password=changeit\n";
const TRUST_SELF: &str = "ssl.truststore.location=DATA/self.p12\nssl.truststore.password=changeit\n";
const ANY_HOST: &str = "ssl.endpoint.identification.algorithm=\n";

fn properties(text: &str) -> Properties {
    Properties::parse(&text.replace("DATA", DATA)).expect("valid")
}

/// One handshake and one byte each way; the client's or else the server's error.
fn talk(server: &str, client: &str, host: &str) -> Result<(), String> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let accept = Arc::new(server_config(&properties(server)).map_err(|error| error.to_string())?);
    let config = Arc::new(client_config(&properties(client)).map_err(|error| error.to_string())?);
    let serving = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().map_err(|error| error.to_string())?;
        let mut tls = ServerConnection::new(accept).map_err(|error| error.to_string())?;
        let mut stream = Stream::new(&mut tls, &mut socket);
        let mut byte = [0];
        stream.read_exact(&mut byte).map_err(|error| error.to_string())?;
        stream.write_all(&byte).map_err(|error| error.to_string())
    });
    let asked = || {
        let mut socket = TcpStream::connect(address)?;
        let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
        let mut tls = ClientConnection::new(config, name).map_err(std::io::Error::other)?;
        let mut stream = Stream::new(&mut tls, &mut socket);
        stream.write_all(b"x")?;
        stream.read_exact(&mut [0])
    };
    let asked = asked().map_err(|error| error.to_string());
    let served = serving.join().expect("no panic");
    asked.and(served)
}

#[test]
fn servers_are_judged_by_chain_and_name() {
    for (server, client, host, expected) in [
        (SERVER, TRUST.to_owned(), "me.example", None),
        (SERVER, TRUST.to_owned(), "127.0.0.1", None),
        (SERVER, TRUST.to_owned(), "other.example", Some("not valid for name")),
        (SERVER, format!("{TRUST}{ANY_HOST}"), "other.example", None),
        (SERVER, TRUST_SELF.to_owned(), "me.example", Some("UnknownIssuer")),
        (
            SERVER,
            format!("{TRUST_SELF}{ANY_HOST}"),
            "me.example",
            Some("UnknownIssuer"),
        ),
        (SERVER, String::new(), "me.example", Some("UnknownIssuer")),
        // A certificate that is trusted itself, with nothing but a common name.
        (SELF, TRUST_SELF.to_owned(), "self.example", None),
        (SELF, TRUST_SELF.to_owned(), "me.example", Some("not valid for name")),
        (SELF, TRUST.to_owned(), "self.example", Some("UnknownIssuer")),
    ] {
        match (talk(server, &client, host), expected) {
            (Ok(()), None) => {}
            (Err(error), Some(expected)) if error.contains(expected) => {}
            (outcome, expected) => panic!("{client} {host}: {outcome:?}, expected {expected:?}"),
        }
    }
}

#[test]
fn clients_show_their_certificate_where_it_is_asked_for() {
    let server = format!("{SERVER}{TRUST}ssl.client.auth=required\n");
    let with_key = format!("{TRUST}{SERVER}");
    assert_eq!(talk(&server, &with_key, "me.example"), Ok(()));
    talk(&server, TRUST, "me.example").expect_err("no certificate");
    talk(&server, &format!("{TRUST}{SELF}"), "me.example").expect_err("an unknown one");
    let requested = format!("{SERVER}{TRUST}ssl.client.auth=requested\n");
    assert_eq!(talk(&requested, TRUST, "me.example"), Ok(()));
}

#[test]
fn versions_and_suites_are_narrowed() {
    for (server, client, is_good) in [
        (
            "ssl.enabled.protocols=TLSv1.2",
            "ssl.enabled.protocols=TLSv1.2,TLSv1.1",
            true,
        ),
        ("ssl.enabled.protocols=TLSv1.2", "ssl.enabled.protocols=TLSv1.3", false),
        (
            "ssl.cipher.suites=TLS_AES_256_GCM_SHA384",
            "ssl.cipher.suites=TLS_AES_256_GCM_SHA384,TLS_RSA_WITH_AES_128_CBC_SHA",
            true,
        ),
        (
            "ssl.cipher.suites=TLS_AES_256_GCM_SHA384",
            "ssl.cipher.suites=TLS_AES_128_GCM_SHA256",
            false,
        ),
    ] {
        let outcome = talk(&format!("{SERVER}{server}"), &format!("{TRUST}{client}"), "me.example");
        assert_eq!(outcome.is_ok(), is_good, "{server} {client}: {outcome:?}");
    }
}

#[test]
fn what_cannot_be_used_is_named() {
    for (text, expected) in [
        ("", "ssl.keystore.location"),
        ("ssl.enabled.protocols=SSLv3", "SSLv3"),
        ("ssl.enabled.protocols=TLSv1.1", "ssl.enabled.protocols"),
        ("ssl.cipher.suites=NONE", "ssl.cipher.suites"),
        ("ssl.client.auth=required", "ssl.truststore.location"),
    ] {
        let error = server_config(&properties(text)).expect_err(text).to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let error = client_config(&properties("ssl.endpoint.identification.algorithm=LDAP"));
    assert!(error.expect_err("unknown").to_string().contains("LDAP"));
}
