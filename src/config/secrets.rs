//! Which parts of the text are secrets, so that no message ever shows them.
//!
//! A secret belongs in the environment or a file, and the configuration says `${NAME}`. Where one is
//! written into the file itself, a problem on the same line must not carry it to a log.

use std::collections::HashMap;
use std::ops::Range;

/// Keys whose value is a secret, and everything below it too.
const SECRETS: [&str; 4] = ["secret", "secrets", "password", "bearer"];

/// Keys whose value is a secret where it is text. As a mapping, `token` is a scheme.
const SECRET_TEXTS: [&str; 5] = ["secret", "password", "bearer", "token", "api_key"];

/// The key of a private key.
const PRIVATE_KEY: &str = "client_key";

/// Keys that are near to those of secrets and hold none.
const NO_SECRETS: [&str; 3] = ["client_cert", "client_id", "token_url"];

/// What the name of a header field with a credential in it holds.
const CREDENTIALS: [&str; 8] = ["auth", "token", "key", "secret", "cookie", "password", "signature", "session"];

/// What keys and words say of secrets. A file has the same ones with each route, and to tell takes longer than to remember.
#[derive(Debug, Default)]
pub(super) struct Words(HashMap<Box<str>, Word>);

/// What one says.
#[derive(Debug, Clone, Copy)]
struct Word {
    /// Everything below is a secret.
    above_secret: bool,
    /// What it introduces is a secret, where that is text.
    before_secret: bool,
    is_private_key: bool,
    is_value: bool,
    is_header: bool,
    is_headers: bool,
    /// As a header field, it holds a credential.
    is_credential: bool,
}

/// So many are remembered: more than there are keys.
const REMEMBERED: usize = 4096;

// === impl Words ===

impl Words {
    /// The part of a scalar that is a secret: `path` are the keys that lead to it, `text` its value, `raw`
    /// how it stands in the file. The range is of bytes of `raw`.
    pub(super) fn holds_secret(&mut self, path: &[&str], text: &str, raw: &str) -> Option<Range<usize>> {
        if is_reference(text) {
            return None;
        }
        if self.lead_to_secret(path) {
            return Some(0..raw.len());
        }
        user_info(raw).or_else(|| self.key_holds_secret(raw))
    }

    /// The part of a key that is a secret, where its colon or the space behind it was forgotten.
    pub(super) fn key_holds_secret(&mut self, raw: &str) -> Option<Range<usize>> {
        let (word, end) = first_word(raw)?;
        self.of(word).before_secret.then_some(end..raw.len())
    }

    fn lead_to_secret(&mut self, path: &[&str]) -> bool {
        let Some((leaf, above)) = path.split_last() else { return false };
        let parent = above.last().map(|parent| self.of(parent));
        let word = self.of(leaf);
        let below = |is: fn(&Word) -> bool| parent.as_ref().is_some_and(is);
        ((word.before_secret || word.is_private_key) && !NO_SECRETS.contains(leaf))
            || above.iter().any(|key| self.of(key).above_secret)
            || (word.is_value && below(|parent| parent.is_header))
            || (word.is_credential && below(|parent| parent.is_headers))
    }

    fn of(&mut self, word: &str) -> Word {
        if let Some(known) = self.0.get(word) {
            return *known;
        }
        let new = Word {
            above_secret: resembles(word, &SECRETS),
            before_secret: resembles(word, &SECRET_TEXTS),
            is_private_key: near(word, PRIVATE_KEY),
            is_value: near(word, "value"),
            is_header: near(word, "header"),
            is_headers: near(word, "headers"),
            is_credential: CREDENTIALS.iter().any(|part| word.to_lowercase().contains(part)),
        };
        if self.0.len() < REMEMBERED {
            self.0.insert(word.into(), new);
        }
        new
    }
}

/// As much of a name from the file as a message may show: no more than can be a name.
pub(super) fn shown_name(name: &str) -> String {
    const LONGEST: usize = 40;
    let secret = first_word(name).filter(|(word, _)| resembles(word, &SECRET_TEXTS));
    let name_end = secret.map_or(name.len(), |(_, end)| end);
    let shown: String = name.get(..name_end).unwrap_or_default().chars().take(LONGEST).collect();
    if shown.len() < name.len() { shown + "…" } else { shown }
}

/// Whether what `key` introduces on its line is a secret, where nothing more is known than its line.
#[must_use]
pub fn names_secret(key: &str) -> bool {
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
    let (key, most) = (key.to_lowercase(), (word.len() / 3).max(1));
    // Most keys are nothing of the kind, and what they are near to takes long to tell: each edit changes the length by one
    // at most, and brings one missing letter at most.
    key.chars().count().abs_diff(word.len()) <= most
        && (letters(word) & !letters(&key)).count_ones() as usize <= most
        && strsim::damerau_levenshtein(&key, word) <= most
}

/// Which letters are in a text: a bit each, others together.
fn letters(text: &str) -> u32 {
    let bit = |byte: u8| if byte.is_ascii_lowercase() { byte - b'a' } else { 31 };
    text.bytes().fold(0, |letters, byte| letters | (1 << bit(byte)))
}

/// The word with which a text begins, and where what follows it starts: in `bearer hunter2` and `secret:hunter2`, both of
/// which lack something to be a key and a value.
fn first_word(text: &str) -> Option<(&str, usize)> {
    let end = text.find([' ', ':', '='])?;
    let word = text.get(..end)?.trim_start_matches(['"', '\'']);
    (end + 1 < text.len()).then_some((word, end + 1))
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
        Words::default().holds_secret(path, raw, raw).map(|part| raw[part].to_owned())
    }

    proptest::proptest! {
        #[test]
        fn what_is_far_is_told_by_its_letters_as_by_its_edits(key in "[a-z_é]{0,14}", of in 0..SECRETS.len(), cut in 0..8usize) {
            let word = SECRETS[of];
            for key in [key.clone(), format!("{}{}", &word[..word.len().min(cut)], key)] {
                let edits = strsim::damerau_levenshtein(&key, word);
                proptest::prop_assert_eq!(near(&key, word), edits <= (word.len() / 3).max(1), "{} {}", key, word);
            }
        }
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
        assert_eq!(hidden(&["tls", "client_key"], "hunter2"), all);
        assert_eq!(hidden(&["auth", "oauth2", "client_secret"], "hunter2"), all);
        assert_eq!(hidden(&["routes", "secret"], "${NAME:-hunter2}"), Some("${NAME:-hunter2}".to_owned()));
    }

    #[test]
    fn a_misspelt_key_hides_its_secret_too() {
        assert!(hidden(&["routes", "secert"], "hunter2").is_some());
        assert!(hidden(&["auth", "basic", "pasword"], "hunter2").is_some());
        assert!(hidden(&["tls", "clientkey"], "hunter2").is_some());
        assert!(hidden(&["admin", "tokn"], "hunter2").is_some());
    }

    #[test]
    fn a_reference_and_an_ordinary_value_are_shown() {
        assert_eq!(hidden(&["routes", "secret"], "${NAME}"), None);
        assert_eq!(hidden(&["routes", "secret"], "${file:/run/secrets/x}"), None);
        assert_eq!(hidden(&["auth", "token", "from"], "header:X-Token"), None);
        assert_eq!(hidden(&["routes", "name"], "bspk"), None);
        assert_eq!(hidden(&["tls", "client_cert"], "text"), None);
        assert_eq!(hidden(&["auth", "oauth2", "client_id"], "us"), None);
        assert_eq!(hidden(&["auth", "oauth2", "token_url"], "https://login/"), None);
        assert_eq!(hidden(&["auth", "header", "name"], "X-Token"), None);
        assert_eq!(hidden(&["headers", "Accept"], "text/plain"), None);
    }

    #[test]
    fn what_follows_the_word_for_a_secret_is_one() {
        assert_eq!(hidden(&["auth"], "bearer hunter2").as_deref(), Some("hunter2"));
        assert_eq!(hidden(&["routes"], "'secret:hunter2'").as_deref(), Some("hunter2'"));
        assert_eq!(hidden(&["auth", "token", "from"], "token:"), None);
        assert_eq!(shown_name("bearer hunter2"), "bearer …");
        assert_eq!(shown_name("bearer"), "bearer");
        assert_eq!(shown_name(&"é".repeat(50)), format!("{}…", "é".repeat(40)));
    }

    #[test]
    fn the_password_of_a_url_is_hidden() {
        assert_eq!(hidden(&["crm", "url"], "https://me:pw@crm.internal/a@b"), Some("me:pw".to_owned()));
        assert_eq!(hidden(&["crm", "url"], "https://crm.internal/a@b"), None);
    }
}
