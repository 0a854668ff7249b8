//! The schemes in which a signature covers what `content` says.

use schemars::JsonSchema;
use serde::Deserialize;

use super::OneOrMany;
use crate::config::{At, Span};

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
    /// What is signed: text with `{body} {timestamp} {id} {method} {path} {url} {secret} {crc32} {form_sorted}
    /// {headers:x} {header:x} {query:x} {form:x} {$.path}`. Default `{body}`.
    #[serde(default)]
    pub content: Option<At<String>>,
    /// How `{url}` is written.
    #[serde(default)]
    pub url: Option<At<UrlRule>>,
    /// What of the signed content is the hash of the body.
    #[serde(default)]
    pub body_hash: Option<At<BodyHash>>,
    /// The query of the parts of the body that are signed each by itself: `$` in `signature`, `timestamp` and `content` is
    /// then the part. At least one must be there, and all must hold.
    #[serde(default)]
    pub each: Option<At<String>>,
}

/// `auth.keyed_hash:`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyedHash {
    /// The hash function.
    pub hash: HashFunction,
    /// Where the hash is and how it is written.
    pub signature: Signature,
    /// Where the time is and how old it may be.
    #[serde(default)]
    pub timestamp: Option<At<TimestampRule>>,
    /// What is hashed, as for `hmac`; `{secret}` is in it.
    pub content: At<String>,
    /// How `{url}` is written.
    #[serde(default)]
    pub url: Option<At<UrlRule>>,
}

/// `auth.ed25519:`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ed25519 {
    /// How the public key is written: 32 bytes, or PEM whatever this says. Default `hex`.
    #[serde(default)]
    pub key: Key,
    /// Whether the secret is no public key but the seed of the pair: its bytes, repeated to 32. Default false.
    #[serde(default)]
    pub seed: bool,
    /// Where the signature is and how it is written.
    pub signature: Signature,
    /// Where the signed time is and how old it may be.
    #[serde(default)]
    pub timestamp: Option<At<TimestampRule>>,
    /// What is signed, as for `hmac`. Default `{body}`.
    #[serde(default)]
    pub content: Option<At<String>>,
    /// How `{url}` is written.
    #[serde(default)]
    pub url: Option<At<UrlRule>>,
}

/// `auth.ecdsa_p256:`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EcdsaP256 {
    /// How the public key is written: a SubjectPublicKeyInfo (RFC 5480), or PEM whatever this says. Default `base64`.
    #[serde(default)]
    pub key: Key,
    /// What the signature's bytes are. Default `der`.
    #[serde(default)]
    pub format: EcdsaFormat,
    /// Where the signature is and how it is written.
    pub signature: Signature,
    /// Where the signed time is and how old it may be.
    #[serde(default)]
    pub timestamp: Option<At<TimestampRule>>,
    /// What is signed, as for `hmac`. Default `{body}`.
    #[serde(default)]
    pub content: Option<At<String>>,
    /// How `{url}` is written.
    #[serde(default)]
    pub url: Option<At<UrlRule>>,
}

/// What the bytes of an ECDSA signature are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EcdsaFormat {
    /// An ASN.1 sequence of two integers (RFC 3279, section 2.2.3).
    #[default]
    Der,
    /// The two integers one after the other, 32 bytes each (IEEE P1363).
    P1363,
}

/// `auth.rsa:`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rsa {
    /// The hash function. SHA-1 only with `pkcs1`.
    pub hash: HashFunction,
    /// The padding. Default `pkcs1`.
    #[serde(default)]
    pub padding: Padding,
    /// Where the certificate is fetched from whose key signed. Without it the secret is the public key, in PEM.
    #[serde(default)]
    pub certificate: Option<At<Certificate>>,
    /// Where the signature is and how it is written.
    pub signature: Signature,
    /// Where the signed time is and how old it may be.
    #[serde(default)]
    pub timestamp: Option<At<TimestampRule>>,
    /// What is signed, as for `hmac`. Default `{body}`.
    #[serde(default)]
    pub content: Option<At<String>>,
    /// How `{url}` is written.
    #[serde(default)]
    pub url: Option<At<UrlRule>>,
}

/// How a hash is padded for RSA (RFC 8017, section 8).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Padding {
    /// RSASSA-PKCS1-v1_5.
    #[default]
    Pkcs1,
    /// RSASSA-PSS.
    Pss,
}

/// `certificate:`, where a request says that its certificate is.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The selector of its address, which has to be `https` and of one of `hosts`.
    pub url: At<String>,
    /// The hosts that are asked; `*` is any run of characters without a dot.
    pub hosts: At<Vec<At<String>>>,
}

/// `url:`, how `{url}` is written.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UrlRule {
    /// Whether the port is as in `public_url`, or may also be the default one or left out. Default `exact`.
    #[serde(default)]
    pub ports: Ports,
    /// Characters that are signed as themselves where they stand percent-encoded in the URL.
    #[serde(default)]
    pub decode: String,
}

/// How the port is written in `{url}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ports {
    /// As in `public_url`.
    #[default]
    Exact,
    /// With the port of `public_url` or the scheme's own, or without one.
    Any,
}

/// `body_hash:`, what of the signed content is the hash of the body.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BodyHash {
    /// The selector of it. Where the body is a form and `content` has `{form_sorted}`, it is not asked for.
    pub from: At<String>,
    /// The hash function. Default `sha256`.
    #[serde(default)]
    pub hash: HashFunction,
    /// How it is written. Default `hex`.
    #[serde(default)]
    pub encoding: Option<At<Encoding>>,
}

/// `hash:`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HashFunction {
    /// SHA-1: only where the provider has nothing better.
    Sha1,
    /// SHA-256.
    #[default]
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
    /// The selector of the signature; of several, any that matches will do. `{1-9}` at the end of a header's name stands for
    /// the numbers of that range.
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
