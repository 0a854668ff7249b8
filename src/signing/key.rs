//! How a secret's text becomes key bytes.

use std::sync::Arc;

use secrecy::zeroize::Zeroizing;

use super::MacKey;
use super::encoding::{decode, name};
use crate::config::file::{Encoding, HashFunction, OneOrMany};
use crate::config::{At, Place, Problem, Problems, file};
use crate::model::NamedSecret;

/// Key bytes, zeroed when they go.
pub type KeyBytes = Zeroizing<Vec<u8>>;

/// How a secret's text becomes key bytes.
#[derive(Debug)]
pub struct KeyRule {
    encodings: Vec<Encoding>,
    strip_prefix: Option<Box<str>>,
}

// === impl KeyRule ===

impl KeyRule {
    /// `place` is that of what the key belongs to: `strip_prefix` has none of its own.
    pub fn compile(file: &file::Key, place: Place, problems: &mut Problems) -> Option<Self> {
        Self::compile_or(file, Encoding::Text, place, problems)
    }

    /// The same where another encoding than text is meant if none is named.
    pub fn compile_or(file: &file::Key, default: Encoding, place: Place, problems: &mut Problems) -> Option<Self> {
        let (encodings, place) = match &file.encoding {
            None => (vec![default], place),
            Some(At { value: OneOrMany::One(one), place }) => (vec![*one], *place),
            Some(At { value: OneOrMany::Many(many), place }) => (many.clone(), *place),
        };
        if encodings.is_empty() {
            problems.push(Problem::error(place, "no encoding of the key is named").expected("`text`, for one"));
            return None;
        }
        if file.strip_prefix.as_deref() == Some("") {
            problems.push(
                Problem::error(place, "`strip_prefix` is empty")
                    .expected("text such as `whsec_`, or no `strip_prefix`"),
            );
            return None;
        }
        Some(Self { encodings, strip_prefix: file.strip_prefix.as_deref().map(Into::into) })
    }

    /// The key in every encoding in which the secret can be read, each once. A secret without the prefix is
    /// taken whole. None and a problem where it can be read in none.
    pub fn read(&self, secret: &At<NamedSecret>, problems: &mut Problems) -> Vec<KeyBytes> {
        let text = secret.value.value.expose();
        let prefix = self.strip_prefix.as_deref().unwrap_or_default();
        let text = text.strip_prefix(prefix).unwrap_or(text);
        let mut keys: Vec<KeyBytes> = Vec::new();
        for encoding in &self.encodings {
            let key = decode(*encoding, text).map(Zeroizing::new);
            keys.extend(key.filter(|key| !key.is_empty() && !keys.contains(key)));
        }
        // An empty secret has its own problem.
        if keys.is_empty() && !secret.value.value.is_empty() {
            problems.push(self.unreadable(secret, text.is_empty()));
        }
        keys
    }

    /// The encodings as the file names them.
    #[must_use]
    pub fn encodings(&self) -> String {
        let names: Vec<&str> = self.encodings.iter().map(|encoding| name(*encoding)).collect();
        names.join(" or ")
    }

    fn unreadable(&self, secret: &At<NamedSecret>, only_prefix: bool) -> Problem {
        if only_prefix {
            let message = format!("the secret `{}` is nothing but the prefix that is stripped", secret.name);
            return Problem::error(secret.place, message);
        }
        let names: Vec<&str> = self.encodings.iter().map(|encoding| name(*encoding)).collect();
        Problem::error(secret.place, format!("the secret `{}` is not {}", secret.name, names.join(" nor ")))
            .expected("the secret as the provider shows it, or another `key.encoding`")
    }
}

/// The keys of secrets, each under its secret's name, in their order; several of one name where its text can be read in
/// several encodings. `place` is that of the scheme. `None` and a problem where one cannot be read.
pub fn mac_keys(
    hash: HashFunction,
    key: &file::Key,
    secrets: &[At<NamedSecret>],
    place: Place,
    problems: &mut Problems,
) -> Option<Vec<(Arc<str>, MacKey)>> {
    let rule = KeyRule::compile(key, place, problems)?;
    let mut keys = Vec::new();
    let mut sound = true;
    for secret in secrets {
        let read = rule.read(secret, problems);
        sound &= !read.is_empty();
        let read = read.iter().filter_map(|key| MacKey::new(hash, key));
        keys.extend(read.map(|key| (Arc::clone(&secret.name), key)));
    }
    sound.then_some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    fn read(encodings: &[Encoding], strip_prefix: Option<&str>, secret: &str) -> (Vec<Vec<u8>>, Vec<String>) {
        let file = file::Key {
            encoding: Some(At::nowhere(OneOrMany::Many(encodings.to_vec()))),
            strip_prefix: strip_prefix.map(str::to_owned),
        };
        let mut problems = Problems::new();
        let secret = At::nowhere(NamedSecret::new("main", Secret::new(secret.to_owned())));
        let keys = KeyRule::compile(&file, Place::default(), &mut problems)
            .map(|rule| rule.read(&secret, &mut problems))
            .unwrap_or_default();
        let messages = problems.sorted().into_iter().map(|problem| problem.message).collect();
        (keys.into_iter().map(|key| key.to_vec()).collect(), messages)
    }

    #[test]
    fn a_key_is_tried_in_each_encoding_in_which_the_secret_can_be_read() {
        let both = [Encoding::Base64, Encoding::Text];
        assert_eq!(read(&both, None, "AAEC"), (vec![vec![0, 1, 2], b"AAEC".to_vec()], vec![]));
        assert_eq!(read(&both, None, "not base 64"), (vec![b"not base 64".to_vec()], vec![]));
    }

    #[test]
    fn a_prefix_is_stripped_where_it_is_there() {
        assert_eq!(read(&[Encoding::Base64], Some("whsec_"), "whsec_AAEC").0, [vec![0, 1, 2]]);
        assert_eq!(read(&[Encoding::Base64], Some("whsec_"), "AAEC").0, [vec![0, 1, 2]]);
    }

    #[test]
    fn a_secret_that_can_be_read_in_no_encoding_is_a_problem_that_does_not_quote_it() {
        let (keys, problems) = read(&[Encoding::Hex, Encoding::Base64], None, "hunter2!");
        assert!(keys.is_empty());
        assert_eq!(problems, ["the secret `main` is not hex nor base64"]);
        let (keys, problems) = read(&[Encoding::Text], Some("whsec_"), "whsec_");
        assert!(keys.is_empty());
        assert_eq!(problems, ["the secret `main` is nothing but the prefix that is stripped"]);
        assert_eq!(read(&[], None, "x").1, ["no encoding of the key is named"]);
        assert_eq!(read(&[Encoding::Text], Some(""), "x").1, ["`strip_prefix` is empty"]);
    }
}
