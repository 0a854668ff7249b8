//! `auth:`, how requests are verified: a scheme as its key.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{EcdsaP256, Ed25519, Hmac, Jwt, KeyedHash, Rsa};
use crate::config::At;

/// `auth:`, a scheme as its key.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// Whoever sends is believed.
    None,
    /// A header (or another part of the request) equals the secret.
    Token(Token),
    /// RFC 7617: the secret is `user:password`, or the password where `username` is given.
    Basic(Basic),
    /// RFC 2104: a keyed hash of what `content` says.
    Hmac(Hmac),
    /// A plain hash of what `content` says, with the secret in it.
    KeyedHash(KeyedHash),
    /// RFC 8032: the secret is a public key.
    Ed25519(Ed25519),
    /// FIPS 186-5 with the curve P-256 and SHA-256: the secret is a public key.
    EcdsaP256(EcdsaP256),
    /// RFC 8017: the secret is a public key, or what is signed comes with a certificate's address.
    Rsa(Rsa),
    /// Amazon SNS: its own canonical text, and a certificate from Amazon's host.
    Sns(Sns),
    /// RFC 7519: a signed token.
    Jwt(Jwt),
}

/// `auth.token:`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// The selector of what must equal the secret.
    pub from: At<String>,
    /// What stands before it, such as `Bearer `.
    #[serde(default)]
    pub prefix: Option<String>,
    /// The query of the parts of the body that each have it: `$` in `from` is then the part. At least one must be there,
    /// and all must hold.
    #[serde(default)]
    pub each: Option<At<String>>,
}

/// `auth.sns:`. The secret is the topic's ARN: whoever has an account can have Amazon sign what they like, under their own.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sns {
    /// Where certificates may come from; `*` is any run of characters without a dot. Default: Amazon's hosts.
    #[serde(default)]
    pub hosts: Option<At<Vec<At<String>>>>,
}

/// `auth.basic:`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// The user name, where the secret is the password alone.
    #[serde(default)]
    pub username: Option<At<String>>,
}
