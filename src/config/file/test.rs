//! `tests[]:`, requests and what is to come of them: in the configuration, or in a file of their own.

use schemars::JsonSchema;
use serde::Deserialize;

use super::OneOrMany;
use crate::config::decode::every;
use crate::config::{At, Named, Tree};

/// A file of tests.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestFile {
    /// The configuration that is tested, relative to this file. Default: that of the command line.
    #[serde(default)]
    pub config: Option<At<String>>,
    /// The tests.
    #[serde(deserialize_with = "every")]
    pub tests: Vec<At<Test>>,
}

/// `tests[]:`, a request and what is to come of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// What it says, for a person.
    pub name: At<String>,
    /// The route. Default: that of the path.
    #[serde(default)]
    pub route: Option<At<String>>,
    /// The path. Default: that of the route.
    #[serde(default)]
    pub path: Option<At<String>>,
    /// The query, without the `?`.
    #[serde(default)]
    pub query: Option<At<String>>,
    /// The method. Default `POST`.
    #[serde(default)]
    pub method: Option<At<String>>,
    /// Header fields.
    #[serde(default)]
    pub headers: Named<At<String>>,
    /// The body: a value, sent as JSON.
    #[serde(default)]
    pub body: Option<Tree>,
    /// The file that the body is in, relative to this one.
    #[serde(default)]
    pub body_file: Option<At<String>>,
    /// The body as text.
    #[serde(default)]
    pub text: Option<At<String>>,
    /// A sample of the route's provider.
    #[serde(default)]
    pub sample: Option<At<String>>,
    /// Whether it is signed as the provider would. Default: where the route verifies anything.
    #[serde(default)]
    pub sign: Option<At<bool>>,
    /// What is wrong with it.
    #[serde(default)]
    pub tamper: Option<At<Tamper>>,
    /// The time at which it comes in: RFC 3339, or seconds since 1970. Default: now.
    #[serde(default)]
    pub now: Option<At<String>>,
    /// What is to come of it.
    pub expect: At<Expect>,
}

/// `tamper:` of a test: what is wrong with a request that is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tamper {
    /// Its body has a byte more than was signed.
    Body,
    /// A character of the signature is another.
    Signature,
    /// It was signed a year ago.
    Timestamp,
    /// It was signed with another secret.
    Secret,
}

/// `expect:` of a test. What is not there is not compared.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The status that the provider hears.
    #[serde(default)]
    pub status: Option<At<u16>>,
    /// The body that the provider hears: a value where that is JSON, or text.
    #[serde(default)]
    pub reply: Option<Tree>,
    /// `verified`, or the word for why not.
    #[serde(default)]
    pub verdict: Option<At<String>>,
    /// The events, all of them and in order.
    #[serde(default)]
    pub events: Option<At<Vec<At<ExpectedEvent>>>>,
    /// The deliveries by name: of one event, or a list with those of each.
    #[serde(default)]
    pub deliveries: Option<At<OneOrMany<Named<At<ExpectedDelivery>>>>>,
    /// The deliveries that want none of the events; by name, a part of the reason.
    #[serde(default)]
    pub filtered: Option<At<Filtered>>,
    /// Whether there are no other deliveries than those of `deliveries`.
    #[serde(default)]
    pub only: Option<At<bool>>,
}

/// `events[]:` of `expect`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedEvent {
    /// Its type.
    #[serde(default, rename = "type")]
    pub kind: Option<At<String>>,
    /// Its id.
    #[serde(default)]
    pub id: Option<At<String>>,
    /// Its subject.
    #[serde(default)]
    pub subject: Option<At<String>>,
    /// Its time.
    #[serde(default)]
    pub time: Option<At<String>>,
    /// Its data.
    #[serde(default)]
    pub data: Option<Tree>,
}

/// `deliveries.NAME:` of `expect`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedDelivery {
    /// The method.
    #[serde(default)]
    pub method: Option<At<String>>,
    /// The URL.
    #[serde(default)]
    pub url: Option<At<String>>,
    /// Header fields. Others may be there too.
    #[serde(default)]
    pub headers: Named<At<String>>,
    /// The body: a value where that is JSON, or text.
    #[serde(default)]
    pub body: Option<Tree>,
    /// The reason for which it is a dead letter at once.
    #[serde(default)]
    pub dead_letter: Option<At<String>>,
}

/// `filtered:` of `expect`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "by shape")]
#[schemars(rename = "Filtered", untagged)]
pub enum Filtered {
    /// The names of deliveries.
    #[serde(rename = "list")]
    Names(Vec<At<String>>),
    /// For each name a part of the reason.
    #[serde(rename = "mapping")]
    Reasons(Named<At<String>>),
}
