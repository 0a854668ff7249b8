//! The signature of what goes out, by the description by which `verify` reads what comes in.
//!
//! It is made last, over the very bytes and header fields that are sent, and anew at each attempt: whoever checks the
//! signed time would refuse the one of an hour ago.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::Outbound;
use super::fields::{IDEMPOTENCY_KEY, field_name};
use crate::config::file::{Encoding, HashFunction, OneOrMany, TimestampFormat};
use crate::config::{At, Named, Place, Problem, Problems, file};
use crate::expr::{Choices, JsonRef, RequestScope};
use crate::model::{NamedSecret, Secret, Timestamp};
use crate::signing::{self, Content, Context, Fill, Form, Holes, MacKey, Message, SigningError, mac_keys, write_time};

/// How a destination's requests are signed.
#[derive(Debug)]
pub(super) struct Signer {
    /// Where the delivery's id goes, beside `Idempotency-Key`.
    id: Option<HeaderName>,
    /// In the order of the secrets: each signs.
    keys: Vec<MacKey>,
    header: HeaderName,
    form: Form,
    time: Option<(TimePlace, TimestampFormat)>,
    content: Content,
}

/// Where the time of the attempt goes.
#[derive(Debug)]
enum TimePlace {
    Header(HeaderName),
    /// The key of an item of the signature's list.
    Item(Box<str>),
}

/// Where a description looks for the secrets.
struct Secrets<'f> {
    one: Option<&'f At<Secret>>,
    several: Option<&'f At<Named<At<Secret>>>>,
    place: Place,
}

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const EXPECTED_HEADER: &str = "`header:NAME`, such as `header:X-Signature`";

// === impl Signer ===

impl Signer {
    /// Compiles `sign:`. `origin` is what stands before the path in the destination's URL. `None` and a problem where it
    /// is none.
    pub(super) fn compile(sign: &At<file::Sign>, origin: &str, problems: &mut Problems) -> Option<Self> {
        match &sign.value {
            file::Sign::StandardWebhooks(scheme) => {
                let hmac = standard_webhooks(scheme);
                let signer = Self::hmac(&hmac, sign.place, origin, problems)?;
                Some(Self { id: Some(WEBHOOK_ID), ..signer })
            }
            file::Sign::Hmac(hmac) => Self::hmac(hmac, sign.place, origin, problems),
        }
    }

    /// Signs a request as of `now`. Whatever it held under the names of the signature's fields is replaced.
    pub(super) fn sign(&self, request: &mut Outbound, now: Timestamp) -> Result<(), SigningError> {
        if let Some(name) = &self.id
            && let Some(id) = request.headers.get(IDEMPOTENCY_KEY).cloned()
        {
            request.headers.insert(name, id);
        }
        let time = match &self.time {
            None => None,
            Some((_, format)) => Some(write_time(*format, now).ok_or(SigningError::MissingTimestamp)?),
        };
        if let (Some((TimePlace::Header(name), _)), Some(time)) = (&self.time, &time) {
            set(&mut request.headers, name, time);
        }
        let tags = self.tags(request, time.as_deref())?;
        let item = match &self.time {
            Some((TimePlace::Item(key), _)) => Some(&**key).zip(time.as_deref()),
            _ => None,
        };
        let signature = self.form.write(&tags, item);
        set(&mut request.headers, &self.header, &signature);
        Ok(())
    }

    /// The header fields that it sets.
    pub(super) fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        let time = match &self.time {
            Some((TimePlace::Header(name), _)) => Some(name),
            _ => None,
        };
        self.id.iter().chain(time).chain([&self.header])
    }

    fn tags(&self, request: &Outbound, time: Option<&str>) -> Result<Vec<Vec<u8>>, SigningError> {
        let json: Option<Value> =
            if self.content.needs_json() { serde_json::from_slice(&request.body).ok() } else { None };
        let json = json.as_ref().map(JsonRef::from);
        let scope = RequestScope {
            method: &request.method,
            headers: &request.headers,
            query: request.url.query().unwrap_or_default(),
            path_params: &[],
            body: &request.body,
            json,
            envelope: json,
            whole: json,
            data: &request.body,
        };
        let message = Message { path: request.url.path(), scope };
        let parts = self.content.parts(&message, Fill { time, ..Fill::default() })?;
        Ok(self.keys.iter().map(|key| key.tag(&parts)).collect())
    }

    fn hmac(file: &file::SignHmac, place: Place, origin: &str, problems: &mut Problems) -> Option<Self> {
        // Every part is compiled before any is missed, so that every problem is found.
        let secrets = Secrets { one: file.secret.as_ref(), several: file.secrets.as_ref(), place };
        let keys = keys(file, &secrets, problems);
        let header = signature_header(&file.signature.to, problems);
        let form = form(&file.signature, problems);
        let time = match &file.timestamp {
            None => Some(None),
            Some(time) => time_place(time, form.as_ref(), problems).map(|place| Some((place, time.format))),
        };
        let content = content(file, place, origin, problems);
        let (keys, header, form, time, content) = (keys?, header?, form?, time?, content?);
        check_together(file, &keys, &header, &form, time.as_ref().map(|(place, _)| place), &content, problems)
            .then_some(Self { id: None, keys, header, form, time, content })
    }
}

/// What is right by itself, and not beside the rest.
fn check_together(
    file: &file::SignHmac,
    keys: &[MacKey],
    header: &HeaderName,
    form: &Form,
    time: Option<&TimePlace>,
    content: &Content,
    problems: &mut Problems,
) -> bool {
    let mut sound = true;
    if keys.len() > 1 && !form.is_list() {
        sound = false;
        let place = file.secrets.as_ref().map_or(file.signature.to.place, |secrets| secrets.place);
        problems.push(
            Problem::error(place, "there are several secrets, and room for one signature")
                .expected("one `secret`, or `signature.list`, so that each of them signs"),
        );
    }
    let Some(timestamp) = &file.timestamp else { return sound };
    let covered = match time {
        Some(TimePlace::Header(name)) if name == header => {
            sound = false;
            let problem = Problem::error(timestamp.to.place, "the time would go where the signature goes");
            problems.push(problem.expected("a header of its own, or `signature:KEY`"));
            true
        }
        Some(TimePlace::Header(name)) => content.covers_time_in(name.as_str()),
        _ => content.covers_time_in(""),
    };
    if !covered {
        problems.push(
            Problem::warning(
                timestamp.place,
                "the signature does not cover the timestamp: a replay can carry a fresh one",
            )
            .expected("`{timestamp}` in `content`"),
        );
    }
    sound
}

/// The scheme in the words of `sign.hmac` (Standard Webhooks, "Signature scheme").
fn standard_webhooks(file: &file::StandardWebhooks) -> file::SignHmac {
    let text = |text: &str| At::nowhere(text.to_owned());
    file::SignHmac {
        hash: HashFunction::Sha256,
        secret: file.secret.clone(),
        secrets: file.secrets.clone(),
        key: file::Key {
            encoding: Some(At::nowhere(OneOrMany::One(Encoding::Base64))),
            strip_prefix: Some("whsec_".to_owned()),
        },
        signature: file::SignSignature {
            to: text("header:webhook-signature"),
            prefix: None,
            list: Some(At::nowhere(file::SignatureList {
                separator: text(" "),
                pair: Some(text(",")),
                key: Some(text("v1")),
            })),
            encoding: Some(At::nowhere(Encoding::Base64)),
        },
        timestamp: Some(At::nowhere(file::SignTimestamp {
            to: text("header:webhook-timestamp"),
            format: TimestampFormat::Unix,
        })),
        content: Some(text("{id}.{timestamp}.{body}")),
    }
}

fn keys(file: &file::SignHmac, secrets: &Secrets<'_>, problems: &mut Problems) -> Option<Vec<MacKey>> {
    let secrets = secrets.named(problems)?;
    if let Some(At { value: OneOrMany::Many(many), place }) = &file.key.encoding
        && many.len() > 1
    {
        problems.push(
            Problem::error(*place, "a key that can be read in several ways signs in several ways")
                .expected("the one encoding of the secret"),
        );
        return None;
    }
    let place = secrets.first().map(|secret| secret.place).unwrap_or_default();
    let keys = mac_keys(file.hash, &file.key, &secrets, place, problems)?;
    Some(keys.into_iter().map(|(_, key)| key).collect())
}

fn form(file: &file::SignSignature, problems: &mut Problems) -> Option<Form> {
    let form = Form::compile(file.prefix.as_deref(), file.list.as_ref(), file.encoding.as_ref(), problems)?;
    if HeaderValue::from_str(&form.write(&[Vec::new()], None)).is_err() {
        problems.push(
            Problem::error(file.to.place, "a header cannot carry what stands around the signature")
                .expected("a `prefix` and a `list` of printable ASCII characters"),
        );
        return None;
    }
    Some(form)
}

fn content(file: &file::SignHmac, place: Place, origin: &str, problems: &mut Problems) -> Option<Content> {
    let Some(text) = &file.content else { return Some(Content::body()) };
    if text.contains("{path:") {
        problems.push(
            Problem::error(text.place, "what goes out has no path parameters")
                .expected("`{url}`, or a header or member of what is sent"),
        );
        return None;
    }
    // The delivery's id, which each request has.
    let id = Choices::none().or_select(&format!("header:{IDEMPOTENCY_KEY}")).unwrap_or(Choices::none());
    let holes = Holes { timestamp: file.timestamp.is_some(), ..Holes::default() };
    let context = Context { place, id: &id, public_url: Some(origin), url: None, holes };
    Content::compile(text, &context, problems)
}

fn signature_header(to: &At<String>, problems: &mut Problems) -> Option<HeaderName> {
    let Some(name) = to.strip_prefix("header:") else {
        problems.push(Problem::error(to.place, "a signature is sent in a header").expected(EXPECTED_HEADER));
        return None;
    };
    field_name(&At::new(name.to_owned(), to.place), problems)
}

fn time_place(file: &At<file::SignTimestamp>, form: Option<&Form>, problems: &mut Problems) -> Option<TimePlace> {
    let to = &file.to;
    let Some(key) = to.strip_prefix("signature:") else {
        if !to.starts_with("header:") {
            problems.push(
                Problem::error(to.place, "the time is sent in a header, or in the signature's list")
                    .expected("`header:NAME`, or `signature:KEY`"),
            );
            return None;
        }
        return signature_header(to, problems).map(TimePlace::Header);
    };
    if key.is_empty() {
        let problem = Problem::error(to.place, "`signature:` names no item");
        problems.push(problem.expected("the key of an item of the signature's list, such as `signature:t`"));
        return None;
    }
    if form.is_some_and(|form| !form.has_keys()) {
        let problem = Problem::error(to.place, "the signature is no list of keys and values");
        problems.push(problem.expected("`signature.list` with `pair` and `key`"));
        return None;
    }
    Some(TimePlace::Item(key.into()))
}

/// Sets a field. That the value is one was seen as it was compiled: what is written into it is digits and letters.
fn set(headers: &mut HeaderMap, name: &HeaderName, value: &str) {
    headers.remove(name);
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

// === impl Secrets ===

impl Secrets<'_> {
    fn named(&self, problems: &mut Problems) -> Option<Vec<At<NamedSecret>>> {
        if let (Some(_), Some(several)) = (self.one, self.several) {
            problems
                .push(Problem::error(several.place, "`sign` has both `secret` and `secrets`").expected("one of them"));
        }
        let one = self
            .one
            .map(|secret| At::new(NamedSecret::new(NamedSecret::DEFAULT_NAME, secret.value.clone()), secret.place));
        let several = self.several.into_iter().flat_map(|secrets| secrets.value.iter());
        let several = several
            .map(|(name, secret)| At::new(NamedSecret::new(name.value.as_str(), secret.value.clone()), secret.place));
        let secrets: Vec<_> = one.into_iter().chain(several).collect();
        if secrets.is_empty() {
            let place = self.several.map_or(self.place, |several| several.place);
            problems.push(Problem::error(place, "there is no secret to sign with").expected("`secret` or `secrets`"));
            return None;
        }
        signing::usable(&secrets, problems).then_some(secrets)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{destination, event, headers, id, payload, problems, target};
    use super::*;
    use crate::config::Severity;
    use crate::pipeline::Payload;

    const NOW: Timestamp = Timestamp::from_seconds(1_614_265_330);

    fn text(text: &str) -> At<String> {
        At::nowhere(text.to_owned())
    }

    fn secret(text: &str) -> At<Secret> {
        At::nowhere(Secret::new(text.to_owned()))
    }

    fn named(secrets: &[(&str, &str)]) -> Option<At<Named<At<Secret>>>> {
        Some(At::nowhere(Named(secrets.iter().map(|(name, value)| (text(name), secret(value))).collect())))
    }

    fn webhooks(one: Option<&str>, several: &[(&str, &str)]) -> file::Sign {
        let secrets = if several.is_empty() { None } else { named(several) };
        file::Sign::StandardWebhooks(file::StandardWebhooks { secret: one.map(secret), secrets })
    }

    fn plain() -> file::SignHmac {
        file::SignHmac {
            hash: HashFunction::Sha256,
            secret: Some(secret("s3cret")),
            secrets: None,
            key: file::Key::default(),
            signature: file::SignSignature { to: text("header:X-Signature"), prefix: None, list: None, encoding: None },
            timestamp: None,
            content: None,
        }
    }

    fn list() -> Option<At<file::SignatureList>> {
        Some(At::nowhere(file::SignatureList { separator: text(","), pair: Some(text("=")), key: Some(text("v1")) }))
    }

    fn time(to: &str) -> Option<At<file::SignTimestamp>> {
        Some(At::nowhere(file::SignTimestamp { to: text(to), format: TimestampFormat::Unix }))
    }

    fn signing(sign: file::Sign) -> file::Destination {
        file::Destination { sign: Some(At::nowhere(sign)), ..destination("https://crm.internal/contacts?a=1") }
    }

    fn hmac(change: impl FnOnce(&mut file::SignHmac)) -> file::Destination {
        let mut sign = plain();
        change(&mut sign);
        signing(file::Sign::Hmac(Box::new(sign)))
    }

    fn sent(file: &file::Destination, body: &'static str) -> Outbound {
        let payload = Payload { body: body.into(), ..payload() };
        Outbound::new(&target(file), &event("{}"), payload, id(), 1, NOW).unwrap()
    }

    /// That of the reference implementations (standard-webhooks/standard-webhooks, `libraries`).
    #[test]
    fn the_signature_is_that_of_the_published_example() {
        let sign = webhooks(Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), &[]);
        let signer = Signer::compile(&At::nowhere(sign), "https://crm.internal", &mut Problems::new()).unwrap();
        let mut request = sent(&destination("https://crm.internal/"), r#"{"test": 2432232314}"#);
        request.headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_static("msg_p5jXN8AQM9LWM0D4loKWxJek"));
        signer.sign(&mut request, NOW).unwrap();
        assert_eq!(request.headers["webhook-id"], "msg_p5jXN8AQM9LWM0D4loKWxJek");
        assert_eq!(request.headers["webhook-timestamp"], "1614265330");
        assert_eq!(request.headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_of_several_secrets_signs() {
        let (old, new) = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
        let signature = |sign: file::Sign| sent(&signing(sign), "{}").headers["webhook-signature"].clone();
        let both = signature(webhooks(None, &[("new", new), ("old", old)]));
        let alone = [new, old].map(|secret| signature(webhooks(Some(secret), &[])));
        assert_eq!(both.to_str().unwrap(), alone.map(|one| one.to_str().unwrap().to_owned()).join(" "));
    }

    #[test]
    fn a_signature_is_written_as_it_is_described() {
        let signature = |file: &file::Destination| sent(file, "{}").headers["x-signature"].to_str().unwrap().to_owned();
        let plain = signature(&hmac(|_| {}));
        assert_eq!(plain.len(), 64);
        assert_eq!(signature(&hmac(|sign| sign.signature.prefix = Some("v0=".to_owned()))), format!("v0={plain}"));
        let timed = hmac(|sign| {
            sign.timestamp = time("header:X-Time");
            sign.content = Some(text("{timestamp}.{body}"));
        });
        assert_eq!(sent(&timed, "{}").headers["x-time"], "1614265330");
        let timed = signature(&timed);
        assert_ne!(timed, plain);
        let listed = hmac(|sign| {
            sign.signature.list = list();
            sign.timestamp = time("signature:t");
            sign.content = Some(text("{timestamp}.{body}"));
        });
        assert_eq!(signature(&listed), format!("t=1614265330,v1={timed}"));
    }

    #[test]
    fn what_the_request_lacks_cannot_be_signed() {
        for content in ["{header:X-Env}{body}", "{$.id}{body}", "{query:b}{body}"] {
            let target = target(&hmac(|sign| sign.content = Some(text(content))));
            let payload = Payload { body: "text".into(), ..payload() };
            let error = Outbound::new(&target, &event("{}"), payload, id(), 1, NOW).unwrap_err();
            assert_eq!(error.reason(), crate::model::Reason::Sign, "{content}");
        }
        let target = target(&hmac(|sign| sign.content = Some(text("{query:a}{id}{method}{url}"))));
        assert!(Outbound::new(&target, &event("{}"), payload(), id(), 1, NOW).is_ok());
    }

    #[test]
    fn what_cannot_sign_is_one_problem() {
        let key = |encodings: &[Encoding]| file::Key {
            encoding: Some(At::nowhere(OneOrMany::Many(encodings.to_vec()))),
            strip_prefix: None,
        };
        for (file, message) in [
            (signing(webhooks(None, &[])), "there is no secret to sign with"),
            (signing(webhooks(Some(""), &[])), "the secret `default` is empty"),
            (signing(webhooks(Some("whsec_"), &[])), "the secret `default` is nothing but the prefix that is stripped"),
            (signing(webhooks(Some("not base 64"), &[])), "the secret `default` is not base64"),
            (signing(webhooks(Some("AAEC"), &[("old", "AAED")])), "`sign` has both `secret` and `secrets`"),
            (hmac(|sign| sign.secret = None), "there is no secret to sign with"),
            (hmac(|sign| sign.key = key(&[Encoding::Text, Encoding::Hex])), "a key that can be read in several ways"),
            (hmac(|sign| sign.content = Some(text("{bdy}"))), "`content` has `{bdy}`"),
            (hmac(|sign| sign.content = Some(text("{body}{path:hook}"))), "what goes out has no path parameters"),
            (hmac(|sign| sign.content = Some(text("{timestamp}{body}"))), "there is no `timestamp`"),
            (hmac(|sign| sign.signature.to = text("X-Signature")), "a signature is sent in a header"),
            (hmac(|sign| sign.signature.to = text("query:signature")), "a signature is sent in a header"),
            (hmac(|sign| sign.signature.to = text("header:Host")), "the header `host` cannot be set here"),
            (hmac(|sign| sign.signature.to = text("header:a b")), "this is not the name of a header"),
            (hmac(|sign| sign.signature.prefix = Some("a\n".to_owned())), "a header cannot carry"),
            (hmac(|sign| sign.timestamp = time("$.time")), "the time is sent in a header"),
            (hmac(|sign| sign.timestamp = time("signature:t")), "the signature is no list of keys and values"),
            (hmac(|sign| sign.timestamp = time("header:X-Signature")), "the time would go where the signature goes"),
            (
                hmac(|sign| (sign.secret, sign.secrets) = (None, named(&[("a", "x"), ("b", "y")]))),
                "there are several secrets, and room for one signature",
            ),
            (hmac(|sign| sign.signature.encoding = Some(At::nowhere(Encoding::Text))), "a signature cannot be `text`"),
            (
                file::Destination { headers: headers(&[("x-signature", "1")]), ..hmac(|_| {}) },
                "`sign` sets `x-signature`, and so does `headers` or `auth`",
            ),
        ] {
            let problems = problems(&file);
            assert_eq!(problems.len(), 1, "{message}: {problems:?}");
            assert!(problems[0].message.contains(message), "{message}: {problems:?}");
            assert!(!format!("{problems:?}").contains("s3cret"));
        }
    }

    #[test]
    fn a_time_that_is_not_signed_is_warned_of() {
        let mut problems = Problems::new();
        let file = hmac(|sign| sign.timestamp = time("header:X-Time"));
        Signer::compile(file.sign.as_ref().unwrap(), "", &mut problems).unwrap();
        let problems = problems.sorted();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].severity, Severity::Warning);
    }
}
