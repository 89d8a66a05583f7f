use super::*;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

fn properties(text: &str) -> Properties {
    Properties::parse(&text.replace("DATA", DATA)).expect("valid")
}

fn ca() -> Vec<CertificateDer<'static>> {
    trusted(&properties(
        "ssl.truststore.location=DATA/ca.pem\nssl.truststore.type=PEM",
    ))
    .expect("PEM")
    .expect("set")
}

/// One key in all the forms that Java and OpenSSL write.
#[test]
fn every_format_gives_the_same_key_and_chain() {
    let pem = "ssl.keystore.location=DATA/keys-encrypted.pem\nssl.keystore.type=PEM\nssl.key.password=keypass";
    let expected = key_pair(&properties(pem)).expect("PEM").expect("set");
    assert_eq!(expected.chain.len(), 2);
    assert_eq!(expected.chain[1..], ca());
    for text in [
        "ssl.keystore.location=DATA/keys.p12\nssl.keystore.type=PKCS12\nssl.keystore.password=changeit",
        // Java tells the two apart by their first bytes.
        "ssl.keystore.location=DATA/keys.p12\nssl.keystore.password=changeit",
        "ssl.keystore.location=DATA/legacy.p12\nssl.keystore.password=changeit",
        "ssl.keystore.location=DATA/openssl.p12\nssl.keystore.password=changeit",
        "ssl.keystore.location=DATA/keys.jks\nssl.keystore.password=changeit\nssl.key.password=keypass",
        "ssl.keystore.location=DATA/keys.jks\nssl.key.password=keypass\nssl.keystore.type=jks",
    ] {
        let pair = key_pair(&properties(text)).expect(text).expect("set");
        assert_eq!(pair.key.secret_der(), expected.key.secret_der(), "{text}");
        assert_eq!(pair.chain, expected.chain, "{text}");
    }
}

#[test]
fn inline_texts_and_printed_pem_come_back() {
    let stored = properties("ssl.keystore.location=DATA/keys.p12\nssl.keystore.password=changeit");
    let pair = key_pair(&stored).expect("PKCS12").expect("set");
    let mut inline = Properties::new();
    inline.insert("ssl.keystore.key", pair.key_pem().reveal());
    inline.insert("ssl.keystore.certificate.chain", pair.chain_pem());
    inline.insert("ssl.truststore.certificates", certificates_pem(&ca()));
    let again = key_pair(&inline).expect("inline").expect("set");
    assert_eq!((again.key, again.chain), (pair.key.clone_key(), pair.chain));
    assert_eq!(trusted(&inline).expect("inline"), Some(ca()));
}

#[test]
fn trust_stores_give_their_certificates() {
    for text in [
        "ssl.truststore.location=DATA/trust.jks\nssl.truststore.password=changeit",
        "ssl.truststore.location=DATA/trust.jks",
        "ssl.truststore.location=DATA/trust.p12\nssl.truststore.password=changeit\nssl.truststore.type=PKCS12",
    ] {
        assert_eq!(trusted(&properties(text)).expect(text), Some(ca()), "{text}");
    }
    assert_eq!(trusted(&Properties::new()).expect("nothing"), None);
    assert!(key_pair(&Properties::new()).expect("nothing").is_none());
    // The certificate of a key is trusted, what is above it is not.
    let own = properties("ssl.truststore.location=DATA/keys.jks\nssl.truststore.password=changeit");
    assert_eq!(trusted(&own).expect("JKS").expect("set").len(), 1);
}

#[test]
fn what_is_wrong_is_named_without_secrets() {
    for (text, key, reason) in [
        (
            "ssl.keystore.location=DATA/keys.p12\nssl.keystore.password=SECRET",
            "ssl.keystore.password",
            "password was incorrect",
        ),
        (
            "ssl.keystore.location=DATA/legacy.p12\nssl.keystore.password=SECRET",
            "ssl.keystore.password",
            "password was incorrect",
        ),
        (
            "ssl.keystore.location=DATA/keys.jks\nssl.keystore.password=SECRET",
            "ssl.keystore.password",
            "password was incorrect",
        ),
        (
            "ssl.keystore.location=DATA/keys.jks\nssl.keystore.password=changeit",
            "ssl.key.password",
            "where it is not set",
        ),
        (
            "ssl.keystore.location=DATA/keys.p12\nssl.keystore.password=changeit\nssl.key.password=SECRET",
            "ssl.key.password",
            "not the password",
        ),
        (
            "ssl.keystore.location=DATA/keys.p12",
            "ssl.keystore.password",
            "needs it",
        ),
        (
            "ssl.keystore.location=DATA/none.jks",
            "ssl.keystore.location",
            "cannot be read",
        ),
        (
            "ssl.keystore.location=DATA/ca.pem",
            "ssl.keystore.location",
            "neither a JKS nor a PKCS12",
        ),
        (
            "ssl.keystore.location=DATA/ca.pem\nssl.keystore.type=PEM",
            "ssl.keystore.location",
            "no private key",
        ),
        (
            "ssl.keystore.location=DATA/x\nssl.keystore.type=BKS",
            "ssl.keystore.type",
            "must be one of",
        ),
        (
            "ssl.keystore.location=DATA/trust.p12\nssl.keystore.password=changeit",
            "ssl.keystore.location",
            "no private key",
        ),
        (
            "ssl.keystore.key=SECRET",
            "ssl.keystore.certificate.chain",
            "goes together",
        ),
        (
            "ssl.keystore.location=DATA/keys-encrypted.pem\nssl.keystore.type=PEM",
            "ssl.key.password",
            "encrypted",
        ),
        (
            "ssl.keystore.location=DATA/keys-encrypted.pem\nssl.keystore.type=PEM\nssl.key.password=SECRET",
            "ssl.key.password",
            "not the password",
        ),
    ] {
        let error = key_pair(&properties(text)).expect_err(text).to_string();
        assert!(error.contains(&format!("configuration {key}:")), "{text}: {error}");
        assert!(error.contains(reason) && !error.contains("SECRET"), "{text}: {error}");
    }
    let error = trusted(&properties(
        "ssl.truststore.location=DATA/trust.p12\nssl.truststore.password=x",
    ));
    assert!(
        error
            .expect_err("wrong")
            .to_string()
            .contains("ssl.truststore.password")
    );
}

/// Cut and changed stores are errors, never a crash.
#[test]
fn damaged_stores_are_refused() {
    for name in ["keys.p12", "legacy.p12", "keys.jks", "trust.p12"] {
        let whole = std::fs::read(format!("{DATA}/{name}")).expect("the file");
        let read = |store: &[u8]| {
            if name.ends_with("jks") {
                jks::read(store, None, Some("keypass")).map(|_| ())
            } else {
                pkcs12::read(store, "changeit", Some("changeit")).map(|_| ())
            }
        };
        read(&whole).expect(name);
        // The old formats go through many rounds of their digests for each try.
        for end in (0..whole.len()).step_by(97) {
            read(&whole[..end]).expect_err("cut");
        }
        for place in (0..whole.len()).step_by(61) {
            let mut changed = whole.clone();
            changed[place] ^= 0x55;
            let _ = read(&changed);
        }
    }
}

#[test]
fn nothing_prints_a_key() {
    let stored = properties("ssl.keystore.location=DATA/keys.p12\nssl.keystore.password=changeit");
    let pair = key_pair(&stored).expect("PKCS12").expect("set");
    assert_eq!(
        format!("{pair:?} {:?}", pair.key_pem()),
        "KeyPair { chain: 2, .. } [hidden]"
    );
}
