//! What became of a captured request, for people and for programs.

use serde_json::{Value, json};

use crate::model::Timestamp;
use crate::pipeline::verify::diagnose::{Diagnosis, Verdict};

/// What was asked.
#[derive(Debug)]
pub(super) struct Asked {
    /// The provider, or the route.
    pub(super) by: String,
    /// When it was judged.
    pub(super) now: Timestamp,
    /// The path of the route, where the request has another.
    pub(super) other_path: Option<String>,
}

/// For people.
pub(super) fn text(asked: &Asked, diagnosis: &Diagnosis) -> String {
    let mut lines = vec![verdict(asked, &diagnosis.verdict)];
    for (index, change) in diagnosis.near_miss.iter().enumerate() {
        let head = if index == 0 { "near miss" } else { "and also" };
        lines.push(format!("  {head} ({}): {}", change.id, change.words));
    }
    lines.extend(diagnosis.hints.iter().map(|hint| format!("  look: {hint}")));
    lines.extend(
        asked.other_path.iter().map(|path| format!("  look: the route's path is {path}, and the request has another")),
    );
    lines.extend(steps(&diagnosis.verdict).map(|step| format!("  next: {step}")));
    if !diagnosis.checked.is_empty() {
        let cut = if diagnosis.cut_short { "; the body is large, so not every pair was tried" } else { "" };
        let found = if diagnosis.near_miss.is_empty() { "nothing nearly matched" } else { "looked at" };
        lines.push(format!("  {found}: {} ({} attempts{cut})", diagnosis.checked.join(", "), diagnosis.attempts));
    }
    lines.join("\n")
}

/// For programs.
pub(super) fn json(asked: &Asked, diagnosis: &Diagnosis) -> Value {
    let verdict = &diagnosis.verdict;
    let changes = &diagnosis.near_miss;
    let join = |part: fn(&crate::pipeline::verify::diagnose::Change) -> &str, between: &str| {
        changes.iter().map(part).collect::<Vec<_>>().join(between)
    };
    let near_miss = (!changes.is_empty()).then(|| {
        let each: Vec<Value> = changes.iter().map(|change| json!({ "id": change.id, "words": change.words })).collect();
        json!({ "id": join(|change| change.id, "+"), "words": join(|change| &change.words, ". "), "changes": each })
    });
    let (secret, signed_at) = match verdict {
        Verdict::Verified { secret, signed_at, .. } => (secret.as_deref(), signed_at.map(Timestamp::to_rfc3339)),
        _ => (None, None),
    };
    let mut hints = diagnosis.hints.clone();
    hints
        .extend(asked.other_path.iter().map(|path| format!("the route's path is {path}, and the request has another")));
    json!({
        "verdict": if matches!(verdict, Verdict::Verified { .. }) { "verified" } else { "not_verified" },
        "reason": verdict.reason(),
        "now": asked.now.to_rfc3339(),
        "secret": secret,
        "signed_at": signed_at,
        "near_miss": near_miss,
        "hints": hints,
        "next_steps": steps(verdict).collect::<Vec<_>>(),
        "checked": diagnosis.checked,
        "attempts": diagnosis.attempts,
    })
}

fn verdict(asked: &Asked, verdict: &Verdict) -> String {
    let by = &asked.by;
    match verdict {
        Verdict::Verified { scheme, secret, signed_at } => {
            let secret = secret.as_ref().map(|name| format!(" with the secret `{name}`")).unwrap_or_default();
            let signed_at = signed_at.map(|at| format!(", signed at {at}")).unwrap_or_default();
            if &**scheme == "none" {
                return format!("verified: under `auth: none` of {by} whoever sends is believed");
            }
            format!("verified: {scheme} of {by}{secret}{signed_at}")
        }
        Verdict::Refused(rejection) => format!("not verified: {rejection} ({by}, as of {})", asked.now),
        Verdict::KeyWanted(url) => format!(
            "not judged: the gateway would ask {url} for the key. Nothing is fetched here: give what is there as `--key FILE`"
        ),
        Verdict::KeyUnreadable => {
            "not judged: `--key` holds no key of this scheme (a certificate or public key in PEM, or a JWK)".to_owned()
        }
        Verdict::Unusable(words) => format!("not verified: {words}"),
    }
}

/// What to do next, in order, whatever nearly matched.
fn steps(verdict: &Verdict) -> impl Iterator<Item = &'static str> {
    match verdict {
        Verdict::Refused(rejection) => Some(rejection.next_step()),
        Verdict::Unusable(_) => {
            Some("take the secret from the page that `hookswitch providers NAME` names, as it is shown")
        }
        Verdict::Verified { .. } | Verdict::KeyWanted(_) | Verdict::KeyUnreadable => None,
    }
    .into_iter()
}
