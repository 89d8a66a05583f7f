//! PKCS#12 key stores, as keytool and OpenSSL write them
//!
//! The password is checked against the store's MAC, then certificates and keys are decrypted with it. Which certificates belong to
//! the key's chain is found by issuer, as Java does.
//! Source: RFC 7292; `PKCS12KeyStore` of OpenJDK.

use aws_lc_rs::{digest, hmac};

use crate::der::{CONTEXT_0, CertificateNames, Der, OCTET_STRING, OID, SEQUENCE, SET};
use crate::key_store::{Contents, KeyEntry};
use crate::password_based::{Failure, Purpose, decrypt, decrypt_info, pkcs12_derive};

/// What all types of content of PKCS#7 have in common; one byte follows.
const PKCS7: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07];
const DATA: u8 = 1;
const ENCRYPTED_DATA: u8 = 6;
/// What all kinds of bags have in common; one byte follows.
const BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01];
const KEY_BAG: u8 = 1;
const ENCRYPTED_KEY_BAG: u8 = 2;
const CERTIFICATE_BAG: u8 = 3;
const LOCAL_KEY_ID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x15];
/// Java's mark of a certificate that is trusted.
const TRUSTED_KEY_USAGE: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x86, 0xf9, 0x66, 0xad, 0xca, 0x7b, 0x01, 0x01];
const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
/// What the SHA-2 digests have in common; one byte follows.
const SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
const MAX_ITERATIONS: u32 = 5_000_000;

#[derive(Debug, Default)]
struct Bags {
    keys: Vec<KeyBag>,
    certificates: Vec<CertificateBag>,
}

struct KeyBag {
    id: Option<Vec<u8>>,
    key: Vec<u8>,
}

/// Hides the key.
impl std::fmt::Debug for KeyBag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyBag").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct CertificateBag {
    id: Option<Vec<u8>>,
    is_trusted: bool,
    certificate: Vec<u8>,
}

/// Reads a store; without a password for keys they stay empty.
pub(crate) fn read(store: &[u8], password: &str, key_password: Option<&str>) -> Result<Contents, Failure> {
    let mut store = Der::new(store).enter(SEQUENCE).ok_or(Failure::Malformed)?;
    store.number().ok_or(Failure::Malformed)?;
    let safe = store.enter(SEQUENCE).and_then(data_of).ok_or(Failure::Malformed)?;
    if !store.is_empty() {
        let mac = store.enter(SEQUENCE).ok_or(Failure::Malformed)?;
        check(mac, safe, password)?;
    }
    let mut parts = Der::new(safe).enter(SEQUENCE).ok_or(Failure::Malformed)?;
    let mut bags = Bags::default();
    while !parts.is_empty() {
        let part = parts.enter(SEQUENCE).ok_or(Failure::Malformed)?;
        let text = part_text(part, password)?;
        read_bags(&text, key_password, &mut bags)?;
    }
    Ok(arrange(bags))
}

fn content_type(part: &mut Der<'_>) -> Option<u8> {
    match part.expect(OID)?.strip_prefix(PKCS7) {
        Some([kind]) => Some(*kind),
        _ => None,
    }
}

fn data_of(mut part: Der<'_>) -> Option<&[u8]> {
    if content_type(&mut part)? != DATA {
        return None;
    }
    part.enter(CONTEXT_0)?.expect(OCTET_STRING)
}

fn check(mut mac: Der<'_>, safe: &[u8], password: &str) -> Result<(), Failure> {
    let mut info = mac.enter(SEQUENCE).ok_or(Failure::Malformed)?;
    let oid = info.enter(SEQUENCE).and_then(|mut algorithm| algorithm.expect(OID));
    let oid = oid.ok_or(Failure::Malformed)?;
    let tag = info.expect(OCTET_STRING).ok_or(Failure::Malformed)?;
    let salt = mac.expect(OCTET_STRING).ok_or(Failure::Malformed)?;
    let iterations = if mac.is_empty() {
        1
    } else {
        mac.number().ok_or(Failure::Malformed)?
    };
    if iterations > MAX_ITERATIONS {
        return Err(Failure::Malformed);
    }
    let (digest, hmac_of) = match oid.strip_prefix(SHA2) {
        Some([1]) => (&digest::SHA256, hmac::HMAC_SHA256),
        Some([2]) => (&digest::SHA384, hmac::HMAC_SHA384),
        Some([3]) => (&digest::SHA512, hmac::HMAC_SHA512),
        None if oid == SHA1 => (&digest::SHA1_FOR_LEGACY_USE_ONLY, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        _ => return Err(Failure::Unsupported),
    };
    let key = pkcs12_derive(digest, password, salt, iterations, Purpose::Mac, digest.output_len());
    hmac::verify(&hmac::Key::new(hmac_of, &key), safe, tag).map_err(|_| Failure::WrongPassword)
}

/// The bags of one part, decrypted.
fn part_text(mut part: Der<'_>, password: &str) -> Result<Vec<u8>, Failure> {
    match content_type(&mut part) {
        Some(DATA) => {
            let text = part.enter(CONTEXT_0).and_then(|mut inside| inside.expect(OCTET_STRING));
            text.map(<[u8]>::to_vec).ok_or(Failure::Malformed)
        }
        Some(ENCRYPTED_DATA) => {
            let (algorithm, content) = encrypted_parts(part).ok_or(Failure::Malformed)?;
            decrypt(algorithm, content, password)
        }
        _ => Err(Failure::Unsupported),
    }
}

fn encrypted_parts(mut part: Der<'_>) -> Option<(Der<'_>, &[u8])> {
    const IMPLICIT_0: u8 = 0x80;
    let mut data = part.enter(CONTEXT_0)?.enter(SEQUENCE)?;
    data.number()?;
    let mut info = data.enter(SEQUENCE)?;
    info.expect(OID)?;
    let algorithm = info.enter(SEQUENCE)?;
    Some((algorithm, info.expect(IMPLICIT_0)?))
}

fn read_bags(text: &[u8], key_password: Option<&str>, bags: &mut Bags) -> Result<(), Failure> {
    let mut rest = Der::new(text).enter(SEQUENCE).ok_or(Failure::Malformed)?;
    while !rest.is_empty() {
        let mut bag = rest.enter(SEQUENCE).ok_or(Failure::Malformed)?;
        let kind = bag.expect(OID).ok_or(Failure::Malformed)?.strip_prefix(BAG);
        let mut value = bag.enter(CONTEXT_0).ok_or(Failure::Malformed)?;
        let (id, is_trusted) = attributes(bag).ok_or(Failure::Malformed)?;
        match kind {
            Some([KEY_BAG]) => {
                let key = value.whole(SEQUENCE).ok_or(Failure::Malformed)?.to_vec();
                bags.keys.push(KeyBag { id, key });
            }
            Some([ENCRYPTED_KEY_BAG]) => {
                let info = value.whole(SEQUENCE).ok_or(Failure::Malformed)?;
                let key = match key_password {
                    Some(password) => decrypt_info(info, password).map_err(|failure| match failure {
                        Failure::WrongPassword => Failure::WrongKeyPassword,
                        other => other,
                    })?,
                    None => Vec::new(),
                };
                bags.keys.push(KeyBag { id, key });
            }
            Some([CERTIFICATE_BAG]) => {
                let certificate = certificate_of(value).ok_or(Failure::Malformed)?;
                bags.certificates.push(CertificateBag {
                    id,
                    is_trusted,
                    certificate,
                });
            }
            // Secret keys and lists of revoked certificates are of no use here.
            _ => {}
        }
    }
    Ok(())
}

fn certificate_of(mut value: Der<'_>) -> Option<Vec<u8>> {
    let mut bag = value.enter(SEQUENCE)?;
    bag.expect(OID)?;
    Some(bag.enter(CONTEXT_0)?.expect(OCTET_STRING)?.to_vec())
}

/// The key id and Java's mark, if the bag has them.
fn attributes(mut bag: Der<'_>) -> Option<(Option<Vec<u8>>, bool)> {
    let (mut id, mut is_trusted) = (None, false);
    if bag.is_empty() {
        return Some((id, is_trusted));
    }
    let mut all = bag.enter(SET)?;
    while !all.is_empty() {
        let mut one = all.enter(SEQUENCE)?;
        let name = one.expect(OID)?;
        if name == LOCAL_KEY_ID {
            id = Some(one.enter(SET)?.expect(OCTET_STRING)?.to_vec());
        }
        is_trusted |= name == TRUSTED_KEY_USAGE;
    }
    Some((id, is_trusted))
}

fn arrange(bags: Bags) -> Contents {
    let mut contents = Contents::default();
    for KeyBag { id, key } in bags.keys {
        let leaf = bags
            .certificates
            .iter()
            .position(|bag| id.is_some() && bag.id == id)
            .or((id.is_none() && !bags.certificates.is_empty()).then_some(0));
        let chain = leaf
            .map(|leaf| chain_from(leaf, &bags.certificates))
            .unwrap_or_default();
        contents.keys.push(KeyEntry { key, chain });
    }
    // A store of certificates that Java did not make has no marks.
    let takes_all = contents.keys.is_empty() && !bags.certificates.iter().any(|bag| bag.is_trusted);
    let trusted = bags.certificates.into_iter().filter(|bag| takes_all || bag.is_trusted);
    contents.trusted = trusted.map(|bag| bag.certificate).collect();
    contents
}

fn chain_from(leaf: usize, all: &[CertificateBag]) -> Vec<Vec<u8>> {
    let mut chain: Vec<Vec<u8>> = Vec::new();
    let mut next = all.get(leaf);
    while let Some(bag) = next.filter(|bag| !chain.contains(&bag.certificate)) {
        chain.push(bag.certificate.clone());
        let issuer = CertificateNames::of(&bag.certificate)
            .filter(|names| names.issuer != names.subject)
            .map(|names| names.issuer);
        next = all.iter().find(|bag| {
            issuer.is_some() && CertificateNames::of(&bag.certificate).map(|names| names.subject) == issuer
        });
    }
    chain
}
