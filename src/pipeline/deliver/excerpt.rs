//! The start of a response as one line that a person can be shown.

use crate::model::Secret;

/// How much of a response is shown, in bytes.
const SHOWN: usize = 512;

/// How much of a response has to be kept for its excerpt, in bytes: a secret that begins in what is shown has to be
/// seen to its end.
pub(super) fn needed(secrets: &[Secret]) -> usize {
    let longest = secrets.iter().map(|secret| secret.expose().len()).max().unwrap_or(0);
    SHOWN.saturating_add(longest)
}

/// The first 512 bytes as text. An echo of one of `secrets` becomes `***`.
pub(super) fn excerpt(start: &[u8], secrets: &[Secret]) -> String {
    let mut rest = start;
    let mut shown = Vec::with_capacity(SHOWN);
    while let Some((first, after)) = rest.split_first()
        && start.len() - rest.len() < SHOWN
    {
        match longest_prefix(rest, secrets) {
            Some(after) => {
                shown.extend_from_slice(b"***");
                rest = after;
            }
            None => {
                shown.push(*first);
                rest = after;
            }
        }
    }
    one_line(String::from_utf8_lossy(&shown).trim())
}

/// Text without characters that would move a terminal's cursor or turn the direction of writing.
pub(super) fn one_line(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\n' | '\r' | '\t' => ' ',
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' => '\u{fffd}',
            control if control.is_control() => '\u{fffd}',
            other => other,
        })
        .collect()
}

/// What follows the longest secret that `bytes` begins with.
fn longest_prefix<'b>(bytes: &'b [u8], secrets: &[Secret]) -> Option<&'b [u8]> {
    secrets
        .iter()
        .filter(|secret| !secret.is_empty())
        .filter_map(|secret| bytes.strip_prefix(secret.expose().as_bytes()))
        .min_by_key(|after| after.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Vec<Secret> {
        ["hunter2", "hunter2000"].map(|secret| Secret::new(secret.into())).to_vec()
    }

    #[test]
    fn an_echoed_secret_is_masked_to_its_end() {
        assert_eq!(excerpt(b"token hunter2000 and hunter2!", &secrets()), "token *** and ***!");
    }

    #[test]
    fn a_secret_across_the_end_of_what_is_shown_is_masked() {
        let body = format!("{}hunter2000 more", "x".repeat(SHOWN - 3));
        let kept = &body.as_bytes()[..needed(&secrets()).min(body.len())];
        assert_eq!(excerpt(kept, &secrets()), format!("{}***", "x".repeat(SHOWN - 3)));
    }

    #[test]
    fn a_response_full_of_secrets_shows_nothing_that_lies_behind_the_limit() {
        let body = "hunter2000".repeat(200);
        let kept = &body.as_bytes()[..needed(&secrets())];
        let shown = excerpt(kept, &secrets());
        assert!(shown.chars().all(|character| character == '*'), "{shown}");
    }

    #[test]
    fn control_characters_and_broken_text_are_replaced() {
        let shown = excerpt(b"\x1b[31mred\r\nnext\xff", &secrets());
        assert_eq!(shown, "\u{fffd}[31mred  next\u{fffd}");
        assert_eq!(one_line("a\u{202e}b"), "a\u{fffd}b");
    }
}
