//! `auth.sns`: Amazon SNS
//! (<https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html>).
//!
//! What is signed is a text of some members of the body, which ones depends on its `Type`; the hash depends on its
//! `SignatureVersion`. The certificate comes from Amazon. Amazon signs for everybody, so the secret is the topic's ARN: only
//! its owner can have that signed.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;
use subtle::ConstantTimeEq;

use super::fetched::{Certificates, Source, Wanted};
use super::sign::Signing;
use super::{Proof, Rejection, SignError, Unsigned, body};
use crate::config::file::{self, Encoding, HashFunction, Padding};
use crate::config::{At, Problem, Problems};
use crate::expr::Selector;
use crate::model::{NamedSecret, Timestamp};
use crate::pipeline::Hosts;
use crate::signing::{Message, PublicScheme, SigningError, decode, encode, parse_time};

/// Where Amazon's certificates are: one host a region.
const HOSTS: [&str; 2] = ["sns.*.amazonaws.com", "sns.*.amazonaws.com.cn"];
/// What a `SignatureVersion` is.
const VERSIONS: [(&str, PublicScheme); 2] = [
    ("1", PublicScheme::Rsa(HashFunction::Sha1, Padding::Pkcs1)),
    ("2", PublicScheme::Rsa(HashFunction::Sha256, Padding::Pkcs1)),
];
/// What is signed of a notification, in this order; the subject where there is one.
const NOTIFICATION: [&str; 6] = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"];
/// And of the questions whether to subscribe, and whether it was meant that somebody unsubscribed.
const CONFIRMATION: [&str; 7] = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];

/// The compiled scheme.
#[derive(Debug)]
pub(super) struct Sns {
    certificates: Source,
    topics: Vec<NamedSecret>,
}

// === impl Sns ===

impl Sns {
    pub(super) fn compile(file: &file::Sns, secrets: &[At<NamedSecret>], problems: &mut Problems) -> Option<Self> {
        let hosts = match &file.hosts {
            None => Some(Hosts::known(&HOSTS)),
            Some(hosts) => Hosts::compile(hosts, problems),
        };
        let mut sound = true;
        for secret in secrets {
            let text = secret.value.value.expose();
            if !text.is_empty() && !text.starts_with("arn:") {
                sound = false;
                problems.push(
                    Problem::error(secret.place, format!("`{}` is no ARN of a topic", secret.name))
                        .expected("such as `arn:aws:sns:us-east-1:123456789012:orders`: whose messages are taken"),
                );
            }
        }
        let from = Selector::parse("$.SigningCertURL").ok()?;
        Some(Self {
            certificates: Certificates::source(
                from,
                hosts.filter(|_| sound)?,
                VERSIONS.map(|(_, scheme)| scheme).to_vec(),
            ),
            topics: secrets.iter().map(|secret| secret.value.clone()).collect(),
        })
    }

    pub(super) const fn source(&self) -> &Source {
        &self.certificates
    }

    pub(super) fn wanted(&self, message: &Message<'_>, now: Timestamp) -> Result<Option<Wanted>, Rejection> {
        let body = Body::of(message)?;
        // Nobody else's messages make us ask for anything.
        self.topic(&body)?;
        self.certificates.wanted(message, now)
    }

    pub(super) fn prove(&self, message: &Message<'_>) -> Result<Proof, Rejection> {
        let body = Body::of(message)?;
        let topic = self.topic(&body)?;
        let scheme = body.scheme()?;
        let key = self.certificates.key(message)?;
        let signature = decode(Encoding::Base64, body.text("Signature").ok_or(Rejection::Missing)?);
        let signature = signature.ok_or(Rejection::Malformed)?;
        let signed = [Cow::Owned(body.canonical()?.into_bytes())];
        if !key.as_public(scheme).is_some_and(|key| key.verifies(&signed, &signature)) {
            return Err(Rejection::Mismatch);
        }
        let signed_at = body.text("Timestamp").and_then(|text| parse_time(file::TimestampFormat::Rfc3339, text));
        Ok(Proof { secret: Some(Arc::clone(topic)), signed_at })
    }

    /// Signs as Amazon would, in version 2: in the body.
    pub(super) fn sign(&self, request: &mut Unsigned, signing: &Signing<'_>) -> Result<(), SignError> {
        let private = signing.private.ok_or(SignError::PublicKey)?;
        let topic = self.topics.first().ok_or(SignError::NoSecret)?;
        let mut value: Value = serde_json::from_slice(&request.body).map_err(|_| SignError::NoPlace)?;
        for (name, text) in [("TopicArn", topic.value.expose()), ("SignatureVersion", "2")] {
            body::put(&mut value, &[], &[name], text.to_owned()).ok_or(SignError::NoPlace)?;
        }
        let signed = Body(&value).canonical().map_err(|_| SignError::Content(SigningError::Incomplete))?;
        let signature = private.sign(&[Cow::Owned(signed.into_bytes())]).ok_or(SignError::PublicKey)?;
        let signature = encode(Encoding::Base64, &signing.tag(signature));
        body::put(&mut value, &[], &["Signature"], signature).ok_or(SignError::NoPlace)?;
        request.body = value.to_string().into();
        Ok(())
    }

    /// The name of the secret that is the message's topic.
    fn topic(&self, body: &Body<'_>) -> Result<&Arc<str>, Rejection> {
        let given = body.text("TopicArn").ok_or(Rejection::Missing)?.as_bytes();
        let same = |topic: &&NamedSecret| bool::from(topic.value.expose().as_bytes().ct_eq(given));
        self.topics.iter().find(same).map(|topic| &topic.name).ok_or(Rejection::Mismatch)
    }
}

/// A message as it came in.
struct Body<'v>(&'v Value);

impl<'v> Body<'v> {
    fn of(message: &Message<'v>) -> Result<Self, Rejection> {
        message.scope.json.and_then(|json| json.value()).map(Self).ok_or(Rejection::Missing)
    }

    fn text(&self, name: &str) -> Option<&'v str> {
        self.0.get(name)?.as_str()
    }

    fn scheme(&self) -> Result<PublicScheme, Rejection> {
        let version = self.text("SignatureVersion").ok_or(Rejection::Missing)?;
        let known = VERSIONS.iter().find(|(known, _)| *known == version);
        known.map(|(_, scheme)| *scheme).ok_or(Rejection::WrongAlgorithm)
    }

    /// What is signed: names and values, each on a line of its own.
    fn canonical(&self) -> Result<String, Rejection> {
        let names: &[&str] = match self.text("Type").ok_or(Rejection::IncompleteContent)? {
            "Notification" => &NOTIFICATION,
            "SubscriptionConfirmation" | "UnsubscribeConfirmation" => &CONFIRMATION,
            _ => return Err(Rejection::IncompleteContent),
        };
        let mut text = String::new();
        for name in names {
            match self.text(name) {
                Some(value) => text.extend([name, "\n", value, "\n"]),
                None if *name == "Subject" => {}
                None => return Err(Rejection::IncompleteContent),
            }
        }
        Ok(text)
    }
}
