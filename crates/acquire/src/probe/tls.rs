//! TLS to listeners that speak it: whom we believe, and the handshake.
//!
//! Whom we believe is said once, by flags of the command, and holds for the process, as the trust
//! store of the system would. Nobody is believed unless it was said: then a TLS listener is named as
//! what it is, and not looked into. Certificates of ours are shown to nobody by a check, so a
//! listener that asks for one is not entered. `shakedown pprof` says both anew for each fetch, by the
//! URL and by flags ([`Credentials`]).

use std::io;
use std::path::{Path, PathBuf};
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
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
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

/// What one fetch speaks TLS with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Credentials {
    /// Files of authorities (PEM); the first that is there counts.
    pub authorities: Vec<PathBuf>,
    /// What we show: certificate and key (PEM).
    pub shown: Option<(PathBuf, PathBuf)>,
}

/// A file that TLS cannot be spoken with.
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
    /// A certificate or key of ours cannot be used.
    #[error("could not load certificate/key pair {path}: {why}")]
    Shown {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
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

/// The configuration of one fetch; `anybody` believes every certificate.
pub(super) fn config_of(
    credentials: &Credentials,
    anybody: bool,
) -> Result<ClientConfig, TrustError> {
    let there = |path: &&PathBuf| path.exists();
    let found = credentials.authorities.iter().find(there);
    let path = found.or(credentials.authorities.first());
    let trust = match path {
        _ if anybody => Trust::Everybody,
        Some(path) => Trust::Authorities(path.clone()),
        None => Trust::Authorities(PathBuf::new()),
    };
    let shown = credentials.shown.as_ref();
    whole_config(&trust, shown.map(|(c, k)| (c.as_path(), k.as_path())))
}

fn config(trust: &Trust) -> Result<ClientConfig, TrustError> {
    whole_config(trust, None)
}

fn whole_config(trust: &Trust, shown: Option<(&Path, &Path)>) -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let builder = match trust {
        Trust::Everybody => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone(provider))),
        Trust::Authorities(path) => builder.with_root_certificates(authorities(path.clone())?),
    };
    let Some((certificate, key)) = shown else {
        return Ok(builder.with_no_client_auth());
    };
    let unusable = |path: &Path, why: String| TrustError::Shown {
        path: path.to_owned(),
        why,
    };
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain: Vec<_> = chain.map_err(|error| unusable(certificate, error.to_string()))?;
    let secret = PrivateKeyDer::from_pem_file(key);
    let secret = secret.map_err(|error| unusable(key, error.to_string()))?;
    let paired = builder.with_client_auth_cert(chain, secret);
    paired.map_err(|error| unusable(key, error.to_string()))
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
    let entering = handshake(address, over, trusted.clone(), inside);
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

/// The handshake as `config` has it.
pub(super) async fn handshake(
    address: &str,
    over: Plain,
    mut config: ClientConfig,
    inside: Inside,
) -> io::Result<TlsStream<Plain>> {
    config.alpn_protocols = inside.names();
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    TlsConnector::from(Arc::new(config))
        .connect(name, over)
        .await
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
