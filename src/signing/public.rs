//! Signatures that are made with a private key and verified with its public one.

use std::borrow::Cow;
use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA512, VerificationAlgorithm,
};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;

use crate::config::file::{EcdsaFormat, HashFunction, Padding};

/// How a signature is made with a private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicScheme {
    /// RFC 8032.
    Ed25519,
    /// ECDSA with the curve P-256 and SHA-256 (FIPS 186-5).
    EcdsaP256(EcdsaFormat),
    /// RSA (RFC 8017).
    Rsa(HashFunction, Padding),
}

/// A public key of a scheme.
pub struct PublicKey(ParsedPublicKey);

// === impl PublicScheme ===

impl PublicScheme {
    /// Whether there is such a scheme: SHA-1 is taken for what is old, and PSS is not.
    #[must_use]
    pub const fn is_one(self) -> bool {
        !matches!(self, Self::Rsa(HashFunction::Sha1, Padding::Pss))
    }

    fn algorithm(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Ed25519 => &ED25519,
            Self::EcdsaP256(EcdsaFormat::Der) => &ECDSA_P256_SHA256_ASN1,
            Self::EcdsaP256(EcdsaFormat::P1363) => &ECDSA_P256_SHA256_FIXED,
            Self::Rsa(HashFunction::Sha1, _) => &RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Rsa(HashFunction::Sha256, Padding::Pkcs1) => &RSA_PKCS1_2048_8192_SHA256,
            Self::Rsa(HashFunction::Sha512, Padding::Pkcs1) => &RSA_PKCS1_2048_8192_SHA512,
            Self::Rsa(HashFunction::Sha256, Padding::Pss) => &RSA_PSS_2048_8192_SHA256,
            Self::Rsa(HashFunction::Sha512, Padding::Pss) => &RSA_PSS_2048_8192_SHA512,
        }
    }
}

// === impl PublicKey ===

impl PublicKey {
    /// Reads a key: the 32 bytes of Ed25519, or a SubjectPublicKeyInfo (RFC 5280, section 4.1). `None` where it is none of
    /// this scheme's.
    #[must_use]
    pub fn from_bytes(scheme: PublicScheme, bytes: &[u8]) -> Option<Self> {
        ParsedPublicKey::new(scheme.algorithm(), bytes).ok().map(Self)
    }

    /// Reads a key in PEM (RFC 7468, section 13).
    #[must_use]
    pub fn from_pem(scheme: PublicScheme, pem: &str) -> Option<Self> {
        let spki = SubjectPublicKeyInfoDer::from_pem_slice(pem.trim().as_bytes()).ok()?;
        Self::from_bytes(scheme, &spki)
    }

    /// Whether `signature` is this key's of a message that is in `parts`, one after the other.
    #[must_use]
    pub fn verifies(&self, parts: &[Cow<'_, [u8]>], signature: &[u8]) -> bool {
        match parts {
            [one] => self.0.verify_sig(one, signature).is_ok(),
            // The schemes take a message in one piece. Ed25519 goes through it twice.
            parts => self.0.verify_sig(&parts.concat(), signature).is_ok(),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(..)")
    }
}
