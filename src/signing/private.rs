//! Private keys: what a provider has, and what whoever plays one needs.

use std::borrow::Cow;
use std::fmt;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

use super::encoding::encode;
use super::public::PublicScheme;
use crate::config::file::{EcdsaFormat, Encoding, HashFunction, Padding};

/// The bytes of a seed of Ed25519.
const SEED: usize = 32;

/// A private key of a scheme.
pub struct PrivateKey {
    pair: Pair,
    scheme: PublicScheme,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
}

// === impl PrivateKey ===

impl PrivateKey {
    /// A new key, of the system's random numbers. `None` where the system has none, or the scheme is none to sign with.
    #[must_use]
    pub fn generate(scheme: PublicScheme) -> Option<Self> {
        let pair = match scheme {
            PublicScheme::Ed25519 => Pair::Ed25519(Ed25519KeyPair::generate().ok()?),
            PublicScheme::EcdsaP256(format) => Pair::Ecdsa(EcdsaKeyPair::generate(ecdsa(format)).ok()?),
            PublicScheme::Rsa(hash, padding) => {
                rsa(hash, padding)?;
                Pair::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).ok()?))
            }
        };
        Some(Self { pair, scheme })
    }

    /// Reads a key in PEM: PKCS #8 (RFC 5958).
    #[must_use]
    pub fn from_pem(scheme: PublicScheme, pem: &str) -> Option<Self> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.trim().as_bytes()).ok()?;
        let der = der.secret_pkcs8_der();
        let pair = match scheme {
            PublicScheme::Ed25519 => Pair::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok()?),
            PublicScheme::EcdsaP256(format) => Pair::Ecdsa(EcdsaKeyPair::from_pkcs8(ecdsa(format), der).ok()?),
            PublicScheme::Rsa(..) => Pair::Rsa(Box::new(RsaKeyPair::from_pkcs8(der).ok()?)),
        };
        Some(Self { pair, scheme })
    }

    /// The key of Ed25519 whose seed are these bytes, repeated to 32. `None` where there are none.
    #[must_use]
    pub fn from_seed(bytes: &[u8]) -> Option<Self> {
        let seed: Vec<u8> = bytes.iter().copied().cycle().take(SEED).collect();
        let pair = Pair::Ed25519(Ed25519KeyPair::from_seed_unchecked(&seed).ok()?);
        Some(Self { pair, scheme: PublicScheme::Ed25519 })
    }

    /// What it is a key of.
    #[must_use]
    pub const fn scheme(&self) -> PublicScheme {
        self.scheme
    }

    /// The public key as [`super::PublicKey::from_bytes`] reads it.
    #[must_use]
    pub fn public(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ecdsa(pair) => spki(pair.public_key()),
            Pair::Rsa(pair) => spki(pair.public_key()),
        }
    }

    /// The public key in PEM (RFC 7468, section 13).
    #[must_use]
    pub fn public_pem(&self) -> String {
        let der = match &self.pair {
            Pair::Ed25519(pair) => spki(pair.public_key()),
            Pair::Ecdsa(pair) => spki(pair.public_key()),
            Pair::Rsa(pair) => spki(pair.public_key()),
        };
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", encode(Encoding::Base64, &der))
    }

    /// The signature of a message that is in `parts`, one after the other. `None` where the scheme is none to sign with.
    #[must_use]
    pub fn sign(&self, parts: &[Cow<'_, [u8]>]) -> Option<Vec<u8>> {
        let (message, random) = (parts.concat(), SystemRandom::new());
        match (&self.pair, self.scheme) {
            (Pair::Ed25519(pair), _) => Some(pair.sign(&message).as_ref().to_vec()),
            (Pair::Ecdsa(pair), _) => pair.sign(&random, &message).ok().map(|signature| signature.as_ref().to_vec()),
            (Pair::Rsa(pair), PublicScheme::Rsa(hash, padding)) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(rsa(hash, padding)?, &random, &message, &mut signature).ok()?;
                Some(signature)
            }
            (Pair::Rsa(_), _) => None,
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

const fn ecdsa(format: EcdsaFormat) -> &'static aws_lc_rs::signature::EcdsaSigningAlgorithm {
    match format {
        EcdsaFormat::Der => &ECDSA_P256_SHA256_ASN1_SIGNING,
        EcdsaFormat::P1363 => &ECDSA_P256_SHA256_FIXED_SIGNING,
    }
}

/// Nobody should sign with SHA-1 any more, and the library does not.
const fn rsa(hash: HashFunction, padding: Padding) -> Option<&'static dyn RsaEncoding> {
    Some(match (hash, padding) {
        (HashFunction::Sha256, Padding::Pkcs1) => &RSA_PKCS1_SHA256,
        (HashFunction::Sha512, Padding::Pkcs1) => &RSA_PKCS1_SHA512,
        (HashFunction::Sha256, Padding::Pss) => &RSA_PSS_SHA256,
        (HashFunction::Sha512, Padding::Pss) => &RSA_PSS_SHA512,
        (HashFunction::Sha1, _) => return None,
    })
}

fn spki(key: &impl AsDer<PublicKeyX509Der<'static>>) -> Vec<u8> {
    key.as_der().map(|der| der.as_ref().to_vec()).unwrap_or_default()
}
