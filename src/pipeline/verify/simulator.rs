//! A provider, played: made-up secrets and keys for a scheme, requests that are signed as it would, and what a forger does
//! to them.
//!
//! Signing is done by the description that verifies ([`Verifier::sign`]), so there is no second one that could differ. What
//! is made up here is the secret, and for public keys the private one that only the provider has.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::sign::Signing;
use super::{Scheme, SignError, Surroundings, Unsigned, Verifier};
use crate::config::file::{self, EcdsaFormat, Encoding, HashFunction, JwtAlgorithm, Padding};
use crate::config::{At, Problems};
use crate::model::{NamedSecret, Secret, Timestamp};
use crate::signing::{PrivateKey, PublicScheme, encode};

/// A provider that signs with a secret of its own making.
#[derive(Debug)]
pub struct Simulator {
    verifier: Verifier,
    pub(super) private: Option<PrivateKey>,
}

/// What a forger, or a bad network, does to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tampering {
    /// The body is another than the one that was signed.
    Body,
    /// The signature, or the credential, is off by a bit.
    Signature,
    /// It was signed longer ago than is taken.
    Timestamp,
    /// It is signed with another secret.
    Secret,
}

/// What a route is given, and what the sender has.
struct MadeUp {
    secret: Secret,
    private: Option<PrivateKey>,
}

/// How much longer ago than is taken a stale request was signed.
const JUST_TOO_LONG: Duration = Duration::from_secs(2);

// === impl Simulator ===

impl Simulator {
    /// Plays the sender of a scheme. Another `seed` is another secret.
    ///
    /// What is wrong with the scheme is added to `problems`; `None` where it does not compile, or nobody can play its sender.
    pub fn new(
        auth: &At<file::Auth>,
        surroundings: Surroundings<'_>,
        seed: &str,
        problems: &mut Problems,
    ) -> Option<Self> {
        let made_up = MadeUp::of(&auth.value, seed)?;
        Self::with(auth, made_up.secret, made_up.private, surroundings, problems)
    }

    /// The same with a secret that is given: the sample of a provider may name it.
    pub fn with_secret(
        auth: &At<file::Auth>,
        secret: &str,
        surroundings: Surroundings<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let private = MadeUp::of(&auth.value, secret)?.private;
        Self::with(auth, Secret::new(secret.to_owned()), private, surroundings, problems)
    }

    /// Plays the sender in place of the one whose key only it has: by the names of a route's secrets, or with them where
    /// they are no keys. `None` where the route's secrets are all that it takes.
    pub fn in_place_of(
        auth: &At<file::Auth>,
        secrets: &[At<NamedSecret>],
        surroundings: Surroundings<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let MadeUp { secret, private } = MadeUp::of(&auth.value, "played")?;
        private.as_ref()?;
        let keys_are_elsewhere = match &auth.value {
            file::Auth::Rsa(rsa) => rsa.certificate.is_some(),
            file::Auth::Jwt(jwt) => jwt.keys.is_some(),
            file::Auth::Sns(_) => true,
            _ => false,
        };
        let verifier = match secrets.first().filter(|_| !keys_are_elsewhere) {
            Some(first) => {
                let secret = NamedSecret::new(Arc::clone(&first.value.name), secret);
                Verifier::compile(auth, &[At::new(secret, first.place)], surroundings, problems)
            }
            None => Verifier::compile(auth, secrets, surroundings, problems),
        };
        Some(Self { verifier: verifier?, private })
    }

    /// Takes it apart.
    #[must_use]
    pub fn into_parts(self) -> (Verifier, Option<PrivateKey>) {
        (self.verifier, self.private)
    }

    fn with(
        auth: &At<file::Auth>,
        secret: Secret,
        private: Option<PrivateKey>,
        surroundings: Surroundings<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let secrets = match &auth.value {
            file::Auth::None => Vec::new(),
            file::Auth::Jwt(jwt) if jwt.keys.is_some() => Vec::new(),
            _ => vec![At::nowhere(NamedSecret::new("simulated", secret))],
        };
        let verifier = Verifier::compile(auth, &secrets, surroundings, problems)?;
        Some(Self { verifier, private })
    }

    /// A verifier that believes what is signed here.
    #[must_use]
    pub const fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Signs a request as the provider would at `now`. Where its key would be fetched, the verifier is told it.
    ///
    /// # Errors
    /// Where the request lacks what is signed, or has no place for the signature.
    pub fn sign(&self, request: &mut Unsigned, now: Timestamp) -> Result<(), SignError> {
        self.sign_as(request, &Signing { now, private: self.private.as_ref(), forged: false })
    }

    fn sign_as(&self, request: &mut Unsigned, signing: &Signing<'_>) -> Result<(), SignError> {
        self.verifier.sign_as(request, signing)
    }

    /// Signs a request, and does something to it. `other` plays another sender. `false` where that cannot be done to a
    /// request of this scheme: it signs no time, or nothing of the body.
    ///
    /// # Errors
    /// As [`Self::sign`].
    pub fn sign_badly(
        &self,
        request: &mut Unsigned,
        now: Timestamp,
        tampering: Tampering,
        other: &Self,
    ) -> Result<bool, SignError> {
        match tampering {
            Tampering::Secret => other.sign(request, now)?,
            Tampering::Timestamp => {
                let Some(age) = self.verifier.tolerance() else { return Ok(false) };
                self.sign(request, now.before(age + JUST_TOO_LONG))?;
            }
            Tampering::Body => {
                self.sign(request, now)?;
                if !self.verifier.covers_body() {
                    return Ok(false);
                }
                // One more byte than was signed, and the same JSON.
                request.body = [&request.body[..], b"\n"].concat().into();
            }
            Tampering::Signature => {
                self.sign_as(request, &Signing { now, private: self.private.as_ref(), forged: true })?;
            }
        }
        Ok(true)
    }
}

// === impl Verifier ===

impl Verifier {
    /// How old a request may be, where that is looked at.
    #[must_use]
    pub fn tolerance(&self) -> Option<Duration> {
        match &self.scheme {
            Scheme::Signed(_, signed) => signed.tolerance(),
            Scheme::Jwt(jwt) => Some(jwt.longest()),
            Scheme::None | Scheme::Token(_) | Scheme::Basic(_) | Scheme::Sns(_) => None,
        }
    }

    /// Whether every byte of the body is what was signed.
    #[must_use]
    pub fn covers_body(&self) -> bool {
        match &self.scheme {
            Scheme::Signed(_, signed) => signed.covers_body(),
            Scheme::Jwt(jwt) => jwt.covers_body(),
            Scheme::None | Scheme::Token(_) | Scheme::Basic(_) | Scheme::Sns(_) => false,
        }
    }

    /// Reads a private key of the scheme in PEM; `None` where it is none, or the scheme has none.
    #[must_use]
    pub fn read_private_key(&self, pem: &str) -> Option<PrivateKey> {
        PrivateKey::from_pem(self.public_scheme()?, pem)
    }

    /// A private key of the scheme that nobody else has; `None` where the scheme has none.
    #[must_use]
    pub fn another_private_key(&self) -> Option<PrivateKey> {
        PrivateKey::generate(self.public_scheme()?)
    }

    fn public_scheme(&self) -> Option<PublicScheme> {
        match &self.scheme {
            Scheme::Signed(_, signed) => signed.public_scheme(),
            Scheme::Sns(_) => Some(PublicScheme::Rsa(HashFunction::Sha256, Padding::Pkcs1)),
            Scheme::Jwt(jwt) => jwt_scheme(jwt.algorithm()?),
            Scheme::None | Scheme::Token(_) | Scheme::Basic(_) => None,
        }
    }

    /// Makes a key known that would be fetched for this request.
    pub(super) fn plant(&self, request: &Unsigned, private: &PrivateKey, now: Timestamp) {
        let json = serde_json::from_slice(&request.body).ok();
        let message = request.message(json.as_ref());
        if let Some(source) = self.scheme.source() {
            source.plant(&message, private, now);
        }
    }
}

// === impl MadeUp ===

impl MadeUp {
    fn of(auth: &file::Auth, seed: &str) -> Option<Self> {
        let bytes: [u8; 32] = Sha256::digest(format!("hookswitch simulator: {seed}")).into();
        let text = |text: String| Some(Self { secret: Secret::new(text), private: None });
        match auth {
            file::Auth::None => text(String::new()),
            file::Auth::Token(_) | file::Auth::KeyedHash(_) => text(hex::encode(bytes)),
            file::Auth::Basic(basic) if basic.username.is_none() => text(format!("user:{}", hex::encode(bytes))),
            file::Auth::Basic(_) => text(hex::encode(bytes)),
            file::Auth::Hmac(hmac) => text(written(&hmac.key, Encoding::Text, &bytes)),
            file::Auth::Ed25519(file) if file.seed => text(written(&file.key, Encoding::Text, &bytes)),
            file::Auth::Ed25519(file) => {
                let private = PrivateKey::from_seed(&bytes)?;
                let secret = Secret::new(written(&file.key, Encoding::Hex, &private.public()));
                Some(Self { secret, private: Some(private) })
            }
            file::Auth::EcdsaP256(file) => Self::pair(PublicScheme::EcdsaP256(file.format), Some(&file.key)),
            file::Auth::Rsa(file) => {
                let made_up = Self::pair(PublicScheme::Rsa(file.hash, file.padding), None)?;
                let secret = match file.certificate {
                    Some(_) => Secret::new(hex::encode(bytes)),
                    None => made_up.secret,
                };
                Some(Self { secret, ..made_up })
            }
            file::Auth::Sns(_) => {
                let made_up = Self::pair(PublicScheme::Rsa(HashFunction::Sha256, Padding::Pkcs1), None)?;
                let topic = format!("arn:aws:sns:us-west-2:123456789012:{}", hex::encode(bytes));
                Some(Self { secret: Secret::new(topic), ..made_up })
            }
            file::Auth::Jwt(jwt) => match jwt_scheme(jwt.algorithms.first()?.value) {
                Some(scheme) => Self::pair(scheme, None),
                None => text(written(&jwt.key, Encoding::Text, &bytes)),
            },
        }
    }

    /// A key pair, whose public half is the secret: in PEM, or as `key` says.
    fn pair(scheme: PublicScheme, key: Option<&file::Key>) -> Option<Self> {
        let private = PrivateKey::generate(scheme)?;
        let secret = match key {
            Some(key) => written(key, Encoding::Base64, &private.public()),
            None => private.public_pem(),
        };
        Some(Self { secret: Secret::new(secret), private: Some(private) })
    }
}

/// Bytes as the secret's text: in the first encoding that is read, or in `default` where none is named. Text that is to be
/// text is their hex.
fn written(key: &file::Key, default: Encoding, bytes: &[u8]) -> String {
    let named = key.encoding.as_ref().and_then(|encoding| encoding.value.as_slice().first().copied());
    let prefix = key.strip_prefix.as_deref().unwrap_or_default();
    format!("{prefix}{}", encode(named.unwrap_or(default), bytes))
}

/// The scheme by which a token of this algorithm is signed with a private key, where we can.
const fn jwt_scheme(algorithm: JwtAlgorithm) -> Option<PublicScheme> {
    Some(match algorithm {
        JwtAlgorithm::RS256 => PublicScheme::Rsa(HashFunction::Sha256, Padding::Pkcs1),
        JwtAlgorithm::RS512 => PublicScheme::Rsa(HashFunction::Sha512, Padding::Pkcs1),
        JwtAlgorithm::PS256 => PublicScheme::Rsa(HashFunction::Sha256, Padding::Pss),
        JwtAlgorithm::PS512 => PublicScheme::Rsa(HashFunction::Sha512, Padding::Pss),
        JwtAlgorithm::ES256 => PublicScheme::EcdsaP256(EcdsaFormat::P1363),
        JwtAlgorithm::EdDSA => PublicScheme::Ed25519,
        JwtAlgorithm::HS256
        | JwtAlgorithm::HS384
        | JwtAlgorithm::HS512
        | JwtAlgorithm::RS384
        | JwtAlgorithm::PS384
        | JwtAlgorithm::ES384 => return None,
    })
}
