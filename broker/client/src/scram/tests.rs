use super::*;

/// RFC 7677, section 3.
#[test]
fn the_exchange_of_the_rfc_comes_out() {
    let login = ScramLogin::new(ScramHash::Sha256, "user", "pencil", "rOprNGfwEbeRWgbNEkqO".to_owned());
    assert_eq!(login.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    let server = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    let (second, proof) = login.second(server).expect("a good message");
    assert_eq!(
        second,
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    );
    assert_eq!(proof.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
    assert!(proof.check(b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").is_err());
    assert_eq!(proof.check(b"e=unknown-user"), Err("unknown-user".to_owned()));
    assert!(proof.check(b"").is_err());
}

/// PBKDF2-HMAC-SHA-512 of a known vector, cut to one block.
#[test]
fn sha_512_salts_as_known() {
    let salted = ScramHash::Sha512.salted(b"password", b"salt", 4096);
    let hex: String = salted.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        "d197b1b33db0143e018b12f3d1d1479e6cdebdcc97c5c0f87f6902e072f457b5143f30602641b3d55cd335988cb36b84376060ecd532e039b742a239434af2d5"
    );
}

#[test]
fn names_are_escaped_and_bad_messages_named() {
    let login = ScramLogin::new(ScramHash::Sha512, "a=b,c", "p", "nonce".to_owned());
    assert_eq!(login.first(), "n,,n=a=3Db=2Cc,r=nonce");
    for (server, expected) in [
        (&b"r=other1,s=AAAA,i=4096"[..], "server nonce"),
        (b"r=nonce,s=AAAA,i=4096", "server nonce"),
        (b"r=nonce1,s=AAAA,i=100", "iterations 100"),
        (b"r=nonce1,s=AAAA,i=2000000000", "iterations"),
        (b"r=nonce1,s=!,i=4096", "first message"),
        (b"s=AAAA,i=4096", "first message"),
        (b"\xff", "no text"),
        (b"", "first message"),
    ] {
        let error = login.second(server).map(|_| ()).expect_err("a bad message");
        assert!(error.contains(expected), "{error}");
    }
}
