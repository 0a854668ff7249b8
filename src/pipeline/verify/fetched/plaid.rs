//! Plaid's keys, which its API is asked for one at a time
//! (<https://plaid.com/docs/api/webhooks/webhook-verification/>).

use std::time::Duration;

use jsonwebtoken::jwk::Jwk;
use serde::Deserialize;
use url::Url;

use super::{Directory, FetchedKey, KeyRequest, Learned, Source, key_of, quoted, token_key};
use crate::config::{Problem, Problems, file};
use crate::model::Secret;
use crate::pipeline::verify::Rejection;
use crate::signing::PrivateKey;

/// "Cache the public key"; it is looked at again after a day, whether it has expired.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest `kid`: Plaid's are UUIDs.
const LONGEST_ID: usize = 128;
const OWNER: &str = ".plaid.com";

/// Plaid's API, and who asks it.
#[derive(Debug)]
pub(in crate::pipeline::verify) struct Plaid {
    url: Url,
    client_id: Secret,
    secret: Secret,
}

/// What the API answers.
#[derive(Deserialize)]
struct Answer {
    key: Key,
}

#[derive(Deserialize)]
struct Key {
    #[serde(flatten)]
    jwk: Jwk,
    /// When it was retired, in Unix seconds.
    #[serde(default)]
    expired_at: Option<i64>,
}

// === impl Plaid ===

impl Plaid {
    pub(in crate::pipeline::verify) fn source(
        file: &file::PlaidKeys,
        client_id: Secret,
        secret: Secret,
        problems: &mut Problems,
    ) -> Option<Source> {
        let url = Url::parse(&format!("https://{}/webhook_verification_key/get", file.host.value)).ok();
        let url = url.filter(|url| url.host_str().is_some_and(|host| host.ends_with(OWNER)) && url.port().is_none());
        if url.is_none() {
            problems.push(
                Problem::error(file.host.place, "this is no host of Plaid's, and the account's secret is sent to it")
                    .expected("`production.plaid.com` or `sandbox.plaid.com`"),
            );
        }
        Some(Source::new(Self { url: url?, client_id, secret }, None))
    }
}

impl Directory for Plaid {
    fn request(&self, id: &str) -> Result<KeyRequest, Rejection> {
        if id.len() > LONGEST_ID {
            return Err(Rejection::Malformed);
        }
        let json = format!(
            r#"{{"client_id":{},"secret":{},"key_id":{}}}"#,
            quoted(&self.client_id),
            quoted(&self.secret),
            serde_json::Value::from(id)
        );
        Ok(KeyRequest { url: self.url.clone(), json: Some(json.into()) })
    }

    fn read(&self, id: &str, answer: &[u8]) -> Option<Learned> {
        let Answer { key } = serde_json::from_slice(answer).ok()?;
        let keys = match key_of(&key.jwk) {
            // "If expired_at is not null, reject the webhook."
            Some(token) if key.expired_at.is_none() => vec![(id.into(), FetchedKey::Token(token))],
            _ => Vec::new(),
        };
        Some(Learned { keys, lifetime: LIFETIME })
    }

    fn of(&self, private: &PrivateKey) -> Option<FetchedKey> {
        token_key(private)
    }
}
