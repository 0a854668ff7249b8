//! `auth.hmac`: a keyed hash of what `content` says (RFC 2104).

use std::sync::Arc;

use subtle::ConstantTimeEq;

use super::signature::Signature;
use super::timestamp::{Stamp, TimestampRule};
use super::{Proof, Rejection, SignError, Unsigned};
use crate::config::{At, Problem, Problems, file};
use crate::model::{NamedSecret, Timestamp};
use crate::signing::{Content, Context, MacKey, Message, mac_keys};

/// The compiled scheme.
#[derive(Debug)]
pub(super) struct Hmac {
    /// In the order of the secrets; several of one name where its text can be read in several encodings.
    keys: Vec<(Arc<str>, MacKey)>,
    signature: Signature,
    timestamp: Option<TimestampRule>,
    content: Content,
}

// === impl Hmac ===

impl Hmac {
    pub(super) fn compile(
        file: &file::Hmac,
        secrets: &[At<NamedSecret>],
        context: &Context<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        // Every part is compiled before any is missed, so that every problem is found.
        let keys = mac_keys(file.hash, &file.key, secrets, context.place, problems);
        let signature = Signature::compile(&file.signature, problems);
        let timestamp = match &file.timestamp {
            None => Some(None),
            Some(rule) => TimestampRule::compile(rule, signature.as_ref(), problems).map(Some),
        };
        let content = match &file.content {
            None => Some(Content::body()),
            Some(text) => Content::compile(text, context, file.timestamp.is_some(), problems),
        };
        let (signature, timestamp, content) = (signature?, timestamp?, content?);
        if let (Some(file), Some(rule)) = (&file.timestamp, &timestamp) {
            problems.extend(unsigned_time(file, rule, &content));
        }
        Some(Self { keys: keys?, signature, timestamp, content })
    }

    pub(super) fn needs_json(&self) -> bool {
        let timestamp = self.timestamp.as_ref().is_some_and(TimestampRule::needs_json);
        timestamp || self.signature.needs_json() || self.content.needs_json()
    }

    pub(super) fn prove(&self, message: &Message<'_>, now: Timestamp) -> Result<Proof, Rejection> {
        let mut furthest = Rejection::Missing;
        for given in self.signature.given(message)? {
            let outcome = self.signature.candidates(&given).and_then(|candidates| {
                let stamp = match &self.timestamp {
                    None => None,
                    Some(rule) => Some(rule.read(message, &self.signature, &given)?),
                };
                self.prove_one(message, &candidates, stamp.as_ref(), now)
            });
            match outcome {
                Ok(proof) => return Ok(proof),
                Err(rejection) => furthest = furthest.max(rejection),
            }
        }
        Err(furthest)
    }

    pub(super) fn sign(&self, request: &mut Unsigned, now: Timestamp) -> Result<(), SignError> {
        let header = self.signature.header().ok_or(SignError::NoPlace)?;
        let time = match &self.timestamp {
            None => None,
            Some(rule) => Some(rule.write(now).ok_or(SignError::Time)?),
        };
        let rule = self.timestamp.as_ref().zip(time.as_deref());
        match rule.and_then(|(rule, time)| rule.header().zip(Some(time))) {
            Some((name, time)) => request.set(name, time)?,
            None if rule.is_some_and(|(rule, _)| rule.item().is_none()) => return Err(SignError::NoPlace),
            None => {}
        }
        let tag = {
            let json = if self.needs_json() { serde_json::from_slice(&request.body).ok() } else { None };
            let parts =
                self.content.parts(&request.message(json.as_ref()), time.as_deref()).map_err(SignError::Content)?;
            let (_, key) = self.keys.first().ok_or(SignError::NoSecret)?;
            key.tag(&parts)
        };
        let item = rule.and_then(|(rule, time)| rule.item().zip(Some(time)));
        request.set(header, &self.signature.write(tag, item))
    }

    /// Compares every key's tag with every candidate, whether or not one matched.
    fn prove_one(
        &self,
        message: &Message<'_>,
        candidates: &[Vec<u8>],
        stamp: Option<&Stamp<'_>>,
        now: Timestamp,
    ) -> Result<Proof, Rejection> {
        let parts = self.content.parts(message, stamp.map(|stamp| &*stamp.text))?;
        let mut matched = None;
        for (name, key) in &self.keys {
            let tag = key.tag(&parts);
            for candidate in candidates {
                let same = bool::from(tag.ct_eq(candidate));
                matched = matched.or(same.then_some(name));
            }
        }
        let name = matched.ok_or(Rejection::Mismatch)?;
        // After the comparison, so that `stale` is said only of what a known secret signed.
        if let (Some(rule), Some(stamp)) = (&self.timestamp, stamp) {
            rule.check(stamp.at, now)?;
        }
        Ok(Proof { secret: Some(Arc::clone(name)), signed_at: stamp.map(|stamp| stamp.at) })
    }
}

/// A time that the signature does not cover can be set by whoever sends the request again.
fn unsigned_time(file: &At<file::TimestampRule>, rule: &TimestampRule, content: &Content) -> Option<Problem> {
    let covered = match (rule.header_name(), rule.item()) {
        (Some(name), _) => content.covers_time_in(name),
        (None, Some(_)) => content.covers_time_in(""),
        // A path of the body, which is covered with it.
        (None, None) => true,
    };
    (!covered).then(|| {
        Problem::warning(file.place, "the signature does not cover the timestamp: a replay can carry a fresh one")
            .expected("`{timestamp}` in `content`, if the provider signs it")
    })
}
