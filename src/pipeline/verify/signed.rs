//! The schemes in which a signature covers what `content` says: `auth.hmac`, `keyed_hash`, `ed25519`, `ecdsa_p256` and `rsa`.

use std::time::Duration;

use serde_json::Value;

use super::body_hash::BodyHash;
use super::each::{Each, within};
use super::fetched::{Source, Wanted};
use super::keys::Keys;
use super::sign::Signing;
use super::signature::Signature;
use super::timestamp::{Stamp, TimestampRule};
use super::{Proof, Rejection, SignError, Unsigned, body};
use crate::config::{At, Problem, Problems, file};
use crate::model::Timestamp;
use crate::signing::{Content, Context, Fill, Holes, Message, PublicScheme};

/// A compiled scheme.
#[derive(Debug)]
pub(super) struct Signed {
    keys: Keys,
    pub(super) signature: Signature,
    pub(super) timestamp: Option<TimestampRule>,
    pub(super) content: Content,
    pub(super) body_hash: Option<BodyHash>,
    each: Option<Each>,
}

/// What these schemes have in common, as the file says it.
pub(super) struct Description<'f> {
    pub(super) signature: &'f file::Signature,
    pub(super) timestamp: Option<&'f At<file::TimestampRule>>,
    pub(super) content: Option<&'f At<String>>,
    pub(super) url: Option<&'f At<file::UrlRule>>,
    pub(super) body_hash: Option<&'f At<file::BodyHash>>,
    pub(super) each: Option<&'f At<String>>,
}

// === impl Signed ===

impl Signed {
    /// Compiles a description, whose `keys` are compiled already. `secret` is whether `{secret}` may be in the content.
    pub(super) fn compile(
        file: &Description<'_>,
        keys: Option<Keys>,
        secret: bool,
        context: &Context<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        // Every part is compiled before any is missed, so that every problem is found.
        let signature = Signature::compile(file.signature, problems);
        let timestamp = match file.timestamp {
            None => Some(None),
            Some(rule) => TimestampRule::compile(rule, signature.as_ref(), problems).map(Some),
        };
        let holes = Holes { timestamp: file.timestamp.is_some(), secret, signature: false };
        let context = Context { url: file.url.map(|url| &url.value), holes, ..*context };
        let content = match file.content {
            None => Some(Content::body()),
            Some(text) => Content::compile(text, &context, problems),
        };
        let body_hash = match file.body_hash {
            None => Some(None),
            Some(hash) => BodyHash::compile(hash, problems).map(Some),
        };
        let each = match file.each {
            None => Some(None),
            Some(each) => Each::compile(each, problems).map(Some),
        };
        let (signature, timestamp, content) = (signature?, timestamp?, content?);
        if let (Some(file), Some(rule)) = (file.timestamp, &timestamp) {
            problems.extend(unsigned_time(file, rule, &content));
        }
        if !content.covers_some_of_the_body() && file.body_hash.is_none() {
            let place = file.content.map_or(context.place, |content| content.place);
            problems.push(
                Problem::warning(place, "the signature does not cover the body: who sees one request can send others")
                    .expected("`{body}` in `content`, if the provider signs it"),
            );
        }
        Some(Self { keys: keys?, signature, timestamp, content, body_hash: body_hash?, each: each? })
    }

    pub(super) fn needs_json(&self) -> bool {
        let timestamp = self.timestamp.as_ref().is_some_and(TimestampRule::needs_json);
        let body_hash = self.body_hash.as_ref().is_some_and(BodyHash::needs_json);
        let keys = self.keys.needs_json();
        timestamp
            || body_hash
            || keys
            || self.each.is_some()
            || self.signature.needs_json()
            || self.content.needs_json()
    }

    /// The scheme of its keys, where they are public.
    pub(super) const fn public_scheme(&self) -> Option<PublicScheme> {
        self.keys.public_scheme()
    }

    /// Whether the secret's text is in what is signed.
    pub(super) fn has_secret(&self) -> bool {
        self.content.has_secret()
    }

    /// How old a request may be.
    pub(super) fn tolerance(&self) -> Option<Duration> {
        self.timestamp.as_ref().map(TimestampRule::tolerance)
    }

    /// Whether every byte of the body is signed, or hashed into what is.
    pub(super) fn covers_body(&self) -> bool {
        self.each.is_none() && (self.content.covers_body() || self.body_hash.is_some())
    }

    /// Where its keys are fetched from, if they are.
    pub(super) fn source(&self) -> Option<&Source> {
        self.keys.source()
    }

    /// What has to be fetched before the request can be judged.
    pub(super) fn wanted(&self, message: &Message<'_>, now: Timestamp) -> Result<Option<Wanted>, Rejection> {
        self.keys.wanted(message, now)
    }

    pub(super) fn prove(&self, message: &Message<'_>, now: Timestamp) -> Result<Proof, Rejection> {
        match &self.each {
            None => self.prove_message(message, now),
            Some(each) => each.prove(message, |part| self.prove_message(part, now)),
        }
    }

    fn prove_message(&self, message: &Message<'_>, now: Timestamp) -> Result<Proof, Rejection> {
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

    /// Signs a request as its sender would at `now`: each part of it, where its parts are signed.
    pub(super) fn sign(&self, request: &mut Unsigned, signing: &Signing<'_>) -> Result<(), SignError> {
        if self.each.is_some() || self.signature.header().is_none() {
            return self.sign_within(request, signing);
        }
        let time = self.write_time(request, signing.now)?;
        if let Some(hash) = &self.body_hash
            && !self.content.covers_form_of(&request.message(None))
        {
            hash.write(request)?;
        }
        let tag = {
            let json = if self.needs_json() { serde_json::from_slice(&request.body).ok() } else { None };
            self.tag(&request.message(json.as_ref()), time.as_deref(), signing)?
        };
        let header = self.signature.header().ok_or(SignError::NoPlace)?;
        let item = self.timestamp.as_ref().and_then(TimestampRule::item).zip(time.as_deref());
        request.set(header, &self.signature.write(tag, item))
    }

    /// The tag of a message, by the first of the keys.
    fn tag(&self, message: &Message<'_>, time: Option<&str>, signing: &Signing<'_>) -> Result<Vec<u8>, SignError> {
        let fill = Fill { time, secret: self.keys.first_secret(), ..Fill::default() };
        let parts = self.content.parts(message, fill).map_err(SignError::Content)?;
        self.keys.sign(&parts, signing.private).map(|tag| signing.tag(tag))
    }

    /// Puts the time where it belongs, unless that is an item of the signature; as it is written.
    fn write_time(&self, request: &mut Unsigned, now: Timestamp) -> Result<Option<String>, SignError> {
        let Some(rule) = &self.timestamp else { return Ok(None) };
        let time = rule.write(now).ok_or(SignError::Time)?;
        if rule.item().is_none() {
            request.put(rule.selector().ok_or(SignError::NoPlace)?, &time)?;
        }
        Ok(Some(time))
    }

    /// Signs where the signature is a member of the body, or of each of its parts.
    fn sign_within(&self, request: &mut Unsigned, signing: &Signing<'_>) -> Result<(), SignError> {
        let place = self.signature.body_path().ok_or(SignError::NoPlace)?;
        let time = self.write_time(request, signing.now)?;
        let mut value: Value = serde_json::from_slice(&request.body).map_err(|_| SignError::NoPlace)?;
        let parts = match &self.each {
            None => vec![Vec::new()],
            Some(each) => each.places(&value),
        };
        for part in parts {
            let tag = {
                let part = body::at(&value, &part).ok_or(SignError::NoPlace)?;
                let message = request.message(Some(&value));
                self.tag(&within(&message, part), time.as_deref(), signing)?
            };
            let text = self.signature.write(tag, None);
            body::put(&mut value, &part, &place, text).ok_or(SignError::NoPlace)?;
        }
        request.body = value.to_string().into();
        Ok(())
    }

    /// Compares every key's tag with every candidate, whether or not one matched.
    fn prove_one(
        &self,
        message: &Message<'_>,
        candidates: &[Vec<u8>],
        stamp: Option<&Stamp<'_>>,
        now: Timestamp,
    ) -> Result<Proof, Rejection> {
        let time = stamp.map(|stamp| &*stamp.text);
        let mut matched = None;
        for variant in 0..self.content.variants() {
            let found =
                self.keys.matching(message, candidates, &self.content, Fill { time, variant, ..Fill::default() })?;
            matched = matched.or(found);
        }
        let secret = matched.ok_or(Rejection::Mismatch)?;
        if let Some(hash) = &self.body_hash
            && !self.content.covers_form_of(message)
        {
            hash.check(message)?;
        }
        // After the comparison, so that `stale` is said only of what a known secret signed.
        if let (Some(rule), Some(stamp)) = (&self.timestamp, stamp) {
            rule.check(stamp.at, now)?;
        }
        Ok(Proof { secret: Some(secret), signed_at: stamp.map(|stamp| stamp.at) })
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
