//! SCRAM from the client's side: two messages out, two in, and the server's proof checked
//!
//! Pure: the nonce is an argument, nothing is sent here. Channel binding is not used, as in Kafka.
//! Source: RFC 5802, RFC 7677; `ScramSaslClient` of Kafka 4.3.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256, Sha512};

/// Which digest a mechanism uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScramHash {
    Sha256,
    Sha512,
}

/// As Kafka's own servers demand of their users' records, and far above what they use.
const MIN_ITERATIONS: u32 = 4096;
const MAX_ITERATIONS: u32 = 1_000_000;
/// `n,,` in base64: no channel binding.
const NO_BINDING: &str = "biws";

impl ScramHash {
    fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        macro_rules! hmac {
            ($hash:ty) => {{
                // HMAC takes keys of any length; an empty answer would only make the login fail.
                let Ok(mut mac) = Hmac::<$hash>::new_from_slice(key) else {
                    return Vec::new();
                };
                parts.iter().for_each(|part| mac.update(part));
                mac.finalize().into_bytes().to_vec()
            }};
        }
        match self {
            Self::Sha256 => hmac!(Sha256),
            Self::Sha512 => hmac!(Sha512),
        }
    }

    fn digest(self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(text).to_vec(),
            Self::Sha512 => Sha512::digest(text).to_vec(),
        }
    }

    /// PBKDF2 with one block.
    fn salted(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        macro_rules! salted {
            ($hash:ty) => {{
                let Ok(keyed) = Hmac::<$hash>::new_from_slice(password) else {
                    return Vec::new();
                };
                let block = keyed.clone().chain_update(salt).chain_update(1_u32.to_be_bytes());
                let mut last = block.finalize().into_bytes();
                let mut sum = last.clone();
                for _ in 1..iterations {
                    last = keyed.clone().chain_update(&last).finalize().into_bytes();
                    sum.iter_mut().zip(&last).for_each(|(sum, last)| *sum ^= last);
                }
                sum.to_vec()
            }};
        }
        match self {
            Self::Sha256 => salted!(Sha256),
            Self::Sha512 => salted!(Sha512),
        }
    }
}

/// A login after its first message.
pub(crate) struct ScramLogin<'a> {
    hash: ScramHash,
    password: &'a str,
    nonce: String,
    first_bare: String,
}

/// What is left to check once the second message went out.
pub(crate) struct ServerProof {
    expected: Vec<u8>,
}

impl<'a> ScramLogin<'a> {
    /// Starts a login; `nonce` is printable, without commas, and new each time.
    pub(crate) fn new(hash: ScramHash, username: &str, password: &'a str, nonce: String) -> Self {
        let name = username.replace('=', "=3D").replace(',', "=2C");
        let first_bare = format!("n={name},r={nonce}");
        Self {
            hash,
            password,
            nonce,
            first_bare,
        }
    }

    /// The first message.
    pub(crate) fn first(&self) -> String {
        format!("n,,{}", self.first_bare)
    }

    /// The second message, from the server's first.
    ///
    /// *Errors*: what is wrong with the server's message.
    pub(crate) fn second(&self, server_first: &[u8]) -> Result<(String, ServerProof), String> {
        let server_first = std::str::from_utf8(server_first).map_err(|_| "SCRAM message is no text".to_owned())?;
        let field = |name: &str| server_first.split(',').find_map(|part| part.strip_prefix(name));
        let missing = || "Invalid SCRAM server first message".to_owned();
        let (nonce, salt) = (field("r=").ok_or_else(missing)?, field("s=").ok_or_else(missing)?);
        if !nonce.starts_with(&self.nonce) || nonce.len() <= self.nonce.len() {
            return Err("Invalid server nonce: does not start with client nonce".to_owned());
        }
        let salt = STANDARD.decode(salt).map_err(|_| missing())?;
        let iterations: u32 = field("i=").and_then(|text| text.parse().ok()).ok_or_else(missing)?;
        if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations) {
            return Err(format!(
                "Requested iterations {iterations} is not between {MIN_ITERATIONS} and {MAX_ITERATIONS}"
            ));
        }
        let salted = self.hash.salted(self.password.as_bytes(), &salt, iterations);
        let without_proof = format!("c={NO_BINDING},r={nonce}");
        let message = format!("{},{server_first},{without_proof}", self.first_bare);
        let client_key = self.hash.hmac(&salted, &[b"Client Key"]);
        let signature = self.hash.hmac(&self.hash.digest(&client_key), &[message.as_bytes()]);
        let proof: Vec<u8> = client_key
            .iter()
            .zip(&signature)
            .map(|(key, sign)| key ^ sign)
            .collect();
        let server_key = self.hash.hmac(&salted, &[b"Server Key"]);
        let expected = self.hash.hmac(&server_key, &[message.as_bytes()]);
        let second = format!("{without_proof},p={}", STANDARD.encode(proof));
        Ok((second, ServerProof { expected }))
    }
}

impl ServerProof {
    /// Checks the server's last message: only who knows the password's record can have made it.
    ///
    /// *Errors*: the server's own words, or that the proof is wrong.
    pub(crate) fn check(&self, server_final: &[u8]) -> Result<(), String> {
        let text = std::str::from_utf8(server_final).unwrap_or_default();
        if let Some(error) = text.strip_prefix("e=") {
            return Err(error.to_owned());
        }
        let proof = text.split(',').find_map(|part| part.strip_prefix("v="));
        match proof.and_then(|proof| STANDARD.decode(proof).ok()) {
            Some(proof) if proof == self.expected => Ok(()),
            _ => Err("Invalid server signature in SCRAM final message".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
