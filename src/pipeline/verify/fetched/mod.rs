//! Keys that are not in the configuration: a certificate whose address is in the request, a set of keys at an address, an
//! API that is asked for one.
//!
//! Verification asks nobody. It says what it [wants](Wanted), somebody who has a network fetches that, and what came back is
//! [learned](super::Verifier::learn). Only hosts of the configuration are asked, over TLS. What is kept is bounded, and so is
//! how often is asked: a sender who invents addresses and key ids wears out nothing but its own route's budget.

mod certificate;
mod given;
mod jwks;
mod plaid;
mod store;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::DecodingKey;
use url::Url;

pub(super) use self::certificate::Certificates;
pub(super) use self::jwks::{KeySet, key_of};
pub(super) use self::plaid::Plaid;

use self::store::Store;
use super::Rejection;
use crate::expr::Selector;
use crate::model::{Secret, Timestamp};
use crate::signing::{Message, PrivateKey, PublicKey, PublicScheme};

/// The `kid` of a key that whoever plays the sender made up.
pub(super) const SIMULATED_KEY: &str = "simulated";
/// How long such a key is known.
const PLANTED: Duration = Duration::from_secs(24 * 60 * 60);

/// Something that has to be fetched before a request can be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Under which name it is kept.
    id: Box<str>,
    /// What is asked.
    pub request: KeyRequest,
}

/// One request for a key: a GET, or a POST of JSON where there is some. Its `Debug` shows where it goes and nothing more.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRequest {
    /// Where: `https`, on a host of the configuration.
    pub url: Url,
    /// What is posted.
    pub json: Option<Box<str>>,
}

/// A key that was fetched.
#[derive(Debug)]
pub(super) enum FetchedKey {
    /// For each scheme that it may be used for.
    Public(Vec<(PublicScheme, PublicKey)>),
    Token(DecodingKey),
}

/// What came back, read.
struct Learned {
    /// The keys by their names.
    keys: Vec<(Box<str>, FetchedKey)>,
    /// How long they may be kept.
    lifetime: Duration,
}

/// Where keys are asked for.
trait Directory: fmt::Debug + Send + Sync {
    /// What is asked for the key of this name.
    fn request(&self, id: &str) -> Result<KeyRequest, Rejection>;

    /// Reads what came back. `None` where there is no key in it.
    fn read(&self, id: &str, answer: &[u8]) -> Option<Learned>;

    /// The key of a public key that a person gives.
    fn of_public(&self, spki: &[u8]) -> Option<FetchedKey> {
        given::of_spki(spki)
    }

    /// The public half of a key that whoever plays the sender made up.
    fn of(&self, private: &PrivateKey) -> Option<FetchedKey>;
}

/// Keys that are fetched, as far as they are known.
#[derive(Debug)]
pub(super) struct Source {
    directory: Box<dyn Directory>,
    /// Where a request names its key, where it is not a token that does.
    from: Option<Selector>,
    store: Store,
    /// One asks, and those that want the same wait for it.
    pub(super) gate: tokio::sync::Mutex<()>,
}

// === impl Source ===

impl Source {
    fn new(directory: impl Directory + 'static, from: Option<Selector>) -> Self {
        Self { directory: Box::new(directory), from, store: Store::default(), gate: tokio::sync::Mutex::default() }
    }

    pub(super) fn needs_json(&self) -> bool {
        self.from.as_ref().is_some_and(Selector::needs_json)
    }

    /// What has to be fetched before a request can be judged that names its key.
    pub(super) fn wanted(&self, message: &Message<'_>, now: Timestamp) -> Result<Option<Wanted>, Rejection> {
        self.wanted_id(&self.id(message)?, now)
    }

    /// What has to be fetched before something can be judged that is signed with the key of this name.
    pub(super) fn wanted_id(&self, id: &str, now: Timestamp) -> Result<Option<Wanted>, Rejection> {
        if self.store.knows(id, now) {
            return Ok(None);
        }
        Ok(Some(Wanted { id: id.into(), request: self.directory.request(id)? }))
    }

    /// Whether one more may be asked for, which then is counted.
    pub(super) fn may_ask(&self, now: Timestamp) -> bool {
        self.store.may_ask(now)
    }

    /// Takes in what came back; `None` where nothing did.
    pub(super) fn learn(&self, wanted: &Wanted, answer: Option<&[u8]>, now: Timestamp) {
        match answer {
            None => self.store.missed(&wanted.id, now),
            Some(answer) => match self.directory.read(&wanted.id, answer) {
                Some(learned) => self.store.put(&wanted.id, learned, now),
                None => self.store.unknown(&wanted.id, now),
            },
        }
    }

    /// The key of a request that names it.
    pub(super) fn key(&self, message: &Message<'_>) -> Result<Arc<FetchedKey>, Rejection> {
        self.key_of(&self.id(message)?)
    }

    /// The key of this name.
    pub(super) fn key_of(&self, id: &str) -> Result<Arc<FetchedKey>, Rejection> {
        // What would never be asked for is refused for what it is.
        self.directory.request(id)?;
        self.store.get(id)
    }

    /// Makes a key known that would be fetched for this request.
    pub(super) fn plant(&self, message: &Message<'_>, private: &PrivateKey, now: Timestamp) {
        let id = if self.from.is_some() { self.id(message).ok() } else { Some(SIMULATED_KEY.to_owned()) };
        if let Some((id, key)) = id.zip(self.directory.of(private)) {
            let learned = Learned { keys: vec![(id.as_str().into(), key)], lifetime: PLANTED };
            self.store.put(&id, learned, now);
        }
    }

    fn id(&self, message: &Message<'_>) -> Result<String, Rejection> {
        let Some(from) = &self.from else { return Err(Rejection::Missing) };
        message.one(from)?.map(std::borrow::Cow::into_owned).ok_or(Rejection::Missing)
    }
}

// === impl FetchedKey ===

impl FetchedKey {
    pub(super) fn as_public(&self, scheme: PublicScheme) -> Option<&PublicKey> {
        match self {
            Self::Public(keys) => keys.iter().find(|(known, _)| *known == scheme).map(|(_, key)| key),
            Self::Token(_) => None,
        }
    }

    pub(super) const fn as_token(&self) -> Option<&DecodingKey> {
        match self {
            Self::Token(key) => Some(key),
            Self::Public(_) => None,
        }
    }
}

// === impl KeyRequest ===

impl KeyRequest {
    fn get(url: Url) -> Self {
        Self { url, json: None }
    }
}

impl fmt::Debug for KeyRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRequest").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

/// The key of tokens that a private key signs.
fn token_key(private: &PrivateKey) -> Option<FetchedKey> {
    let pem = private.public_pem();
    let key = match private.scheme() {
        PublicScheme::Ed25519 => DecodingKey::from_ed_pem(pem.as_bytes()),
        PublicScheme::EcdsaP256(_) => DecodingKey::from_ec_pem(pem.as_bytes()),
        PublicScheme::Rsa(..) => DecodingKey::from_rsa_pem(pem.as_bytes()),
    };
    key.ok().map(FetchedKey::Token)
}

/// A secret as part of what is posted.
fn quoted(secret: &Secret) -> String {
    serde_json::Value::from(secret.expose()).to_string()
}
