//! `auth.jwt:`, a signed token.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Encoding, HashFunction, Key, OneOrMany};
use crate::config::{At, Span};

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
    /// What the secret's text is, for HS algorithms. For the others the secret is a public key in PEM, or a set of keys
    /// (RFC 7517, section 5), of which a token's `kid` names one.
    #[serde(default)]
    pub key: Key,
    /// Where the keys are fetched from, by `kid`. The route needs no public key then.
    #[serde(default)]
    pub keys: Option<At<JwtKeys>>,
    /// What the claims must say.
    #[serde(default)]
    pub claims: Claims,
    /// How far the clocks may be apart for `exp` and `nbf`. Default `60s`.
    #[serde(default)]
    pub leeway: Option<At<Span>>,
    /// How old a token may be by its `iat`, which then must be there.
    #[serde(default)]
    pub max_age: Option<At<Span>>,
    /// The claim that is the hash of the body. Without it a token covers nothing but itself.
    #[serde(default)]
    pub body_hash: Option<At<ClaimedHash>>,
}

/// `keys:` of `auth.jwt`, where public keys are fetched from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JwtKeys {
    /// The address of a set of keys (RFC 7517, section 5), `https`.
    Jwks(At<String>),
    /// Plaid's `/webhook_verification_key/get`, asked with the route's secrets `client_id` and `secret`.
    Plaid(PlaidKeys),
}

/// `keys.plaid:`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaidKeys {
    /// The host that is asked, such as `production.plaid.com`.
    pub host: At<String>,
}

/// `body_hash:` of `auth.jwt`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimedHash {
    /// The claim.
    pub claim: String,
    /// The hash function. Default `sha256`.
    #[serde(default)]
    pub hash: HashFunction,
    /// How it is written. Default `hex`.
    #[serde(default)]
    pub encoding: Option<At<Encoding>>,
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
