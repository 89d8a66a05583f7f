//! Decryption under a password, as PKCS#5 and PKCS#12 describe it
//!
//! PBES2 (PBKDF2 with AES or 3DES in CBC mode) is what Java and OpenSSL write today; 3DES and RC2 under PKCS#12's own key derivation
//! are what Java 8 wrote. Iterations are bounded: a store cannot hold up the worker for long.
//! Source: RFC 8018, RFC 7292 appendix B.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{AES_128, AES_192, AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::{digest, pbkdf2};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockDecryptMut as _, KeyIvInit as _};

use crate::der::{Der, OCTET_STRING, OID, SEQUENCE};

const MAX_ITERATIONS: u32 = 5_000_000;

const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
/// What the digests of PBKDF2 have in common; one byte follows.
const HMAC_WITH: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02];
/// What the AES modes have in common; one byte follows.
const AES: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01];
const DES_EDE3_CBC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x03, 0x07];
/// What PKCS#12's own schemes have in common; one byte follows.
const PKCS12_PBE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01];

/// Why nothing came of it; no text holds a part of password, key or content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It is not what it should be.
    Malformed,
    /// The algorithm is not known here.
    Unsupported,
    /// The password is not the right one.
    WrongPassword,
    /// The store's is, the key's is not.
    WrongKeyPassword,
}

/// The purpose of a key that PKCS#12 derives.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Key = 1,
    Vector = 2,
    Mac = 3,
}

/// Decrypts `EncryptedPrivateKeyInfo`: an algorithm and what was encrypted.
pub(crate) fn decrypt_info(info: &[u8], password: &str) -> Result<Vec<u8>, Failure> {
    let mut info = Der::new(info).enter(SEQUENCE).ok_or(Failure::Malformed)?;
    let algorithm = info.enter(SEQUENCE).ok_or(Failure::Malformed)?;
    let content = info.expect(OCTET_STRING).ok_or(Failure::Malformed)?;
    decrypt(algorithm, content, password)
}

/// Decrypts `content` by an algorithm identifier, of which the inside is given.
pub(crate) fn decrypt(mut algorithm: Der<'_>, content: &[u8], password: &str) -> Result<Vec<u8>, Failure> {
    let oid = algorithm.expect(OID).ok_or(Failure::Malformed)?;
    let parameters = algorithm.enter(SEQUENCE).ok_or(Failure::Malformed)?;
    if oid == PBES2 {
        return pbes2(parameters, content, password);
    }
    match oid.strip_prefix(PKCS12_PBE) {
        Some([scheme]) => pkcs12_pbe(*scheme, parameters, content, password),
        _ => Err(Failure::Unsupported),
    }
}

fn bounded(iterations: u32) -> Result<NonZeroU32, Failure> {
    NonZeroU32::new(iterations)
        .filter(|iterations| iterations.get() <= MAX_ITERATIONS)
        .ok_or(Failure::Malformed)
}

fn pbes2(mut parameters: Der<'_>, content: &[u8], password: &str) -> Result<Vec<u8>, Failure> {
    let mut derivation = parameters.enter(SEQUENCE).ok_or(Failure::Malformed)?;
    let mut cipher = parameters.enter(SEQUENCE).ok_or(Failure::Malformed)?;
    if derivation.expect(OID) != Some(PBKDF2) {
        return Err(Failure::Unsupported);
    }
    let mut derivation = derivation.enter(SEQUENCE).ok_or(Failure::Malformed)?;
    let salt = derivation.expect(OCTET_STRING).ok_or(Failure::Malformed)?;
    let iterations = bounded(derivation.number().ok_or(Failure::Malformed)?)?;
    let mut digest = pbkdf2::PBKDF2_HMAC_SHA1;
    while !derivation.is_empty() {
        // The length of the key follows from the cipher.
        let (tag, inside) = derivation.any().ok_or(Failure::Malformed)?;
        if tag == SEQUENCE {
            let oid = Der::new(inside).expect(OID).ok_or(Failure::Malformed)?;
            digest = match oid.strip_prefix(HMAC_WITH) {
                Some([7]) => pbkdf2::PBKDF2_HMAC_SHA1,
                Some([9]) => pbkdf2::PBKDF2_HMAC_SHA256,
                Some([10]) => pbkdf2::PBKDF2_HMAC_SHA384,
                Some([11]) => pbkdf2::PBKDF2_HMAC_SHA512,
                _ => return Err(Failure::Unsupported),
            };
        }
    }
    let derive = |key: &mut [u8]| pbkdf2::derive(digest, iterations, salt, password.as_bytes(), key);
    let oid = cipher.expect(OID).ok_or(Failure::Malformed)?;
    let vector = cipher.expect(OCTET_STRING).ok_or(Failure::Malformed)?;
    if oid == DES_EDE3_CBC {
        let mut key = [0; 24];
        derive(&mut key);
        return triple_des(&key, vector, content);
    }
    let (algorithm, length) = match oid.strip_prefix(AES) {
        Some([2]) => (&AES_128, 16),
        Some([22]) => (&AES_192, 24),
        Some([42]) => (&AES_256, 32),
        _ => return Err(Failure::Unsupported),
    };
    let mut key = vec![0; length];
    derive(&mut key);
    let vector: [u8; 16] = vector.try_into().map_err(|_| Failure::Malformed)?;
    let key = UnboundCipherKey::new(algorithm, &key)
        .and_then(PaddedBlockDecryptingKey::cbc_pkcs7)
        .map_err(|_| Failure::Unsupported)?;
    let mut text = content.to_vec();
    let context = DecryptionContext::Iv128(FixedLength::from(vector));
    let clear = key
        .decrypt(&mut text, context)
        .map_err(|_| Failure::WrongPassword)?
        .len();
    text.truncate(clear);
    Ok(text)
}

fn pkcs12_pbe(scheme: u8, mut parameters: Der<'_>, content: &[u8], password: &str) -> Result<Vec<u8>, Failure> {
    let salt = parameters.expect(OCTET_STRING).ok_or(Failure::Malformed)?;
    let iterations = bounded(parameters.number().ok_or(Failure::Malformed)?)?;
    let length = match scheme {
        3 => 24,
        5 => 16,
        6 => 5,
        _ => return Err(Failure::Unsupported),
    };
    let sha1 = &digest::SHA1_FOR_LEGACY_USE_ONLY;
    let key = pkcs12_derive(sha1, password, salt, iterations.get(), Purpose::Key, length);
    let vector = pkcs12_derive(sha1, password, salt, iterations.get(), Purpose::Vector, 8);
    if scheme == 3 {
        return triple_des(&key, &vector, content);
    }
    let decryptor = cbc::Decryptor::<rc2::Rc2>::new_from_slices(&key, &vector).map_err(|_| Failure::Malformed)?;
    let mut text = content.to_vec();
    let clear = decryptor.decrypt_padded_mut::<Pkcs7>(&mut text);
    let clear = clear.map_err(|_| Failure::WrongPassword)?.len();
    text.truncate(clear);
    Ok(text)
}

fn triple_des(key: &[u8], vector: &[u8], content: &[u8]) -> Result<Vec<u8>, Failure> {
    let decryptor = cbc::Decryptor::<des::TdesEde3>::new_from_slices(key, vector).map_err(|_| Failure::Malformed)?;
    let mut text = content.to_vec();
    let clear = decryptor.decrypt_padded_mut::<Pkcs7>(&mut text);
    let clear = clear.map_err(|_| Failure::WrongPassword)?.len();
    text.truncate(clear);
    Ok(text)
}

/// Derives `length` bytes by PKCS#12's own way (RFC 7292, B.2). `iterations` is bounded by the caller.
pub(crate) fn pkcs12_derive(
    algorithm: &'static digest::Algorithm,
    password: &str,
    salt: &[u8],
    iterations: u32,
    purpose: Purpose,
    length: usize,
) -> Vec<u8> {
    let block = algorithm.block_len();
    let mut secret: Vec<u8> = password.encode_utf16().flat_map(u16::to_be_bytes).collect();
    secret.extend([0, 0]);
    let filled = |bytes: &[u8]| -> Vec<u8> {
        let wanted = bytes.len().div_ceil(block) * block;
        bytes.iter().copied().cycle().take(wanted).collect()
    };
    let mut input = filled(salt);
    input.extend(filled(&secret));
    let mut derived = Vec::new();
    while derived.len() < length {
        let mut context = digest::Context::new(algorithm);
        context.update(&vec![purpose as u8; block]);
        context.update(&input);
        let mut hash = context.finish();
        for _ in 1..iterations {
            hash = digest::digest(algorithm, hash.as_ref());
        }
        derived.extend_from_slice(hash.as_ref());
        // Each block of the input grows by the hash, repeated, plus one.
        let addend = filled(hash.as_ref());
        for part in input.chunks_mut(block) {
            let mut carry = 1_u16;
            for (byte, add) in part.iter_mut().zip(&addend).rev() {
                let [high, low] = (u16::from(*byte) + u16::from(*add) + carry).to_be_bytes();
                *byte = low;
                carry = u16::from(high);
            }
        }
    }
    derived.truncate(length);
    derived
}
