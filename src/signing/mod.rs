//! The vocabulary of signatures: what they cover, with which keys, shared or public, and how they are written.
//!
//! One description serves both directions: `verify` reads by it what came in, `deliver` writes by it what goes out. So what
//! we sign is what our own verifier believes, and a scheme that is mended is mended for both.

mod content;
mod encoding;
mod form;
mod hash;
mod key;
mod mac;
mod message;
mod private;
mod public;
mod secrets;
mod time;

pub use content::{Content, Context, Fill, Holes};
pub use encoding::{decode, encode};
pub use form::{Form, Item};
pub use hash::digest;
pub use key::{KeyBytes, KeyRule, mac_keys};
pub use mac::MacKey;
pub use message::{Message, compile_selector};
pub use private::PrivateKey;
pub use public::{PublicKey, PublicScheme};
pub use secrets::usable;
pub use time::{parse_time, write_time};

/// Why a message cannot be signed, or its signature not be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningError {
    /// `content` has the time, and there is none.
    #[error("the signed time is missing")]
    MissingTimestamp,
    /// `content` names what the message does not have.
    #[error("something that `content` names is missing")]
    Incomplete,
    /// `content` names what the message has more than once.
    #[error("something that `content` names is there more than once")]
    Several,
    /// What `content` names cannot be looked for: a query that visits too many nodes.
    #[error("something that `content` names cannot be looked for")]
    Malformed,
}
