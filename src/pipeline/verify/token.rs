//! `auth.token`: a part of the request equals the secret.

use super::credential::Credential;
use super::each::Each;
use super::expected::Expected;
use super::{Proof, Rejection, SignError, Unsigned, body};
use crate::config::{At, Problems, file};
use crate::model::NamedSecret;
use crate::signing::Message;

/// The compiled scheme.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) credential: Credential,
    each: Option<Each>,
    expected: Expected,
}

// === impl Token ===

impl Token {
    pub(super) fn compile(file: &file::Token, secrets: &[At<NamedSecret>], problems: &mut Problems) -> Option<Self> {
        let each = match &file.each {
            None => Some(None),
            Some(each) => Each::compile(each, problems).map(Some),
        };
        // A token in `Authorization` may stand there alone, so no prefix is assumed.
        let credential = Credential::compile(&file.from, file.prefix.as_deref(), "", problems)?;
        let mut expected = Expected::new();
        for secret in secrets {
            expected.push(&secret.name, secret.value.value.expose().as_bytes());
        }
        Some(Self { credential, each: each?, expected })
    }

    pub(super) fn needs_json(&self) -> bool {
        self.each.is_some() || self.credential.needs_json()
    }

    pub(super) fn prove(&self, message: &Message<'_>) -> Result<Proof, Rejection> {
        match &self.each {
            None => self.prove_message(message),
            Some(each) => each.prove(message, |part| self.prove_message(part)),
        }
    }

    /// Puts the secret where [`Self::prove`] finds it.
    pub(super) fn sign(&self, request: &mut Unsigned, secret: &str) -> Result<(), SignError> {
        let Some(each) = &self.each else { return self.credential.write(request, secret) };
        let place = self.credential.body_path().ok_or(SignError::NoPlace)?;
        let mut value = serde_json::from_slice(&request.body).map_err(|_| SignError::NoPlace)?;
        for part in each.places(&value) {
            body::put(&mut value, &part, &place, secret.to_owned()).ok_or(SignError::NoPlace)?;
        }
        request.body = value.to_string().into();
        Ok(())
    }

    fn prove_message(&self, message: &Message<'_>) -> Result<Proof, Rejection> {
        let token = self.credential.read(message)?;
        let name = self.expected.matching(token.as_bytes()).ok_or(Rejection::Mismatch)?;
        Ok(Proof { secret: Some(name.clone()), signed_at: None })
    }
}
