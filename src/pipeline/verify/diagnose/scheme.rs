//! The parts that schemes have in common, to be changed.

use super::trial::Trial;
use crate::config::file::{self, Auth, Encoding, HashFunction, OneOrMany};
use crate::config::{At, file::TimestampRule};

// === impl Trial ===

impl Trial {
    /// Where the signature is and how it is written, where the scheme says that.
    pub(super) fn signature_mut(&mut self) -> Option<&mut file::Signature> {
        match &mut self.case.auth.value {
            Auth::Hmac(scheme) => Some(&mut scheme.signature),
            Auth::KeyedHash(scheme) => Some(&mut scheme.signature),
            Auth::Ed25519(scheme) => Some(&mut scheme.signature),
            Auth::EcdsaP256(scheme) => Some(&mut scheme.signature),
            Auth::Rsa(scheme) => Some(&mut scheme.signature),
            Auth::None | Auth::Token(_) | Auth::Basic(_) | Auth::Sns(_) | Auth::Jwt(_) => None,
        }
    }

    /// The same to look at.
    pub(super) const fn signature(&self) -> Option<&file::Signature> {
        match &self.case.auth.value {
            Auth::Hmac(scheme) => Some(&scheme.signature),
            Auth::KeyedHash(scheme) => Some(&scheme.signature),
            Auth::Ed25519(scheme) => Some(&scheme.signature),
            Auth::EcdsaP256(scheme) => Some(&scheme.signature),
            Auth::Rsa(scheme) => Some(&scheme.signature),
            Auth::None | Auth::Token(_) | Auth::Basic(_) | Auth::Sns(_) | Auth::Jwt(_) => None,
        }
    }

    /// The rule for the signed time, where the scheme can have one.
    pub(super) const fn timestamp_mut(&mut self) -> Option<&mut Option<At<TimestampRule>>> {
        match &mut self.case.auth.value {
            Auth::Hmac(scheme) => Some(&mut scheme.timestamp),
            Auth::KeyedHash(scheme) => Some(&mut scheme.timestamp),
            Auth::Ed25519(scheme) => Some(&mut scheme.timestamp),
            Auth::EcdsaP256(scheme) => Some(&mut scheme.timestamp),
            Auth::Rsa(scheme) => Some(&mut scheme.timestamp),
            Auth::None | Auth::Token(_) | Auth::Basic(_) | Auth::Sns(_) | Auth::Jwt(_) => None,
        }
    }

    /// The rule for the signed time, where there is one.
    pub(super) fn timestamp(&self) -> Option<&TimestampRule> {
        match &self.case.auth.value {
            Auth::Hmac(scheme) => scheme.timestamp.as_ref(),
            Auth::KeyedHash(scheme) => scheme.timestamp.as_ref(),
            Auth::Ed25519(scheme) => scheme.timestamp.as_ref(),
            Auth::EcdsaP256(scheme) => scheme.timestamp.as_ref(),
            Auth::Rsa(scheme) => scheme.timestamp.as_ref(),
            Auth::None | Auth::Token(_) | Auth::Basic(_) | Auth::Sns(_) | Auth::Jwt(_) => None,
        }
        .map(|rule| &rule.value)
    }

    /// What is signed, where the scheme says that.
    pub(super) fn content(&self) -> Option<String> {
        let content = match &self.case.auth.value {
            Auth::Hmac(scheme) => scheme.content.as_ref(),
            Auth::KeyedHash(scheme) => Some(&scheme.content),
            Auth::Ed25519(scheme) => scheme.content.as_ref(),
            Auth::EcdsaP256(scheme) => scheme.content.as_ref(),
            Auth::Rsa(scheme) => scheme.content.as_ref(),
            Auth::None | Auth::Token(_) | Auth::Basic(_) | Auth::Sns(_) | Auth::Jwt(_) => return None,
        };
        Some(content.map_or_else(|| "{body}".to_owned(), |content| content.value.clone()))
    }

    /// Has it sign something else.
    pub(super) fn set_content(&mut self, content: &str) {
        let content = At::nowhere(content.to_owned());
        match &mut self.case.auth.value {
            Auth::Hmac(scheme) => scheme.content = Some(content),
            Auth::KeyedHash(scheme) => scheme.content = content,
            Auth::Ed25519(scheme) => scheme.content = Some(content),
            Auth::EcdsaP256(scheme) => scheme.content = Some(content),
            Auth::Rsa(scheme) => scheme.content = Some(content),
            Auth::None | Auth::Token(_) | Auth::Basic(_) | Auth::Sns(_) | Auth::Jwt(_) => {}
        }
    }

    /// The hash function of a scheme whose signature is a hash.
    pub(super) const fn hash_mut(&mut self) -> Option<&mut HashFunction> {
        match &mut self.case.auth.value {
            Auth::Hmac(scheme) => Some(&mut scheme.hash),
            Auth::KeyedHash(scheme) => Some(&mut scheme.hash),
            _ => None,
        }
    }

    /// The same to look at.
    pub(super) const fn hash(&self) -> Option<HashFunction> {
        match &self.case.auth.value {
            Auth::Hmac(scheme) => Some(scheme.hash),
            Auth::KeyedHash(scheme) => Some(scheme.hash),
            _ => None,
        }
    }

    /// How the secret's text becomes a key, where the scheme says that.
    pub(super) const fn key_mut(&mut self) -> Option<&mut file::Key> {
        match &mut self.case.auth.value {
            Auth::Hmac(scheme) => Some(&mut scheme.key),
            Auth::Ed25519(scheme) => Some(&mut scheme.key),
            Auth::EcdsaP256(scheme) => Some(&mut scheme.key),
            Auth::Jwt(scheme) => Some(&mut scheme.key),
            _ => None,
        }
    }

    /// The encodings in which the secret is read, and the prefix that is stripped from it.
    pub(super) fn key(&self) -> Option<(Vec<Encoding>, Option<&str>)> {
        let (key, default) = match &self.case.auth.value {
            Auth::Hmac(scheme) => (&scheme.key, Encoding::Text),
            Auth::Ed25519(scheme) if scheme.seed => (&scheme.key, Encoding::Text),
            Auth::Ed25519(scheme) => (&scheme.key, Encoding::Hex),
            Auth::EcdsaP256(scheme) => (&scheme.key, Encoding::Base64),
            Auth::Jwt(scheme) => (&scheme.key, Encoding::Text),
            _ => return None,
        };
        let encodings = key.encoding.as_ref().map_or_else(|| vec![default], |given| given.as_slice().to_vec());
        Some((encodings, key.strip_prefix.as_deref()))
    }

    /// The places that the signature or the credential is read from.
    pub(super) fn places(&self) -> Vec<String> {
        match &self.case.auth.value {
            Auth::Token(token) => vec![token.from.value.clone()],
            Auth::Basic(_) => vec!["header:Authorization".to_owned()],
            Auth::Jwt(jwt) => {
                vec![jwt.from.as_ref().map_or_else(|| "header:Authorization".to_owned(), |from| from.value.clone())]
            }
            _ => match self.signature() {
                Some(signature) => signature.from.as_slice().iter().map(|from| from.value.clone()).collect(),
                None => Vec::new(),
            },
        }
    }

    /// Has the signature or the credential read from somewhere else.
    pub(super) fn set_place(&mut self, place: &str) -> bool {
        let at = At::nowhere(place.to_owned());
        match &mut self.case.auth.value {
            Auth::Token(token) => token.from = at,
            Auth::Jwt(jwt) => {
                // What stands before it by default depends on where it is.
                jwt.prefix.get_or_insert_default();
                jwt.from = Some(at);
            }
            _ => match self.signature_mut() {
                Some(signature) => signature.from = At::nowhere(OneOrMany::One(at)),
                None => return false,
            },
        }
        true
    }
}

/// The hash function as the file names it.
pub(super) const fn hash_name(hash: HashFunction) -> &'static str {
    match hash {
        HashFunction::Sha1 => "sha1",
        HashFunction::Sha256 => "sha256",
        HashFunction::Sha512 => "sha512",
    }
}

/// The encoding as the file names it.
pub(super) const fn encoding_name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Text => "text",
        Encoding::Hex => "hex",
        Encoding::Base64 => "base64",
        Encoding::Base64url => "base64url",
    }
}
