//! `tls:`, whom we trust and the certificate that we show.

use std::fmt;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::config::{At, Problem, Problems, file};
use crate::model::Secret;

/// Whom we trust and what we show: PEM (RFC 7468) that was seen to be good.
#[derive(Clone)]
pub(super) struct Tls {
    /// In place of the system's authorities.
    ca: Option<Vec<CertificateDer<'static>>>,
    /// The certificate with its chain, and the key.
    identity: Option<(Box<str>, Secret)>,
}

const EXPECTED_CERTIFICATE: &str =
    "PEM text that begins with `-----BEGIN CERTIFICATE-----`; that of a file is `${file:/run/secrets/ca.pem}`";
const EXPECTED_KEY: &str = "PEM text that begins with `-----BEGIN PRIVATE KEY-----`, not encrypted; that of a file is `${file:/run/secrets/key.pem}`";

// === impl Tls ===

impl Tls {
    /// Compiles a description. `None` and a problem where it cannot be used.
    pub(super) fn compile(at: &At<file::Tls>, problems: &mut Problems) -> Option<Self> {
        let file = &at.value;
        // Every part is compiled before any is missed, so that every problem is found.
        let ca = match &file.ca {
            None => Some(None),
            Some(pem) => authorities(pem, problems).map(Some),
        };
        let identity = match (&file.client_cert, &file.client_key) {
            (None, None) => Some(None),
            (Some(cert), Some(key)) => identity(cert, key, problems).map(Some),
            (Some(cert), None) => {
                problems.push(
                    Problem::error(cert.place, "a certificate is shown with its key")
                        .expected("`client_key` beside it"),
                );
                None
            }
            (None, Some(key)) => {
                problems.push(
                    Problem::error(key.place, "a key is used with its certificate").expected("`client_cert` beside it"),
                );
                None
            }
        };
        let (ca, identity) = (ca?, identity?);
        if ca.is_none() && identity.is_none() {
            problems.push(
                Problem::error(at.place, "`tls` says nothing").expected("`ca`, or `client_cert` with `client_key`"),
            );
            return None;
        }
        Some(Self { ca, identity })
    }

    /// Adds it to a client.
    pub(super) fn add_to(&self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        let builder = match &self.ca {
            None => builder,
            Some(ca) => builder.tls_certs_only(ca.iter().filter_map(|der| reqwest::Certificate::from_der(der).ok())),
        };
        let pem = self.identity.as_ref().map(|(cert, key)| Secret::new(format!("{cert}\n{}\n", key.expose())));
        match pem.and_then(|pem| reqwest::Identity::from_pem(pem.expose().as_bytes()).ok()) {
            None => builder,
            Some(identity) => builder.identity(identity),
        }
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.identity, &other.identity) {
            (Some((cert, key)), Some((other_cert, other_key))) => {
                cert == other_cert && key.expose() == other_key.expose()
            }
            (None, None) => true,
            _ => false,
        };
        same && self.ca == other.ca
    }
}

impl Eq for Tls {}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authorities = self.ca.as_ref().map(Vec::len);
        f.debug_struct("Tls").field("authorities", &authorities).field("identity", &self.identity.is_some()).finish()
    }
}

fn authorities(pem: &At<String>, problems: &mut Problems) -> Option<Vec<CertificateDer<'static>>> {
    let certificates = certificates(pem, problems)?;
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        if store.add(certificate.clone()).is_err() {
            problems.push(unreadable(pem));
            return None;
        }
    }
    Some(certificates)
}

fn identity(cert: &At<String>, key: &At<Secret>, problems: &mut Problems) -> Option<(Box<str>, Secret)> {
    let chain = certificates(cert, problems);
    let private = private_key(key, problems);
    let (chain, private) = (chain?, private?);
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    match CertifiedKey::from_der(chain, private, &provider) {
        Ok(_) => Some((cert.value.as_str().into(), key.value.clone())),
        Err(rustls::Error::InconsistentKeys(_)) => {
            problems.push(Problem::error(key.place, "this is not the key of `client_cert`").expected(
                "the key that the certificate was made for; the certificate itself stands first in `client_cert`",
            ));
            None
        }
        Err(rustls::Error::InvalidCertificate(_)) => {
            problems.push(unreadable(cert));
            None
        }
        Err(_) => {
            problems
                .push(Problem::error(key.place, "this key cannot be used").expected("a key of RSA, ECDSA or Ed25519"));
            None
        }
    }
}

fn certificates(pem: &At<String>, problems: &mut Problems) -> Option<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(certificates) if !certificates.is_empty() => Some(certificates),
        Ok(_) => {
            problems.push(Problem::error(pem.place, "there is no certificate in this").expected(EXPECTED_CERTIFICATE));
            None
        }
        Err(_) => {
            problems.push(unreadable(pem));
            None
        }
    }
}

fn private_key(pem: &At<Secret>, problems: &mut Problems) -> Option<PrivateKeyDer<'static>> {
    let text = pem.value.expose();
    if let Ok(key) = PrivateKeyDer::from_pem_slice(text.as_bytes()) {
        return Some(key);
    }
    let what = match () {
        () if text.is_empty() => "the key is empty",
        () if text.contains("ENCRYPTED") => "the key is encrypted",
        () => "there is no private key in this",
    };
    problems.push(Problem::error(pem.place, what).expected(EXPECTED_KEY));
    None
}

fn unreadable(pem: &At<String>) -> Problem {
    Problem::error(pem.place, "a certificate in this cannot be read").expected(EXPECTED_CERTIFICATE)
}
