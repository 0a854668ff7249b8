//! Certificates whose address is in the request that they sign.

use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use webpki::EndEntityCert;

use super::{Directory, FetchedKey, KeyRequest, Learned, Source};
use crate::expr::Selector;
use crate::pipeline::Hosts;
use crate::pipeline::verify::Rejection;
use crate::signing::{PrivateKey, PublicKey, PublicScheme};

/// A certificate stays the same under its address; once a day it is looked whether it is still there.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Certificates of an RSA key, in PEM, from hosts that are believed.
///
/// Who signed a certificate is not looked at: that it comes from a pinned host, over a connection that was authenticated by
/// the public authorities, is what makes it the provider's.
#[derive(Debug)]
pub(in crate::pipeline::verify) struct Certificates {
    hosts: Hosts,
    /// What its key may be used for.
    schemes: Vec<PublicScheme>,
}

// === impl Certificates ===

impl Certificates {
    pub(in crate::pipeline::verify) fn source(from: Selector, hosts: Hosts, schemes: Vec<PublicScheme>) -> Source {
        Source::new(Self { hosts, schemes }, Some(from))
    }
}

impl Certificates {
    fn key(&self, spki: &[u8]) -> Option<FetchedKey> {
        let keys = self.schemes.iter().filter_map(|scheme| Some((*scheme, PublicKey::from_bytes(*scheme, spki)?)));
        let keys: Vec<_> = keys.collect();
        (!keys.is_empty()).then_some(FetchedKey::Public(keys))
    }
}

impl Directory for Certificates {
    fn request(&self, id: &str) -> Result<KeyRequest, Rejection> {
        self.hosts.admit(id).map(KeyRequest::get).ok_or(Rejection::ForeignKey)
    }

    fn read(&self, id: &str, answer: &[u8]) -> Option<Learned> {
        // Of a chain the first is whose key it is (RFC 8446, section 4.4.2).
        let certificate = CertificateDer::from_pem_slice(answer).ok()?;
        let spki = EndEntityCert::try_from(&certificate).ok()?.subject_public_key_info();
        Some(Learned { keys: vec![(id.into(), self.key(&spki)?)], lifetime: LIFETIME })
    }

    fn of_public(&self, spki: &[u8]) -> Option<FetchedKey> {
        self.key(spki)
    }

    fn of(&self, private: &PrivateKey) -> Option<FetchedKey> {
        self.key(&private.public())
    }
}
