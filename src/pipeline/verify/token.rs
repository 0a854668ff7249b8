//! `auth.token`: a part of the request equals the secret.

use http::HeaderName;

use super::expected::Expected;
use super::view::{View, compile_selector, is_scheme_name, strip};
use super::{Proof, Rejection, SignError, Unsigned};
use crate::config::{At, Problems, file};
use crate::expr::Selector;
use crate::model::NamedSecret;

/// The compiled scheme.
#[derive(Debug)]
pub(super) struct Token {
    from: Selector,
    prefix: Box<str>,
    expected: Expected,
}

// === impl Token ===

impl Token {
    pub(super) fn compile(file: &file::Token, secrets: &[At<NamedSecret>], problems: &mut Problems) -> Option<Self> {
        let from = compile_selector(&file.from, problems)?;
        let mut expected = Expected::new();
        for secret in secrets {
            expected.push(&secret.name, secret.value.value.expose().as_bytes());
        }
        Some(Self { from, prefix: file.prefix.as_deref().unwrap_or_default().into(), expected })
    }

    pub(super) fn needs_json(&self) -> bool {
        self.from.needs_json()
    }

    pub(super) fn prove(&self, view: &View<'_>) -> Result<Proof, Rejection> {
        let given = view.credential(&self.from)?;
        let token = strip(&given, &self.prefix, is_scheme_name(&self.from, &self.prefix))?;
        let name = self.expected.matching(token.as_bytes()).ok_or(Rejection::Mismatch)?;
        Ok(Proof { secret: Some(name.clone()), signed_at: None })
    }

    pub(super) fn sign(&self, request: &mut Unsigned, secret: &str) -> Result<(), SignError> {
        let header = self.header().ok_or(SignError::NoPlace)?;
        request.set(header, &format!("{}{secret}", self.prefix))
    }

    /// The header that carries the token, if one does.
    pub(super) fn header(&self) -> Option<HeaderName> {
        self.from.header_name()?.parse().ok()
    }
}
