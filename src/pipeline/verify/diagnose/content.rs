//! What is signed: in another order, with another separator, with or without the time.

use super::mutation::Mutation;
use super::trial::Trial;
use crate::config::At;
use crate::config::file::{TimestampFormat, TimestampRule};
use crate::signing::parse_time;

/// What is signed together with the time.
const TIMED: [&str; 14] = [
    "{timestamp}.{body}",
    "{body}.{timestamp}",
    "{timestamp}{body}",
    "{body}{timestamp}",
    "{timestamp}:{body}",
    "{body}:{timestamp}",
    "v0:{timestamp}:{body}",
    "v1:{timestamp}:{body}",
    "{timestamp}\n{body}",
    "{body}\n{timestamp}",
    "{timestamp}|{body}",
    "{timestamp} {body}",
    "{timestamp}-{body}",
    "{timestamp},{body}",
];
const WITH_ID: [&str; 4] =
    ["{id}.{timestamp}.{body}", "{id}{timestamp}{body}", "{timestamp}.{id}.{body}", "{id}:{timestamp}:{body}"];
const UNTIMED: [&str; 4] = ["{body}", "{path}{body}", "{method}{path}{body}", "{method}\n{path}\n{body}"];
const WITH_URL: [&str; 6] = [
    "{url}{body}",
    "{body}{url}",
    "{method}{url}{body}",
    "{url}{form_sorted}",
    "{url}",
    "{method}{url}{body}{timestamp}",
];

/// Everything else that may be signed.
pub(super) fn mutations(trial: &Trial) -> Vec<Mutation> {
    let Some(described) = trial.content() else { return Vec::new() };
    let secret = described.contains("{secret}");
    let mut contents: Vec<String> = UNTIMED.iter().map(|content| (*content).to_owned()).collect();
    if trial.timestamp().is_some() {
        contents.extend(TIMED.iter().chain(&WITH_ID).map(|content| (*content).to_owned()));
    }
    if trial.case.public_url.is_some() {
        contents.extend(WITH_URL.iter().map(|content| (*content).to_owned()));
    }
    if secret {
        contents = contents
            .iter()
            .flat_map(|content| [format!("{{secret}}{content}"), format!("{content}{{secret}}")])
            .collect();
    }
    let mut mutations: Vec<Mutation> = contents
        .into_iter()
        .filter(|content| *content != described)
        .map(|content| signing(&described, content))
        .collect();
    if trial.timestamp().is_none() && !secret {
        mutations.extend(
            times(trial).iter().flat_map(|(name, format)| {
                TIMED.iter().map(|content| timed(name, *format, content)).collect::<Vec<_>>()
            }),
        );
    }
    mutations
}

fn signing(described: &str, content: String) -> Mutation {
    let words = format!(
        "`{}` is signed, and the description has `{}`: say `content: \"{0}\"`",
        shown(&content),
        shown(described)
    );
    Mutation::new("content", words, move |trial| {
        trial.set_content(&content);
        true
    })
}

/// The time of a header that the description does not know.
fn timed(name: &str, format: TimestampFormat, content: &'static str) -> Mutation {
    let words = format!(
        "the time in `{name}` is signed with the body, and the description has no `timestamp`: say `timestamp: {{ from: \
         \"header:{name}\" }}` and `content: \"{}\"`",
        shown(content)
    );
    let from = format!("header:{name}");
    Mutation::new("content_timestamp", words, move |trial| {
        let Some(rule) = trial.timestamp_mut() else { return false };
        let from = At::nowhere(from.clone());
        *rule = Some(At::nowhere(TimestampRule { from, format, tolerance: None, symmetric: None }));
        trial.set_content(content);
        true
    })
}

/// Header fields that hold a time.
fn times(trial: &Trial) -> Vec<(String, TimestampFormat)> {
    const FORMATS: [TimestampFormat; 3] = [TimestampFormat::Unix, TimestampFormat::UnixMs, TimestampFormat::Rfc3339];
    let fields = trial.request.headers.iter().filter(|(name, _)| name.as_str().contains("time"));
    fields
        .filter_map(|(name, value)| {
            let text = value.to_str().ok()?;
            let format = FORMATS.into_iter().find(|format| !text.is_empty() && parse_time(*format, text).is_some())?;
            Some((name.as_str().to_owned(), format))
        })
        .collect()
}

fn shown(content: &str) -> String {
    content.replace('\n', "\\n")
}
