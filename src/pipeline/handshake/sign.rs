//! Signatures that a provider asks for, to see that we know the secret.

use super::Moment;
use crate::config::file::{self, Encoding};
use crate::config::{At, Place, Problem, Problems};
use crate::model::NamedSecret;
use crate::signing::{Content, Context, Fill, KeyRule, MacKey, Message, PrivateKey, encode, mac_keys};

/// The longest text that is signed for somebody who is not verified.
const LONGEST: usize = 512;

/// What makes `{signature}`.
#[derive(Debug)]
pub(super) struct ReplySigner {
    key: Key,
    content: Content,
    encoding: Encoding,
    /// Whoever asks is verified. Else only what can be no event is signed.
    verified: bool,
}

#[derive(Debug)]
enum Key {
    Mac(Box<MacKey>),
    Private(PrivateKey),
}

// === impl ReplySigner ===

impl ReplySigner {
    pub(super) fn compile(
        file: &At<file::HandshakeSign>,
        moment: Moment,
        secrets: &[At<NamedSecret>],
        context: &Context<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let Some(first) = secrets.first() else {
            // Where a scheme needs one, that is said already.
            problems.push(
                Problem::error(file.place, "a handshake that signs needs a secret").expected("`secret` in the route"),
            );
            return None;
        };
        let first = std::slice::from_ref(first);
        let (key, content) = match (&file.hmac, &file.ed25519) {
            (Some(hmac), None) => {
                let keys = mac_keys(hmac.hash, &hmac.key, first, hmac.place, problems);
                let key = keys.and_then(|keys| keys.into_iter().next()).map(|(_, key)| Key::Mac(Box::new(key)));
                (key, &hmac.content)
            }
            (None, Some(ed25519)) => {
                if !ed25519.seed {
                    problems.push(Problem::error(ed25519.place, "only a seed can sign").expected("`seed: true`"));
                }
                (seeded(&ed25519.key, first, ed25519.place, problems).map(Key::Private), &ed25519.content)
            }
            _ => {
                problems.push(Problem::error(file.place, "one scheme signs").expected("`hmac`, or `ed25519`"));
                return None;
            }
        };
        let content = Content::compile(content, context, problems);
        let encoding = file.encoding.as_ref().map_or(Encoding::Hex, |encoding| encoding.value);
        Some(Self { key: key?, content: content?, encoding, verified: moment == Moment::AfterAuth })
    }

    /// The signature; `None` where the request lacks what is signed, or it is nothing to be signed for anybody.
    pub(super) fn sign(&self, message: &Message<'_>) -> Option<String> {
        let parts = self.content.parts(message, Fill::default()).ok()?;
        // Whoever asks would have an event signed, if we let them.
        if !self.verified && !parts.iter().all(|part| is_a_nonce(part)) {
            return None;
        }
        let signature = match &self.key {
            Key::Mac(key) => key.tag(&parts),
            Key::Private(key) => key.sign(&parts)?,
        };
        Some(encode(self.encoding, &signature))
    }
}

fn seeded(key: &file::Key, secrets: &[At<NamedSecret>], place: Place, problems: &mut Problems) -> Option<PrivateKey> {
    let rule = KeyRule::compile(key, place, problems)?;
    let read = secrets.first().map(|secret| rule.read(secret, problems)).unwrap_or_default();
    PrivateKey::from_seed(read.first()?)
}

/// Whether this can be a challenge, and no body: the characters of tokens (RFC 9110, section 11.2), and not too many.
fn is_a_nonce(part: &[u8]) -> bool {
    let of_tokens = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    part.len() <= LONGEST && part.iter().all(of_tokens)
}
