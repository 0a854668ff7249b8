//! What holds between stages that do not know each other: what `deliver` signs, `verify` believes.

use bytes::Bytes;
use http::HeaderMap;
use proptest::prelude::*;
use url::Url;

use super::deliver::{Outbound, Target};
use super::verify::{Rejection, Surroundings, Unsigned, Verifier};
use super::*;
use crate::config::file::{Auth, Encoding, HashFunction, OneOrMany, TimestampFormat};
use crate::config::{At, Named, Problems, file};
use crate::expr::Choices;
use crate::model::{DeliveryId, Event, Lane, NamedSecret, Secret, Timestamp, sample};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_500);
const ORIGIN: &str = "https://crm.internal:8443";

fn at<T>(value: T) -> At<T> {
    At::nowhere(value)
}

fn text(text: &str) -> At<String> {
    at(text.to_owned())
}

fn secrets(values: &[&str]) -> Named<At<Secret>> {
    Named(values.iter().map(|value| (text(value), at(Secret::new((*value).to_owned())))).collect())
}

fn list(separator: &str, pair: Option<(&str, &str)>) -> At<file::SignatureList> {
    let (pair, key) = pair.map(|(pair, key)| (text(pair), text(key))).unzip();
    at(file::SignatureList { separator: text(separator), pair, key })
}

/// A description of what goes out. Every knob is turned one way or the other.
fn signs() -> impl Strategy<Value = file::SignHmac> {
    let hash = prop::sample::select(vec![HashFunction::Sha1, HashFunction::Sha256, HashFunction::Sha512]);
    let encoding = prop::sample::select(vec![Encoding::Hex, Encoding::Base64, Encoding::Base64url]);
    let lists = prop::sample::select(vec![
        None,
        Some((" ", None)),
        Some((",", Some(("=", "v1")))),
        Some((" ", Some((",", "v1")))),
    ]);
    let format = prop::sample::select(vec![
        None,
        Some(TimestampFormat::Unix),
        Some(TimestampFormat::UnixMs),
        Some(TimestampFormat::Rfc3339),
        Some(TimestampFormat::HttpDate),
    ]);
    let prefix = prop::sample::select(vec![None, Some("sha="), Some("v0:")]);
    let more = prop::sample::select(vec![
        "{body}",
        "{method} {url}\n{id}\n{body}",
        "{body}{header:X-Env}",
        "{$.data.id}:{body}",
    ]);
    (hash, encoding, lists, format, prefix, more).prop_map(|(hash, encoding, lists, format, prefix, more)| {
        let several = if lists.is_some() { &["0ld s3cret", "n3w s3cret"][..] } else { &["n3w s3cret"] };
        let time = format.map(|format| {
            // An HTTP date has a comma and spaces in it, so it cannot be an item of a list.
            let in_list = matches!(lists, Some((",", Some(_)))) && format != TimestampFormat::HttpDate;
            at(file::SignTimestamp { to: text(if in_list { "signature:t" } else { "header:X-Time" }), format })
        });
        let content = if time.is_some() { format!("{{timestamp}}.{more}") } else { more.to_owned() };
        file::SignHmac {
            hash,
            secret: None,
            secrets: Some(at(secrets(several))),
            key: file::Key::default(),
            signature: file::SignSignature {
                to: text("header:X-Signature"),
                prefix: prefix.map(str::to_owned),
                list: lists.map(|(separator, pair)| list(separator, pair)),
                encoding: Some(at(encoding)),
            },
            timestamp: time,
            content: Some(text(&content)),
        }
    })
}

/// The same description as a provider's.
fn inbound(sign: &file::SignHmac) -> file::Hmac {
    file::Hmac {
        hash: sign.hash,
        key: sign.key.clone(),
        signature: file::Signature {
            from: at(OneOrMany::One(sign.signature.to.clone())),
            prefix: sign.signature.prefix.clone(),
            list: sign.signature.list.clone(),
            encoding: sign.signature.encoding.clone(),
        },
        timestamp: sign.timestamp.as_ref().map(|time| {
            at(file::TimestampRule { from: time.to.clone(), format: time.format, tolerance: None, symmetric: None })
        }),
        content: sign.content.clone(),
        url: None,
        body_hash: None,
        each: None,
    }
}

fn verifier(hmac: file::Hmac, secret: &str, id: &str) -> Verifier {
    let secrets = [at(NamedSecret::new("main", Secret::new(secret.to_owned())))];
    let id = Choices::none().or_select(id).unwrap();
    let mut problems = Problems::new();
    let surroundings = Surroundings { id: &id, public_url: Some(ORIGIN), roles: &[] };
    let verifier = Verifier::compile(&at(Auth::Hmac(hmac)), &secrets, surroundings, &mut problems);
    verifier.unwrap_or_else(|| panic!("{:?}", problems.sorted()))
}

fn target(sign: file::Sign) -> Target {
    let headers = Named(vec![(text("X-Env"), text("{$.data.id}"))]);
    let file = file::Destination {
        url: text(&format!("{ORIGIN}/contacts/{{$.data.id}}?key=a%2Fb")),
        method: None,
        headers,
        auth: None,
        sign: Some(at(sign)),
        tls: None,
        allow_private: None,
        success: None,
        timeout: None,
        concurrency: None,
        rate: None,
        breaker: None,
        retry: file::Retry::default(),
        format: None,
    };
    let mut problems = Problems::new();
    let target = Target::compile(&text("crm"), &file, &mut problems);
    target.unwrap_or_else(|| panic!("{:?}", problems.sorted()))
}

fn outbound(target: &Target, body: &[u8], now: Timestamp) -> Outbound {
    let data = r#"{"id":"a b/c"}"#;
    let value = serde_json::from_str(data).unwrap();
    let attributes = sample::attributes("orders", "order.created");
    let event = Event::new(attributes, sample::request(data).into(), 0..data.len(), value);
    let payload = Payload { headers: HeaderMap::new(), body: Bytes::copy_from_slice(body) };
    Outbound::new(target, &event, payload, DeliveryId::new("evt_1", &Lane::new("orders", "crm")), 1, now).unwrap()
}

fn judge(verifier: &Verifier, sent: &Outbound, now: Timestamp) -> Result<(), Rejection> {
    let request = Unsigned {
        method: sent.method.clone(),
        path: Url::path(&sent.url).into(),
        query: sent.url.query().unwrap_or_default().into(),
        path_params: Vec::new(),
        headers: sent.headers.clone(),
        body: sent.body.clone(),
    };
    verifier.verify(request.received(now), now).map(drop)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_signed_on_its_way_out_is_believed_by_each_secret_and_by_no_other(
        sign in signs(),
        member in "[a-zA-Z0-9 é]{1,20}",
    ) {
        let body = format!(r#"{{"data":{{"id":"{member}"}}}}"#);
        let sent = outbound(&target(file::Sign::Hmac(Box::new(sign.clone()))), body.as_bytes(), NOW);
        let secrets: Vec<_> = sign.secrets.as_ref().unwrap().names().map(str::to_owned).collect();
        for secret in &secrets {
            prop_assert_eq!(judge(&verifier(inbound(&sign), secret, "header:Idempotency-Key"), &sent, NOW), Ok(()));
        }
        let verifier = verifier(inbound(&sign), &secrets[0], "header:Idempotency-Key");
        let other = verifier_of_another(&sign);
        prop_assert_eq!(judge(&other, &sent, NOW), Err(Rejection::Mismatch));
        let tampered = Outbound { body: [&sent.body[..], b" "].concat().into(), ..sent };
        prop_assert_eq!(judge(&verifier, &tampered, NOW), Err(Rejection::Mismatch));
    }

    #[test]
    fn standard_webhooks_are_believed_whatever_the_body(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
        let sign = file::StandardWebhooks { secret: Some(at(Secret::new(secret.to_owned()))), secrets: None };
        let sent = outbound(&target(file::Sign::StandardWebhooks(sign)), &body, NOW);
        prop_assert_eq!(&sent.headers["webhook-id"], &sent.headers["idempotency-key"]);
        prop_assert_eq!(judge(&verifier(standard_webhooks(), secret, "header:webhook-id"), &sent, NOW), Ok(()));
    }
}

fn verifier_of_another(sign: &file::SignHmac) -> Verifier {
    verifier(inbound(sign), "another secret", "header:Idempotency-Key")
}

/// The scheme as a provider's description has it.
fn standard_webhooks() -> file::Hmac {
    file::Hmac {
        hash: HashFunction::Sha256,
        key: file::Key {
            encoding: Some(at(OneOrMany::One(Encoding::Base64))),
            strip_prefix: Some("whsec_".to_owned()),
        },
        signature: file::Signature {
            from: at(OneOrMany::One(text("header:webhook-signature"))),
            prefix: None,
            list: Some(list(" ", Some((",", "v1")))),
            encoding: Some(at(Encoding::Base64)),
        },
        timestamp: Some(at(file::TimestampRule {
            from: text("header:webhook-timestamp"),
            format: TimestampFormat::Unix,
            tolerance: None,
            symmetric: None,
        })),
        content: Some(text("{id}.{timestamp}.{body}")),
        url: None,
        body_hash: None,
        each: None,
    }
}

#[test]
fn an_attempt_of_another_hour_has_a_time_of_its_own() {
    let secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let sign = file::StandardWebhooks { secret: Some(at(Secret::new(secret.to_owned()))), secrets: None };
    let target = target(file::Sign::StandardWebhooks(sign));
    let verifier = verifier(standard_webhooks(), secret, "header:webhook-id");
    let later = NOW.after(std::time::Duration::from_secs(3600));
    assert_eq!(judge(&verifier, &outbound(&target, b"{}", NOW), later), Err(Rejection::Stale));
    assert_eq!(judge(&verifier, &outbound(&target, b"{}", later), later), Ok(()));
}
