//! What can be seen without trying: by the shape of the secret, and by what the request has.

use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderName};

use serde_json::Value;

use super::mutation::Change;
use super::trial::Trial;
use crate::config::file::Auth;
use crate::config::nearest;

/// How ids and keys for other purposes begin, and what they are.
const NOT_SECRETS: [(&str, &str); 17] = [
    ("we_", "the id of a webhook endpoint (Stripe)"),
    ("ep_", "the id of an endpoint (Svix and others)"),
    ("wh_", "the id of a webhook"),
    ("evt_", "the id of an event"),
    ("msg_", "the id of a message"),
    ("app_", "the id of an app"),
    ("acct_", "the id of an account"),
    ("sk_live_", "an API key"),
    ("sk_test_", "an API key"),
    ("rk_live_", "an API key"),
    ("rk_test_", "an API key"),
    ("pk_live_", "a publishable API key"),
    ("pk_test_", "a publishable API key"),
    ("ghp_", "a personal access token (GitHub)"),
    ("github_pat_", "a personal access token (GitHub)"),
    ("xoxb-", "a bot token (Slack): the signing secret is another"),
    ("SG.", "an API key (SendGrid)"),
];

/// What of a near miss is a matter of the scheme's description.
const OF_THE_DESCRIPTION: [&str; 8] = [
    "signature_",
    "content",
    "timestamp_format",
    "timestamp_unit",
    "token_",
    "jwt_",
    "secret_is_",
    "secret_prefix_kept",
];

/// Every hint, in the order in which to look.
pub(super) fn hints(trial: &Trial, near_miss: &[Change]) -> Vec<String> {
    let mut hints = Vec::new();
    let described = |change: &Change| OF_THE_DESCRIPTION.iter().any(|kind| change.id.starts_with(kind));
    if let Some(name) = trial.case.provider.as_ref().filter(|_| near_miss.iter().any(described)) {
        hints.push(format!(
            "the description of `{name}` is built in: if the provider's documents say what was found, begin your own under \
             `providers:` with `hookswitch providers {name}`; else the sender is not quite `{name}`"
        ));
    }
    for secret in &trial.case.secrets {
        hints.extend(of_secret(trial, &secret.value.name, secret.value.value.expose()));
    }
    hints.extend(of_request(trial));
    hints
}

fn of_secret(trial: &Trial, name: &str, text: &str) -> Vec<String> {
    let mut hints = Vec::new();
    let shared = matches!(trial.case.auth.value, Auth::Hmac(_) | Auth::KeyedHash(_) | Auth::Token(_) | Auth::Basic(_));
    if let Some((prefix, what)) = NOT_SECRETS.into_iter().find(|(prefix, _)| text.trim().starts_with(prefix)) {
        hints.push(format!(
            "the secret `{name}` begins with `{prefix}`: that is usually {what}, not what requests are signed with"
        ));
    }
    if text.starts_with("${") || text.starts_with("{{") {
        hints.push(format!("the secret `{name}` is a reference that nobody filled in"));
    }
    if text.contains("PRIVATE KEY-----") {
        hints.push(format!(
            "the secret `{name}` is a private key: only the provider has that, and it belongs nowhere else"
        ));
    } else if shared && text.contains("-----BEGIN") {
        hints.push(format!("the secret `{name}` is a public key, and the scheme has a shared secret: take that from the provider's page"));
    } else if text.contains("BEGIN CERTIFICATE") {
        hints.push(format!("the secret `{name}` is a certificate, and the scheme wants the public key in it (`openssl x509 -pubkey -noout`)"));
    }
    if text.trim() != text && !text.contains("-----BEGIN") {
        hints.push(format!("the secret `{name}` starts or ends with white space, which counts"));
    }
    hints
}

fn of_request(trial: &Trial) -> Vec<String> {
    let mut hints = Vec::new();
    let headers = &trial.request.headers;
    let wanted = trial.places().into_iter().filter_map(|place| Some(place.strip_prefix("header:")?.to_lowercase()));
    let wanted: Vec<String> = wanted.collect();
    if !wanted.is_empty() && !wanted.iter().any(|name| headers.contains_key(name.split('{').next().unwrap_or(name))) {
        let near = wanted.iter().find_map(|name| near(name, &names_of(headers)));
        let names = wanted.iter().take(3).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
        let mean = near.map(|name| format!("; did you mean `{name}`, which it has?")).unwrap_or_default();
        hints.push(format!("the request has no header {names}{mean}"));
    }
    if headers.contains_key(CONTENT_ENCODING) {
        hints.push(
            "the request has a Content-Encoding: most providers sign the body before it is compressed, and some what is sent; \
             the captured body has to be the one that was signed"
                .to_owned(),
        );
    } else if trial.request.body.starts_with(&[0x1f, 0x8b]) {
        hints.push("the body is gzip, and no Content-Encoding says so: capture it as it was sent".to_owned());
    }
    if matches!(trial.case.auth.value, Auth::Sns(_)) && !is_of_a_topic(trial) {
        hints.push(
            "the message's `TopicArn` is none of the secrets: it is of another topic, or the secret should be this topic's ARN"
                .to_owned(),
        );
    }
    if trial.request.body.is_empty() {
        hints.push("the captured body is empty: whoever captured it may have read the body before".to_owned());
    }
    hints
}

/// Whether a message of Amazon SNS is of one of the topics.
fn is_of_a_topic(trial: &Trial) -> bool {
    let body: Option<Value> = serde_json::from_slice(&trial.request.body).ok();
    let topic = body.as_ref().and_then(|body| body.get("TopicArn")).and_then(Value::as_str);
    trial.case.secrets.iter().any(|secret| topic == Some(secret.value.value.expose()))
}

/// The names of header fields.
pub(super) fn names_of(headers: &HeaderMap) -> Vec<&str> {
    headers.keys().map(HeaderName::as_str).collect()
}

/// A name that is nearly this one, or a part of it.
pub(super) fn near<'n>(name: &str, known: &[&'n str]) -> Option<&'n str> {
    let others = || known.iter().copied().filter(|known| *known != name);
    let part = |known: &&str| known.len() > 6 && (name.starts_with(*known) || known.starts_with(name));
    others().find(part).or_else(|| nearest(name, others()))
}
