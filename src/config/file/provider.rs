//! `providers.NAME:`, who sends.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Auth, EventMap, Handshake, Respond};
use crate::config::{At, Named};

/// A provider: who sends, as data.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// What it is and where it is documented, for `hookswitch providers`.
    #[serde(default)]
    pub about: Option<About>,
    /// How its requests are verified. Never off by omission.
    pub auth: At<Auth>,
    /// Requests that are answered on the spot.
    #[serde(default)]
    pub handshake: Vec<At<Handshake>>,
    /// Where in a request its events are.
    #[serde(default)]
    pub event: Option<At<EventMap>>,
    /// What it wants to hear.
    #[serde(default)]
    pub respond: Respond,
    /// Paths of an event's document that are shown to nobody: not in the log, the API or a listing. They are delivered.
    #[serde(default)]
    pub mask: Vec<At<String>>,
}

/// `about:`, what a person should know of a provider.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// What it is, in a line.
    pub title: String,
    /// The provider's own page.
    #[serde(default)]
    pub docs: Option<String>,
    /// What `secret` is in the provider's words, and where to find it.
    #[serde(default)]
    pub secret: Option<String>,
    /// Further secrets by the role in which the provider names them: the route's `secrets` of these names.
    #[serde(default)]
    pub secrets: Named<At<String>>,
    /// What is not documented or contradicts itself, and what we do about it.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What no document and no library of the provider's confirms.
    #[serde(default)]
    pub unconfirmed: Vec<String>,
}
