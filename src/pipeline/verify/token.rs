//! `auth.token`: a part of the request equals the secret.

use super::credential::Credential;
use super::expected::Expected;
use super::{Proof, Rejection};
use crate::config::{At, Problems, file};
use crate::model::NamedSecret;
use crate::signing::Message;

/// The compiled scheme.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) credential: Credential,
    expected: Expected,
}

// === impl Token ===

impl Token {
    pub(super) fn compile(file: &file::Token, secrets: &[At<NamedSecret>], problems: &mut Problems) -> Option<Self> {
        // A token in `Authorization` may stand there alone, so no prefix is assumed.
        let credential = Credential::compile(&file.from, file.prefix.as_deref(), "", problems)?;
        let mut expected = Expected::new();
        for secret in secrets {
            expected.push(&secret.name, secret.value.value.expose().as_bytes());
        }
        Some(Self { credential, expected })
    }

    pub(super) fn prove(&self, message: &Message<'_>) -> Result<Proof, Rejection> {
        let token = self.credential.read(message)?;
        let name = self.expected.matching(token.as_bytes()).ok_or(Rejection::Mismatch)?;
        Ok(Proof { secret: Some(name.clone()), signed_at: None })
    }
}
