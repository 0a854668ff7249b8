//! `routes[]:`, which requests are taken, and for what.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Auth, Format};
use crate::config::decode::every;
use crate::config::{At, ByteSize, Named, Span, Tree};
use crate::model::Secret;

/// `routes[]:`, which requests are taken, and for what.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Its name, unique: a metric label.
    pub name: At<String>,
    /// The inbound path; `{name}` is one segment, kept as a path parameter.
    pub path: At<String>,
    /// Who sends.
    #[serde(default)]
    pub provider: Option<At<String>>,
    /// How requests are verified: where there is no provider, or in place of the provider's own.
    #[serde(default)]
    pub auth: Option<At<Auth>>,
    /// The secret.
    #[serde(default)]
    pub secret: Option<At<Secret>>,
    /// Several secrets by name: any may match, each is counted.
    #[serde(default)]
    pub secrets: Option<At<Named<At<Secret>>>>,
    /// Which events the route wants at all.
    #[serde(default)]
    pub filter: Option<At<Filter>>,
    /// How long an event's id is remembered. Default `24h`.
    #[serde(default)]
    pub dedup: Option<At<Window>>,
    /// How long what was delivered is kept, to be looked at and replayed. Default `24h`.
    #[serde(default)]
    pub retain: Option<At<Window>>,
    /// The largest body.
    #[serde(default)]
    pub max_body: Option<At<ByteSize>>,
    /// Paths of an event's document that are shown to nobody, besides those of the provider. They are delivered.
    #[serde(default)]
    pub mask: Vec<At<String>>,
    /// Where its events go.
    #[serde(deserialize_with = "every")]
    pub deliver: Vec<At<Delivery>>,
}

/// `dedup:` and `retain:` of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// `off`: for no time.
    Off,
    /// So long.
    Span(Span),
}

/// `deliver[]:`, one destination of a route's events.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// The destination's name.
    pub to: At<String>,
    /// Its own name, unique in the route. Default: that of the destination.
    #[serde(default)]
    pub name: Option<At<String>>,
    /// Which events it wants, by type; the same as `filter: { types: [...] }`.
    #[serde(default)]
    pub types: Option<At<Vec<At<String>>>>,
    /// Which events it wants.
    #[serde(default)]
    pub filter: Option<At<Filter>>,
    /// What it gets: a template.
    #[serde(default)]
    pub transform: Option<Tree>,
    /// What its body is.
    #[serde(default)]
    pub format: Option<At<Format>>,
    /// The path of what its events are to be in order with: first in, first out for each value.
    #[serde(default)]
    pub order_by: Option<At<String>>,
    /// What becomes of what comes after a dead letter with the same value. Default `continue`.
    #[serde(default)]
    pub on_dead_letter: Option<At<OnDeadLetter>>,
}

/// `on_dead_letter:` of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDeadLetter {
    /// It goes on.
    Continue,
    /// It waits until the dead letter is replayed or a person lets it go on.
    Park,
}

/// A filter: an expression, or a block whose entries must all hold.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename = "by shape")]
#[schemars(rename = "Filter", untagged)]
pub enum Filter {
    /// An RFC 9535 logical expression in which `$` is the event.
    #[serde(rename = "text")]
    Expression(At<String>),
    /// A block.
    #[serde(rename = "mapping")]
    Block(FilterBlock),
}

/// A filter's block: every entry that is there must hold.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct FilterBlock {
    /// The type is like one of these; `*` is any run of characters.
    #[serde(default)]
    pub types: Option<At<Vec<At<String>>>>,
    /// All hold.
    #[serde(default)]
    pub all: Option<Vec<At<Filter>>>,
    /// One holds.
    #[serde(default)]
    pub any: Option<Vec<At<Filter>>>,
    /// None holds.
    #[serde(default)]
    pub not: Option<Vec<At<Filter>>>,
}
