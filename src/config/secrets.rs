//! Which parts of the text are secrets, so that no message ever shows them.
//!
//! A secret belongs in the environment or a file, and the configuration says `${NAME}`. Where one is
//! written into the file itself, a problem on the same line must not carry it to a log.

use std::ops::Range;

/// Keys whose value is a secret, and everything below it too.
const SECRETS: [&str; 4] = ["secret", "secrets", "password", "bearer"];

/// Keys whose value is a secret where it is text. As a mapping, `token` is a scheme.
const SECRET_TEXTS: [&str; 5] = ["secret", "password", "bearer", "token", "api_key"];

/// What the name of a header field with a credential in it holds.
const CREDENTIALS: [&str; 8] = ["auth", "token", "key", "secret", "cookie", "password", "signature", "session"];

/// The part of a scalar that is a secret: `path` are the keys that lead to it, `text` its value, `raw`
/// how it stands in the file. The range is of bytes of `raw`.
pub(super) fn holds_secret(path: &[&str], text: &str, raw: &str) -> Option<Range<usize>> {
    if is_reference(text) {
        return None;
    }
    if is_secret(path) { Some(0..raw.len()) } else { user_info(raw) }
}

/// Whether what `key` introduces on its line is a secret, where nothing more is known than its line.
pub(super) fn names_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    key == "value" || resembles(&key, &SECRET_TEXTS) || CREDENTIALS.iter().any(|word| key.contains(word))
}

/// `${NAME}` or `${file:PATH}` and nothing else. A default would stand in the file itself.
fn is_reference(text: &str) -> bool {
    let inner = text.trim().strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|inner| {
        !inner.contains(['{', '}']) && inner.split_once(":-").is_none_or(|(_, default)| default.is_empty())
    })
}

fn is_secret(path: &[&str]) -> bool {
    let Some((leaf, above)) = path.split_last() else { return false };
    let parent = above.last().copied().unwrap_or_default();
    resembles(leaf, &SECRET_TEXTS)
        || above.iter().any(|key| resembles(key, &SECRETS))
        || (near(leaf, "value") && near(parent, "header"))
        || (near(parent, "headers") && CREDENTIALS.iter().any(|word| leaf.to_lowercase().contains(word)))
}

/// Whether `key` is one of `words`, holds one, or is a misspelling of one: the line of a misspelt key is
/// the very one that is shown.
fn resembles(key: &str, words: &[&str]) -> bool {
    let key = key.to_lowercase();
    // Two letters from `bearer` each, and no misspelling of it.
    if key == "header" || key == "headers" {
        return false;
    }
    words.iter().any(|word| key.contains(word) || near(&key, word))
}

fn near(key: &str, word: &str) -> bool {
    strsim::damerau_levenshtein(&key.to_lowercase(), word) <= (word.len() / 3).max(1)
}

/// The user and password of a URL.
fn user_info(raw: &str) -> Option<Range<usize>> {
    let start = raw.find("://")? + "://".len();
    let rest = raw.get(start..)?;
    let authority = rest.get(..rest.find(['/', '?', '#']).unwrap_or(rest.len()))?;
    authority.rfind('@').map(|end| start..start + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(path: &[&str], raw: &str) -> Option<String> {
        holds_secret(path, raw, raw).map(|part| raw[part].to_owned())
    }

    #[test]
    fn what_is_written_under_the_key_of_a_secret_is_one() {
        let all = Some("hunter2".to_owned());
        assert_eq!(hidden(&["routes", "secret"], "hunter2"), all);
        assert_eq!(hidden(&["routes", "secrets", "old"], "hunter2"), all);
        assert_eq!(hidden(&["admin", "token"], "hunter2"), all);
        assert_eq!(hidden(&["auth", "basic", "password"], "hunter2"), all);
        assert_eq!(hidden(&["auth", "header", "value"], "hunter2"), all);
        assert_eq!(hidden(&["headers", "X-Api-Key"], "hunter2"), all);
        assert_eq!(hidden(&["routes", "secret"], "${NAME:-hunter2}"), Some("${NAME:-hunter2}".to_owned()));
    }

    #[test]
    fn a_misspelt_key_hides_its_secret_too() {
        assert!(hidden(&["routes", "secert"], "hunter2").is_some());
        assert!(hidden(&["auth", "basic", "pasword"], "hunter2").is_some());
        assert!(hidden(&["admin", "tokn"], "hunter2").is_some());
    }

    #[test]
    fn a_reference_and_an_ordinary_value_are_shown() {
        assert_eq!(hidden(&["routes", "secret"], "${NAME}"), None);
        assert_eq!(hidden(&["routes", "secret"], "${file:/run/secrets/x}"), None);
        assert_eq!(hidden(&["auth", "token", "from"], "header:X-Token"), None);
        assert_eq!(hidden(&["routes", "name"], "bspk"), None);
        assert_eq!(hidden(&["auth", "header", "name"], "X-Token"), None);
        assert_eq!(hidden(&["headers", "Accept"], "text/plain"), None);
    }

    #[test]
    fn the_password_of_a_url_is_hidden() {
        assert_eq!(hidden(&["crm", "url"], "https://me:pw@crm.internal/a@b"), Some("me:pw".to_owned()));
        assert_eq!(hidden(&["crm", "url"], "https://crm.internal/a@b"), None);
    }
}
