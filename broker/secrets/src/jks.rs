//! JKS key stores: Java's old format
//!
//! The store's digest is checked when a password is given. Keys are under Sun's own protection: an exclusive or with a chain of
//! SHA-1 digests.
//! Source: `JavaKeyStore` and `KeyProtector` of OpenJDK.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{self, Digest, SHA1_FOR_LEGACY_USE_ONLY, SHA1_OUTPUT_LEN};

use crate::der::{Der, OCTET_STRING, OID, SEQUENCE};
use crate::key_store::{Contents, KeyEntry};
use crate::password_based::Failure;

/// The first bytes of a store.
pub(crate) const MAGIC: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];
const WHITENER: &[u8] = b"Mighty Aphrodite";
/// Sun's protection of keys.
const PROTECTOR: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x2a, 0x02, 0x11, 0x01, 0x01];

/// Reads a store. Without a password nothing proves that it is whole, as in Java; without one for keys they stay empty.
pub(crate) fn read(store: &[u8], password: Option<&str>, key_password: Option<&str>) -> Result<Contents, Failure> {
    let end = store.len().checked_sub(SHA1_OUTPUT_LEN).ok_or(Failure::Malformed)?;
    let (body, proof) = store.split_at_checked(end).ok_or(Failure::Malformed)?;
    if let Some(password) = password {
        let digest = sha1(&[&wide(password), WHITENER, body]);
        verify_slices_are_equal(digest.as_ref(), proof).map_err(|_| Failure::WrongPassword)?;
    }
    let mut input = Input { rest: body };
    let (version, count) = input.head().ok_or(Failure::Malformed)?;
    let mut contents = Contents::default();
    for _ in 0..count {
        match input.entry(version).ok_or(Failure::Malformed)? {
            Entry::Key { protected, chain } => {
                let key = match key_password {
                    Some(password) => unprotect(protected, password)?,
                    None => Vec::new(),
                };
                contents.keys.push(KeyEntry { key, chain });
            }
            Entry::Trusted(certificate) => contents.trusted.push(certificate),
        }
    }
    Ok(contents)
}

enum Entry<'a> {
    Key { protected: &'a [u8], chain: Vec<Vec<u8>> },
    Trusted(Vec<u8>),
}

struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(usize::try_from(length).ok()?)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_be_bytes(self.take(2)?.try_into().ok()?);
        self.take(usize::from(length))
    }

    fn head(&mut self) -> Option<(u32, u32)> {
        let magic = self.take(4)?;
        let (version, count) = (self.number()?, self.number()?);
        (magic == MAGIC && (version == 1 || version == 2)).then_some((version, count))
    }

    fn entry(&mut self, version: u32) -> Option<Entry<'a>> {
        let kind = self.number()?;
        let (_alias, _date) = (self.text()?, self.take(8)?);
        match kind {
            1 => {
                let protected = self.bytes()?;
                let mut chain = Vec::new();
                for _ in 0..self.number()? {
                    chain.push(self.certificate(version)?);
                }
                Some(Entry::Key { protected, chain })
            }
            2 => self.certificate(version).map(Entry::Trusted),
            _ => None,
        }
    }

    fn certificate(&mut self, version: u32) -> Option<Vec<u8>> {
        if version == 2 && self.text()? != b"X.509" {
            return None;
        }
        self.bytes().map(<[u8]>::to_vec)
    }
}

fn unprotect(info: &[u8], password: &str) -> Result<Vec<u8>, Failure> {
    let mut info = Der::new(info).enter(SEQUENCE).ok_or(Failure::Malformed)?;
    let oid = info.enter(SEQUENCE).and_then(|mut algorithm| algorithm.expect(OID));
    if oid.ok_or(Failure::Malformed)? != PROTECTOR {
        return Err(Failure::Unsupported);
    }
    let protected = info.expect(OCTET_STRING).ok_or(Failure::Malformed)?;
    let (salt, rest) = protected.split_at_checked(SHA1_OUTPUT_LEN).ok_or(Failure::Malformed)?;
    let end = rest.len().checked_sub(SHA1_OUTPUT_LEN).ok_or(Failure::Malformed)?;
    let (hidden, proof) = rest.split_at_checked(end).ok_or(Failure::Malformed)?;
    let password = wide(password);
    let mut key = hidden.to_vec();
    let mut stream = sha1(&[&password, salt]);
    for part in key.chunks_mut(SHA1_OUTPUT_LEN) {
        for (byte, mask) in part.iter_mut().zip(stream.as_ref()) {
            *byte ^= mask;
        }
        stream = sha1(&[&password, stream.as_ref()]);
    }
    let digest = sha1(&[&password, &key]);
    verify_slices_are_equal(digest.as_ref(), proof).map_err(|_| Failure::WrongKeyPassword)?;
    Ok(key)
}

fn wide(password: &str) -> Vec<u8> {
    password.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn sha1(parts: &[&[u8]]) -> Digest {
    let mut context = digest::Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    for part in parts {
        context.update(part);
    }
    context.finish()
}
