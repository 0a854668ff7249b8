//! What a running gateway has kept, page by page.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::pool::{Pool, Work};
use super::{DiffError, say};
use crate::cli::remote::{Remote, RemoteError};
use crate::model::{Evidence, Timestamp};
use crate::pipeline::verify::Unsigned;
use crate::rehearsal::diff::{Origin, Specimen};

/// Which of it is meant.
pub(super) struct Window {
    pub(super) route: Option<String>,
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
}

/// A page; its entries are read by who compares them.
#[derive(Deserialize)]
struct Page<'p> {
    configuration: String,
    #[serde(borrow)]
    requests: &'p RawValue,
    next: Option<String>,
}

/// What of an entry has to be counted here.
#[derive(Deserialize)]
struct Counted {}

/// An entry, as `GET /api/v1/requests` has it.
#[derive(Deserialize)]
struct Entry {
    request: String,
    at: String,
    method: String,
    path: String,
    query: String,
    headers: Vec<Field>,
    body: String,
    events: u64,
    evidence: Told,
}

#[derive(Deserialize)]
struct Field {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct Told {
    scheme: String,
    secret: Option<String>,
    skew_ms: Option<i64>,
    attempt: Option<u32>,
    configuration: Option<String>,
}

/// What a gateway gives is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("the gateway's list of requests cannot be read: is it one of this version?")]
pub(super) struct Unreadable;

/// How many requests are asked for at once.
const PAGE: u64 = 500;

/// Reads the pages, the last accepted first, and has them compared.
pub(super) async fn pages(remote: &Remote, window: &Window, limit: Option<u64>, pool: &Pool) -> Result<(), DiffError> {
    let given = [("route", &window.route), ("since", &window.since), ("until", &window.until)];
    let given: Vec<_> = given.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect();
    let (mut left, mut cursor) = (limit.unwrap_or(u64::MAX), None::<String>);
    loop {
        let mut query = given.clone();
        query.push(("limit", left.min(PAGE).to_string()));
        query.extend(cursor.as_ref().map(|cursor| ("cursor", cursor.clone())));
        let (_, bytes) = remote.bytes(&["requests"], &query).await.map_err(explained)?;
        let page: Page<'_> = serde_json::from_slice(&bytes).map_err(|_| unreadable())?;
        if cursor.is_none() {
            warn_of_another(&page.configuration, pool);
        }
        if limit.is_some() {
            let entries: Vec<Counted> = serde_json::from_str(page.requests.get()).map_err(|_| unreadable())?;
            left = left.saturating_sub(entries.len() as u64);
        }
        pool.push(Work::Kept(page.requests.get().into()))?;
        cursor = page.next;
        if cursor.is_none() || left == 0 {
            return Ok(());
        }
    }
}

/// The requests of a page.
pub(super) fn specimens(entries: &str) -> Result<Vec<Specimen>, Unreadable> {
    let entries: Vec<Entry> = serde_json::from_str(entries).map_err(|_| Unreadable)?;
    entries.into_iter().map(|entry| entry.specimen().ok_or(Unreadable)).collect()
}

fn unreadable() -> RemoteError {
    RemoteError::Broken(Unreadable.to_string())
}

fn explained(error: RemoteError) -> RemoteError {
    match error {
        RemoteError::Refused { status: StatusCode::NOT_FOUND, .. } => RemoteError::Broken(
            "the gateway does not give whole requests: it is of an older version than this command".to_owned(),
        ),
        other => other,
    }
}

fn warn_of_another(configuration: &str, pool: &Pool) {
    let old = pool.sides().old();
    if configuration != old.fingerprint() {
        say(&format!(
            "warning: the gateway runs another configuration ({configuration}) than {} ({}): what would change is said from the \
             latter",
            old.name,
            old.fingerprint()
        ));
    }
}

// === impl Entry ===

impl Entry {
    fn specimen(self) -> Option<Specimen> {
        let mut headers = HeaderMap::with_capacity(self.headers.len());
        for Field { name, value } in &self.headers {
            headers.append(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?);
        }
        let request = Unsigned {
            method: Method::from_bytes(self.method.as_bytes()).ok()?,
            path: self.path.into(),
            query: self.query.into(),
            path_params: Vec::new(),
            headers,
            body: STANDARD.decode(self.body).ok()?.into(),
        };
        let Told { scheme, secret, skew_ms, attempt, configuration } = self.evidence;
        let evidence = Evidence {
            scheme: scheme.into(),
            secret: secret.map(Arc::from),
            skew_ms,
            attempt,
            configuration: configuration.unwrap_or_default().into(),
            ..Evidence::default()
        };
        let origin = Origin::Kept { evidence, events: self.events };
        let at = Timestamp::from_rfc3339(&self.at)?;
        Some(Specimen { name: self.request, request, at, route: None, origin })
    }
}
