//! A secret that is the right one, taken for something else.
//!
//! The words say what was done to the secret, and never a part of it: what they quote is from the lists below.

use super::mutation::{Change, Mutation};
use super::scheme::encoding_name;
use super::trial::Trial;
use crate::config::At;
use crate::config::file::{Encoding, OneOrMany};
use crate::model::{NamedSecret, Secret};
use crate::signing::encode;

/// What providers put before secrets. The longest of those that begin alike comes first.
const PREFIXES: [&str; 8] = ["v1,whsec_", "whsec_", "whsk_", "whpk_", "base64:", "hex:", "secret_", "sk_"];
const ENCODINGS: [Encoding; 4] = [Encoding::Text, Encoding::Hex, Encoding::Base64, Encoding::Base64url];

/// What is done to the prefix of a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prefix {
    AsIs,
    Kept,
    Stripped(&'static str),
    Added(&'static str),
}

/// Another text of a secret.
type Undo = fn(&str) -> Option<String>;

const TEXTS: [(&str, &str, Undo); 8] = [
    (
        "secret_white_space",
        "the secret has white space or a newline at its start or end that does not belong to it: give it without (`echo -n`)",
        |text| Some(text.trim()).filter(|trimmed| *trimmed != text).map(str::to_owned),
    ),
    (
        "secret_newline",
        "the sender's secret has a newline at its end, which this one has not: the sender should trim it",
        |text| Some(format!("{text}\n")),
    ),
    ("secret_quotes", "the secret stands in quotes, which do not belong to it: give it without", |text| {
        let quoted = |quote| text.trim().strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
        quoted('"').or_else(|| quoted('\'')).or_else(|| quoted('`')).map(str::to_owned)
    }),
    (
        "secret_line_ends",
        "the secret has `\\n` in two characters where it should have ends of lines: an environment variable did that",
        |text| text.contains("\\n").then(|| text.replace("\\n", "\n")),
    ),
    (
        "secret_pem_header",
        "the secret is a public key without its first and last line: give it as PEM, with `-----BEGIN PUBLIC KEY-----`",
        |text| as_pem(text),
    ),
    ("secret_padding", "the secret is Base 64 without the `=` at its end: give it as the provider shows it", |text| {
        // What stands before it has an underscore, which Base 64 has not.
        let missing = (4 - text.rsplit('_').next().unwrap_or(text).len() % 4) % 4;
        (!text.contains('=') && matches!(missing, 1 | 2)).then(|| format!("{text}{}", "=".repeat(missing)))
    }),
    ("secret_case", "the secret was signed with in lower case, and is given in upper case", |text| {
        Some(text.to_ascii_lowercase()).filter(|lower| *lower != text)
    }),
    ("secret_percent_encoded", "the secret is percent-encoded, as it stands in a URL: give it decoded", |text| {
        percent_encoding::percent_decode_str(text).decode_utf8().ok().filter(|plain| *plain != text).map(Into::into)
    }),
];

/// Every way to take the secrets otherwise.
pub(super) fn mutations(trial: &Trial) -> Vec<Mutation> {
    let texts = TEXTS.iter().map(|(id, words, undo)| {
        let undo = *undo;
        Mutation::new(id, *words, move |trial| rewrite(trial, undo))
    });
    let mut mutations: Vec<Mutation> = texts.collect();
    mutations.extend(readings(trial));
    if trial.key().is_none() {
        mutations.extend(decoded());
    }
    mutations.extend(roles(trial));
    mutations.extend(trimmed_readings(trial));
    mutations
}

/// How the secret is read: with or without a prefix, in each encoding.
pub(super) fn readings(trial: &Trial) -> Vec<Mutation> {
    let Some((encodings, strips)) = trial.key() else { return Vec::new() };
    let starts = |prefix: &str| trial.case.secrets.iter().any(|secret| secret.value.value.expose().starts_with(prefix));
    let mut prefixes = vec![Prefix::AsIs];
    if strips.is_some_and(&starts) {
        prefixes.push(Prefix::Kept);
    }
    prefixes
        .extend(PREFIXES.into_iter().filter(|prefix| strips != Some(*prefix) && starts(prefix)).map(Prefix::Stripped));
    if !starts("whsec_") {
        prefixes.push(Prefix::Added("whsec_"));
    }
    let mut mutations = Vec::new();
    for prefix in prefixes {
        // What is read in several encodings already is right in one of them, if the prefix is.
        let others = ENCODINGS.into_iter().filter(|encoding| !encodings.contains(encoding)).map(Some);
        let encodings_tried = std::iter::once(None).filter(|_| prefix != Prefix::AsIs).chain(others);
        mutations.extend(encodings_tried.map(|encoding| reading(prefix, encoding, &encodings)));
    }
    mutations
}

fn reading(prefix: Prefix, encoding: Option<Encoding>, described: &[Encoding]) -> Mutation {
    let mut changes = Vec::new();
    match prefix {
        Prefix::AsIs => {}
        Prefix::Kept => changes.push(Change::new(
            "secret_prefix_kept",
            "the prefix of the secret is part of the key, and `key.strip_prefix` takes it off: leave `strip_prefix` out",
        )),
        Prefix::Stripped(prefix) => changes.push(Change::new(
            "secret_prefix_stripped",
            format!("`{prefix}` before the secret is not part of the key: give the secret without it, or say `key: {{ strip_prefix: \"{prefix}\" }}`"),
        )),
        Prefix::Added(prefix) => changes.push(Change::new(
            "secret_prefix_missing",
            format!("the secret lacks the `{prefix}` before it, which is part of the key: give it as the provider shows it"),
        )),
    }
    if let Some(encoding) = encoding {
        changes.push(encoding_change(encoding, described));
    }
    Mutation::several(changes, move |trial| {
        match prefix {
            Prefix::AsIs => {}
            Prefix::Kept => {
                if let Some(key) = trial.key_mut() {
                    key.strip_prefix = None;
                }
            }
            Prefix::Stripped(prefix) => {
                let _ = rewrite(trial, |text| text.strip_prefix(prefix).map(str::to_owned));
            }
            Prefix::Added(prefix) => {
                if let Some(key) = trial.key_mut() {
                    key.strip_prefix = None;
                }
                let _ = rewrite(trial, |text| Some(format!("{prefix}{text}")));
            }
        }
        let Some(key) = trial.key_mut() else { return false };
        if let Some(encoding) = encoding {
            key.encoding = Some(At::nowhere(OneOrMany::One(encoding)));
        }
        true
    })
}

fn encoding_change(encoding: Encoding, described: &[Encoding]) -> Change {
    let described = described.iter().map(|encoding| encoding_name(*encoding)).collect::<Vec<_>>().join(" or ");
    let (id, what) = match encoding {
        Encoding::Text => ("secret_is_text", "the secret's text itself is the key, and it was decoded"),
        Encoding::Hex => ("secret_is_hex", "the secret is hex, and was taken as it is or for something else"),
        Encoding::Base64 => ("secret_is_base64", "the secret is Base 64, and was taken as it is or for something else"),
        Encoding::Base64url => {
            ("secret_is_base64url", "the secret is Base 64 for URLs, and was taken as it is or for something else")
        }
    };
    Change::new(
        id,
        format!("{what}: say `key: {{ encoding: {} }}` where the description has {described}", encoding_name(encoding)),
    )
}

/// White space at the ends of a secret that is encoded, which else is no text of its encoding.
fn trimmed_readings(trial: &Trial) -> Vec<Mutation> {
    let untidy = trial.case.secrets.iter().any(|secret| {
        let text = secret.value.value.expose();
        tidied(text) != text
    });
    if !untidy {
        return Vec::new();
    }
    let both = |reading: Mutation| {
        let mut changes = vec![Change::new(
            "secret_white_space",
            "the secret has white space or quotes around it that do not belong to it: give it without",
        )];
        changes.extend(reading.changes.iter().cloned());
        Mutation::several(changes, move |trial| {
            rewrite(trial, |text| Some(tidied(text).to_owned()).filter(|tidy| tidy != text)) && reading.apply(trial)
        })
    };
    readings(trial).into_iter().map(both).collect()
}

fn tidied(text: &str) -> &str {
    text.trim_matches(|char: char| char.is_whitespace() || matches!(char, '"' | '\'' | '`'))
}

/// Where the secret is compared, or hashed, as text.
fn decoded() -> Vec<Mutation> {
    let decoding = |id, name: &str, encoding| {
        Mutation::new(id, format!("the secret is the {name} of what the sender has: decode it"), move |trial| {
            rewrite(trial, |text| String::from_utf8(crate::signing::decode(encoding, text.trim())?).ok())
        })
    };
    let encoding = |id, name: &str, encoding| {
        Mutation::new(id, format!("the sender has the secret in {name}: give it as it has it"), move |trial| {
            rewrite(trial, |text| Some(encode(encoding, text.as_bytes())))
        })
    };
    vec![
        decoding("secret_is_base64", "Base 64", Encoding::Base64),
        decoding("secret_is_hex", "hex", Encoding::Hex),
        encoding("secret_not_base64", "Base 64", Encoding::Base64),
        encoding("secret_not_hex", "hex", Encoding::Hex),
    ]
}

/// A secret that has another role.
fn roles(trial: &Trial) -> Vec<Mutation> {
    let all = trial.case.roles.iter().cloned();
    all.map(|role| {
        let words = format!(
            "it is signed with the secret that was given as `{}`, which has another role: the two are probably swapped",
            role.value.name
        );
        Mutation::new("secret_role", words, move |trial| {
            trial.case.secrets = vec![role.clone()];
            true
        })
    })
    .collect()
}

/// Gives each secret another text, where there is one; whether any has.
pub(super) fn rewrite(trial: &mut Trial, undo: impl Fn(&str) -> Option<String>) -> bool {
    let mut changed = false;
    for secret in &mut trial.case.secrets {
        if let Some(text) = undo(secret.value.value.expose()) {
            secret.value = NamedSecret::new(std::sync::Arc::clone(&secret.value.name), Secret::new(text));
            changed = true;
        }
    }
    changed
}

fn as_pem(text: &str) -> Option<String> {
    let digits: String = text.split_whitespace().collect();
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '+' | '/' | '=');
    let is_one = digits.len() >= 40 && digits.chars().all(plain);
    is_one.then(|| format!("-----BEGIN PUBLIC KEY-----\n{digits}\n-----END PUBLIC KEY-----\n"))
}
