//! What a destination says about signing, tokens and TLS.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Encoding, HashFunction, Key, SignatureList, TimestampFormat};
use crate::config::{At, Named};
use crate::model::Secret;

/// `sign:`, how what goes out is signed: a scheme as its key.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// As <https://www.standardwebhooks.com> says: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
    StandardWebhooks(StandardWebhooks),
    /// RFC 2104: a keyed hash of what `content` says, in the words of a provider's `auth.hmac`.
    Hmac(Box<SignHmac>),
}

/// `sign.standard_webhooks:`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename = "standard_webhooks", deny_unknown_fields)]
pub struct StandardWebhooks {
    /// The secret, with or without `whsec_` before it.
    #[serde(default)]
    pub secret: Option<At<Secret>>,
    /// Several of them by name, each of which signs: for rotation.
    #[serde(default)]
    pub secrets: Option<At<Named<At<Secret>>>>,
}

/// `sign.hmac:`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename = "hmac", deny_unknown_fields)]
pub struct SignHmac {
    /// The hash function.
    pub hash: HashFunction,
    /// The secret.
    #[serde(default)]
    pub secret: Option<At<Secret>>,
    /// Several of them by name, each of which signs: for rotation, where the signature is a list.
    #[serde(default)]
    pub secrets: Option<At<Named<At<Secret>>>>,
    /// What the secret's text is.
    #[serde(default)]
    pub key: Key,
    /// Where the signature goes and how it is written.
    pub signature: SignSignature,
    /// Where the time of the attempt goes and how it is written.
    #[serde(default)]
    pub timestamp: Option<At<SignTimestamp>>,
    /// What is signed: text with `{body} {timestamp} {id} {method} {url} {header:x} {query:x} {$.path}`. Default
    /// `{body}`.
    #[serde(default)]
    pub content: Option<At<String>>,
}

/// `signature:` of `sign.hmac`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename = "signature", deny_unknown_fields)]
pub struct SignSignature {
    /// `header:NAME`.
    pub to: At<String>,
    /// What stands before it, such as `sha256=`.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Where the value is a list, how it is put together.
    #[serde(default)]
    pub list: Option<At<SignatureList>>,
    /// How the signature's bytes are written. Default `hex`.
    #[serde(default)]
    pub encoding: Option<At<Encoding>>,
}

/// `timestamp:` of `sign.hmac`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename = "timestamp", deny_unknown_fields)]
pub struct SignTimestamp {
    /// `header:NAME`, or `signature:KEY` for an item of the signature's list.
    pub to: At<String>,
    /// How it is written. Default `unix`.
    #[serde(default)]
    pub format: TimestampFormat,
}

/// `auth.oauth2:` of a destination, the client credentials grant (RFC 6749, section 4.4).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuth2 {
    /// The token endpoint (section 3.2).
    pub token_url: At<String>,
    /// Who we are there.
    pub client_id: At<String>,
    /// What proves it.
    pub client_secret: At<Secret>,
    /// What the token is to be good for (section 3.3).
    #[serde(default)]
    pub scopes: Vec<At<String>>,
    /// Whom the token is for, where the server asks for it.
    #[serde(default)]
    pub audience: Option<At<String>>,
    /// Where id and secret go (section 2.3.1). Default `basic`.
    #[serde(default)]
    pub auth_style: AuthStyle,
    /// TLS with the token endpoint. That of the destination is its own.
    #[serde(default)]
    pub tls: Option<At<Tls>>,
}

/// Where a client's id and secret go (RFC 6749, section 2.3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuthStyle {
    /// Into `Authorization: Basic`.
    #[default]
    Basic,
    /// Into the form that is posted.
    Body,
}

/// `tls:` of a destination. Each value is PEM text (RFC 7468), such as `${file:/run/secrets/ca.pem}`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate authorities that are trusted, in place of the system's.
    #[serde(default)]
    pub ca: Option<At<String>>,
    /// The certificate that we show, and those between it and the destination's authority.
    #[serde(default)]
    pub client_cert: Option<At<String>>,
    /// Its private key.
    #[serde(default)]
    pub client_key: Option<At<Secret>>,
}
