//! How a client judges the certificate of a server
//!
//! By the trust store or the machine's roots, with Java's leniencies: a certificate that is in the trust store itself needs no issuer,
//! one without alternative names is compared by its common name, and the comparison with the host may be switched off.
//! Source: `PKIXValidator` and `HostnameChecker` of OpenJDK.

use std::sync::Arc;

use rustls_platform_verifier::Verifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::der::CertificateNames;
use crate::error::SecretsError;
use crate::tls::setting;

/// Checks chain, signature and, unless switched off, the name.
#[derive(Debug)]
pub(crate) struct ServerCheck {
    chains: Arc<dyn ServerCertVerifier>,
    /// Of the trust store; none when the machine's roots hold.
    trusted: Vec<CertificateDer<'static>>,
    checks_host: bool,
}

impl ServerCheck {
    pub(crate) fn new(
        trusted: Option<Vec<CertificateDer<'static>>>,
        checks_host: bool,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, SecretsError> {
        let unusable = |error: &dyn std::fmt::Display| setting("ssl.truststore.location", "", error.to_string());
        let chains: Arc<dyn ServerCertVerifier> = match &trusted {
            None => Arc::new(Verifier::new(provider).map_err(|error| unusable(&error))?),
            Some(trusted) => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(trusted.iter().cloned());
                let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.build().map_err(|error| unusable(&error))?
            }
        };
        Ok(Self {
            chains,
            trusted: trusted.unwrap_or_default(),
            checks_host,
        })
    }

    fn judge_name(&self, certificate: &CertificateDer<'_>, host: &ServerName<'_>, error: Error) -> Result<(), Error> {
        if !self.checks_host || is_common_name(certificate, host) {
            return Ok(());
        }
        Err(error)
    }
}

fn is_name_error(error: &Error) -> bool {
    use CertificateError::{NotValidForName, NotValidForNameContext};
    matches!(
        error,
        Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })
    )
}

/// A certificate without alternative names is for its common name; `*` stands for the first label.
fn is_common_name(certificate: &CertificateDer<'_>, host: &ServerName<'_>) -> bool {
    let Some(names) = CertificateNames::of(certificate).filter(|names| !names.has_alternatives) else {
        return false;
    };
    let (Some(name), ServerName::DnsName(host)) = (names.common_name(), host) else {
        return false;
    };
    let host = host.as_ref();
    name.eq_ignore_ascii_case(host)
        || name
            .strip_prefix("*.")
            .zip(host.split_once('.'))
            .is_some_and(|(domain, (_, rest))| domain.contains('.') && domain.eq_ignore_ascii_case(rest))
}

impl ServerCertVerifier for ServerCheck {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.trusted.iter().any(|trusted| trusted == end_entity) {
            let parsed = ParsedCertificate::try_from(end_entity)?;
            if let Err(error) = verify_server_name(&parsed, server_name) {
                self.judge_name(end_entity, server_name, error)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        let judged = self
            .chains
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match judged {
            // Names are compared last: the chain is good.
            Err(error) if is_name_error(&error) => {
                self.judge_name(end_entity, server_name, error)?;
                Ok(ServerCertVerified::assertion())
            }
            judged => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}
