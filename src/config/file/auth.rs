//! `auth:`, how requests are verified: a scheme as its key.

use schemars::JsonSchema;
use serde::Deserialize;

use super::OneOrMany;
use crate::config::{At, Span};

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
}

/// `auth.basic:`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// The user name, where the secret is the password alone.
    #[serde(default)]
    pub username: Option<At<String>>,
}

/// `auth.hmac:`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hmac {
    /// The hash function.
    pub hash: HashFunction,
    /// What the secret's text is.
    #[serde(default)]
    pub key: Key,
    /// Where the signature is and how it is written.
    pub signature: Signature,
    /// Where the signed time is and how old it may be.
    #[serde(default)]
    pub timestamp: Option<At<TimestampRule>>,
    /// What is signed: text with `{body} {timestamp} {id} {method} {url} {header:x} {query:x} {$.path}`.
    /// Default `{body}`.
    #[serde(default)]
    pub content: Option<At<String>>,
}

/// `hash:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HashFunction {
    /// SHA-1: only where the provider has nothing better.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// `key:`, how the secret's text becomes key bytes.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// One encoding, or several where the provider does not say: the key is tried in each in which
    /// the secret can be read. Default `text`.
    #[serde(default)]
    pub encoding: Option<At<OneOrMany<Encoding>>>,
    /// Text before the key that is not part of it, such as `whsec_`.
    #[serde(default)]
    pub strip_prefix: Option<String>,
}

/// How bytes are written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// The text's own UTF-8 bytes. Only for keys.
    Text,
    /// Base 16, either case.
    Hex,
    /// Base 64 with padding (RFC 4648, section 4), canonical.
    Base64,
    /// Base 64 for URLs (RFC 4648, section 5), with or without padding, canonical.
    Base64url,
}

/// `signature:`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The selector of the signature; of several, any that matches will do.
    pub from: At<OneOrMany<At<String>>>,
    /// What stands before it, such as `sha256=`.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Where the value is a list of several, how it is taken apart.
    #[serde(default)]
    pub list: Option<At<SignatureList>>,
    /// How the signature's bytes are written. Default `hex`.
    #[serde(default)]
    pub encoding: Option<At<Encoding>>,
}

/// `signature.list:`, such as `t=1,v1=ab,v1=cd`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignatureList {
    /// What stands between two items: `,`.
    pub separator: At<String>,
    /// What stands between an item's key and value: `=`. Without it items have no key.
    #[serde(default)]
    pub pair: Option<At<String>>,
    /// The key of the items that are signatures: `v1`.
    #[serde(default)]
    pub key: Option<At<String>>,
}

/// `timestamp:`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimestampRule {
    /// The selector of the time, or `signature:KEY` for an item of the signature's list.
    pub from: At<String>,
    /// How it is written. Default `unix`.
    #[serde(default)]
    pub format: TimestampFormat,
    /// How old a request may be. Default `5m`.
    #[serde(default)]
    pub tolerance: Option<At<Span>>,
    /// Whether it may be no further ahead than `tolerance` either. Default true.
    #[serde(default)]
    pub symmetric: Option<bool>,
}

/// How a time is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimestampFormat {
    /// Seconds since the Unix epoch.
    #[default]
    Unix,
    /// Milliseconds since the Unix epoch.
    UnixMs,
    /// RFC 3339.
    Rfc3339,
    /// The date of HTTP (RFC 9110, section 5.6.7).
    HttpDate,
}

/// `auth.jwt:`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// The selector of the token. Default `header:Authorization`.
    #[serde(default)]
    pub from: Option<At<String>>,
    /// What stands before it. Default `Bearer ` where it comes from `Authorization`, else nothing.
    #[serde(default)]
    pub prefix: Option<String>,
    /// The algorithms that are taken; a token's own `alg` is never believed beyond these. All of
    /// one family.
    pub algorithms: At<Vec<At<JwtAlgorithm>>>,
    /// What the secret's text is, for HS algorithms. For the others the secret is a public key in PEM.
    #[serde(default)]
    pub key: Key,
    /// What the claims must say.
    #[serde(default)]
    pub claims: Claims,
    /// How far the clocks may be apart for `exp` and `nbf`. Default `60s`.
    #[serde(default)]
    pub leeway: Option<At<Span>>,
}

/// `claims:` of `auth.jwt`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// `aud` must be, or contain, this or one of these.
    #[serde(default)]
    pub aud: Option<OneOrMany<String>>,
    /// `iss` must be this or one of these.
    #[serde(default)]
    pub iss: Option<OneOrMany<String>>,
    /// `sub` must be this.
    #[serde(default)]
    pub sub: Option<String>,
    /// Claims that must be there, such as `exp`. `exp` and `nbf` are checked wherever they are.
    #[serde(default)]
    pub require: Vec<At<String>>,
}

/// RFC 7518, section 3.1, and RFC 8037.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names of RFC 7518, section 3.1, and RFC 8037")]
pub enum JwtAlgorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}
