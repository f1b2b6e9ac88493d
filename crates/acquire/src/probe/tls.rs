//! TLS to listeners that speak it: whom we believe, and the handshake.
//!
//! Whom we believe is said once, by flags of the command, and holds for the process, as the trust
//! store of the system would. Nobody is believed unless it was said: then a TLS listener is named as
//! what it is, and not looked into. Certificates of ours are not shown to anybody, so a listener that
//! asks for one is not entered.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::stream::Plain;

/// What is before the address of a listener that speaks TLS.
pub(crate) const TLS: &str = "tls:";

/// Whom we believe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Whoever has a certificate of an authority in this file (PEM).
    Authorities(PathBuf),
    /// Everybody: good enough for a listener of this machine, and for nothing else.
    Everybody,
}

/// A file of authorities that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// It cannot be read.
    #[error("--ca {path}: {why}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Nothing is in it.
    #[error("--ca {path}: no certificate is in it; it holds PEM, -----BEGIN CERTIFICATE-----")]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// rustls cannot be set up: our own bug.
    #[error("TLS cannot be spoken: {0}")]
    Setup(#[from] Error),
}

/// What is to be spoken inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inside {
    Http1,
    Http2,
    /// Whatever the listener prefers.
    Either,
}

impl Inside {
    fn names(self) -> Vec<Vec<u8>> {
        let (http1, http2) = (b"http/1.1".to_vec(), b"h2".to_vec());
        match self {
            Self::Http1 => vec![http1],
            Self::Http2 => vec![http2],
            Self::Either => vec![http2, http1],
        }
    }
}

static TRUSTED: OnceLock<ClientConfig> = OnceLock::new();

/// Says whom we believe, once for the process; a second word is not heard.
///
/// # Errors
/// The file of authorities cannot be used.
pub fn trust(trust: &Trust) -> Result<(), TrustError> {
    let config = config(trust)?;
    TRUSTED.get_or_init(|| config);
    Ok(())
}

/// Somebody is believed, so that TLS can be entered.
pub(crate) fn is_spoken() -> bool {
    TRUSTED.get().is_some()
}

fn config(trust: &Trust) -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let builder = match trust {
        Trust::Everybody => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone(provider))),
        Trust::Authorities(path) => builder.with_root_certificates(authorities(path.clone())?),
    };
    Ok(builder.with_no_client_auth())
}

fn authorities(path: PathBuf) -> Result<RootCertStore, TrustError> {
    let file = |why: String| TrustError::File {
        path: path.clone(),
        why,
    };
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(&path).map_err(|error| file(error.to_string()))?;
    for certificate in found {
        let certificate = certificate.map_err(|error| file(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| file(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(TrustError::Empty { path });
    }
    Ok(roots)
}

/// The handshake with a listener at `address`, whose certificate must be of its host's name.
pub(crate) async fn enter(
    address: &str,
    over: Plain,
    inside: Inside,
) -> Result<TlsStream<Plain>, String> {
    let trusted = TRUSTED
        .get()
        .ok_or_else(|| format!("{address} speaks TLS; give --ca FILE or --insecure"))?;
    let mut config = trusted.clone();
    config.alpn_protocols = inside.names();
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let name = ServerName::try_from(host).map_err(|error| format!("{address}: {error}"))?;
    let entering = TlsConnector::from(Arc::new(config)).connect(name, over);
    entering.await.map_err(|error| {
        let said = error.to_string();
        let remedy = if said.contains("CaUsedAsEndEntity") {
            "; its certificate is its own authority, which proves nothing of a name: --insecure for a listener that you trust anyway"
        } else if said.contains("certificate") {
            "; --ca FILE with the authority of its certificate, or --insecure for a listener that you trust anyway"
        } else {
            ""
        };
        format!("{address}: the TLS handshake failed: {error}{remedy}")
    })
}

/// Believes every certificate; only that its owner has its key is checked.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_authorities_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let check = |path: PathBuf| {
            let error = config(&Trust::Authorities(path)).expect_err("nobody");
            error.to_string()
        };
        assert!(check(file.path().to_owned()).contains("no certificate"));
        let absent = check(PathBuf::from("/absent.pem"));
        assert!(absent.starts_with("--ca /absent.pem"), "{absent}");
        std::fs::write(
            file.path(),
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        )
        .expect("it is ours");
        assert!(check(file.path().to_owned()).contains("--ca"));
    }
}
