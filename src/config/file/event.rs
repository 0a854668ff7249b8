//! `event:`, where in a request its events are.

use schemars::JsonSchema;
use serde::Deserialize;

use super::OneOrMany;
use crate::config::At;

/// `event:`, where in a request its events are. In its selectors `$` is the received body, or the
/// split element where it splits; `envelope:$...` is then what holds the element.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventMap {
    /// What the body is. Of several, the one that the content type says. Default `json`.
    #[serde(default)]
    pub body: Option<At<OneOrMany<At<BodyForm>>>>,
    /// Where the body is a list of envelopes, their query: `$[0:]`, which finds the elements of a list alone (`$[*]`
    /// finds the members of an object too); of several, the first that finds any. A body in which none does is one envelope.
    #[serde(default)]
    pub batch: Option<OneOrMany<At<String>>>,
    /// The query, over an envelope, of the elements that are an event each; of several, the first that
    /// finds any.
    #[serde(default)]
    pub split: Option<OneOrMany<At<String>>>,
    /// What becomes `type`.
    #[serde(rename = "type")]
    pub kind: At<OneOrMany<At<Choice>>>,
    /// What becomes `id`. Default: the body's SHA-256, or that of type and element where it splits.
    #[serde(default)]
    pub id: Option<At<OneOrMany<At<Choice>>>>,
    /// What becomes `time`.
    #[serde(default)]
    pub time: Option<At<OneOrMany<At<Choice>>>>,
    /// What becomes `subject`.
    #[serde(default)]
    pub subject: Option<At<OneOrMany<At<Choice>>>>,
    /// The query of what becomes `data`. Default: the whole body, or the split element.
    #[serde(default)]
    pub data: Option<OneOrMany<At<String>>>,
    /// Queries that must find something, else the request is invalid.
    #[serde(default)]
    pub require: Vec<At<String>>,
    /// Which attempt of the provider's a request is, in its own count: of the head, not of the body. It is kept with the
    /// events.
    #[serde(default)]
    pub attempt: Option<At<OneOrMany<At<Choice>>>>,
}

/// One way to a value; of a list the first that gives one is taken.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename = "by shape", deny_unknown_fields)]
#[schemars(rename = "Choice", untagged)]
pub enum Choice {
    /// A selector, or text with selectors in braces: `{envelope:$.event.id}:{$.uuid}`.
    #[serde(rename = "text")]
    Select(String),
    /// A fixed value where a predicate over the body (or the split element) holds.
    #[serde(rename = "mapping")]
    When {
        /// The predicate.
        when: At<String>,
        /// The value.
        value: String,
    },
}

/// What a body is: `json`, `text`, `form`, `form:NAME` or `lines`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum BodyForm {
    /// JSON.
    Json,
    /// JSON that is sent as `text/plain`.
    Text,
    /// The fields of a form: an object of strings, or of lists where a field is there more than once.
    Form,
    /// JSON in this field of a form.
    FormField(String),
    /// One JSON text a line: a list of them.
    Lines,
}

// === impl BodyForm ===

impl TryFrom<String> for BodyForm {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            "form" => Ok(Self::Form),
            "lines" => Ok(Self::Lines),
            _ => match text.strip_prefix("form:") {
                Some(name) if !name.is_empty() => Ok(Self::FormField(name.to_owned())),
                _ => Err(format!("`{text}` is no form of a body: `json`, `text`, `form`, `form:NAME` or `lines`")),
            },
        }
    }
}
