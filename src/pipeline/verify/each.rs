//! Requests whose parts are signed, or carry the secret, each by itself.

use serde_json::Value;

use super::{Proof, Rejection};
use crate::config::{At, Problem, Problems};
use crate::expr::{Query, RequestScope, Step};
use crate::signing::Message;

/// `each:`, compiled: which parts of the body.
#[derive(Debug)]
pub(super) struct Each(Query);

// === impl Each ===

impl Each {
    pub(super) fn compile(text: &At<String>, problems: &mut Problems) -> Option<Self> {
        match Query::parse(text) {
            Ok(query) => Some(Self(query)),
            Err(error) => {
                problems.push(Problem::expression(text.place, "the path", &error.message, error.expected));
                None
            }
        }
    }

    /// Judges every part: all must hold, and there must be one. What the first of them proves is the proof.
    pub(super) fn prove(
        &self,
        message: &Message<'_>,
        mut judge: impl FnMut(&Message<'_>) -> Result<Proof, Rejection>,
    ) -> Result<Proof, Rejection> {
        let root = message.scope.json.ok_or(Rejection::Missing)?;
        let parts = self.0.all(root, root).map_err(|_| Rejection::Malformed)?;
        let mut first = None;
        for part in parts {
            let proof = judge(&within(message, part))?;
            first.get_or_insert(proof);
        }
        first.ok_or(Rejection::Missing)
    }

    /// Where the parts are in a body.
    pub(super) fn places(&self, body: &Value) -> Vec<Vec<Step>> {
        self.0.locate(body).unwrap_or_default().into_iter().map(|found| found.path).collect()
    }
}

/// The same request where `$` is a part of its body.
pub(super) fn within<'a>(message: &Message<'a>, part: &'a Value) -> Message<'a> {
    Message { scope: RequestScope { json: Some(part.into()), ..message.scope }, ..*message }
}
