//! What is done to a request on its way, and to secrets: each is wrong by as little as possible, so that it is the check
//! for it that finds it.

use std::time::Duration;

use crate::config::At;
use crate::config::file::ConfigFile;
use crate::model::{Secret, Timestamp};
use crate::pipeline::verify::Unsigned;

/// Longer than any scheme tolerates.
const LONG: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A byte more than was signed, after which JSON is the same JSON still.
pub(super) fn body(request: &mut Unsigned) {
    request.body = [&*request.body, b" "].concat().into();
}

/// A time that no signature may be of any more.
pub(super) fn long_before(now: Timestamp) -> Timestamp {
    let millis = i64::try_from(LONG.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(now.as_millis().saturating_sub(millis))
}

/// Every route has other secrets.
pub(in crate::rehearsal) fn secrets(file: &mut ConfigFile) {
    let spoil = |secret: &mut At<Secret>| secret.value = Secret::new(other(secret.value.expose()));
    for route in &mut file.routes {
        route.value.secret.iter_mut().for_each(spoil);
        let several = route.value.secrets.iter_mut().flat_map(|secrets| &mut secrets.value.0);
        several.for_each(|(_, secret)| spoil(secret));
    }
}

/// A text that differs in one character: a letter or digit in its later half, behind what may stand before a signature, which
/// becomes another of its kind, so that hex stays hex and base64 stays base64.
fn other(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let meant = characters.len() * 3 / 4;
    let at = (0..characters.len())
        .filter(|at| characters.get(*at).is_some_and(char::is_ascii_alphanumeric))
        .min_by_key(|at| at.abs_diff(meant));
    let Some(at) = at else { return format!("{text}x") };
    let change = |(index, character): (usize, &char)| if index == at { next(*character) } else { *character };
    characters.iter().enumerate().map(change).collect()
}

const fn next(character: char) -> char {
    match character {
        '9' => '0',
        'f' => 'a',
        'F' => 'A',
        'z' => 'g',
        'Z' => 'G',
        other => ((other as u8) + 1) as char,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_character_is_another_of_its_kind() {
        for text in
            ["sha256=00ff99", "t=1700000000,v1=abcdefabcdef", "QWxh+ZGRp==", "Bearer a.b.c", "x", "Zz9fF", "é…é", ""]
        {
            let other = other(text);
            assert_ne!(other, text);
            let changed = text.chars().zip(other.chars()).filter(|(one, other)| one != other);
            for (one, other) in changed {
                assert_eq!(one.is_ascii_hexdigit(), other.is_ascii_hexdigit(), "{text}");
                assert_eq!(one.is_ascii_digit(), other.is_ascii_digit(), "{text}");
            }
        }
        assert_eq!(other("sha256=00ff99"), "sha256=00af99");
    }
}
