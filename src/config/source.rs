//! The text of a configuration, as far as it may be shown.

use std::fmt;
use std::ops::Range;

use sha2::{Digest, Sha256};

use super::secrets::names_secret;

/// The text of a file, its name, and which parts of it are secrets that no message shows.
#[derive(Clone)]
pub struct Source {
    name: String,
    text: String,
    secrets: Vec<Range<usize>>,
    knowledge: Knowledge,
}

/// What is known of the secrets in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Knowledge {
    /// Where each of them is.
    Whole,
    /// Where some of them are: the text could not be read to its end.
    Partial,
}

/// A line of a source that can be shown: its secrets are masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShownLine {
    /// The line, without its end.
    pub(super) text: String,
    /// The bytes of `text` to mark.
    pub(super) mark: Range<usize>,
}

/// What stands where a secret was.
const MASK: &str = "***";

/// How much of a line is shown to either side of where its mark starts, in bytes.
const REACH: usize = 300;

/// How far from a mark the ends of its line are looked for, in bytes. Where the keys of a line are all that
/// tells a secret, a line this long is one.
const MAX_SEARCHED: usize = 4 << 10;

// === impl Source ===

impl Source {
    /// A text that could not be looked into, or none at all.
    pub(super) fn opaque(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), secrets: Vec::new(), knowledge: Knowledge::Partial }
    }

    pub(super) fn with_secrets(mut self, secrets: Vec<Range<usize>>, knowledge: Knowledge) -> Self {
        self.secrets = secrets;
        self.secrets.sort_by_key(|secret| (secret.start, secret.end));
        self.knowledge = knowledge;
        self
    }

    /// What tells this text from others: the first 16 hex digits of its SHA-256. What is filled in from elsewhere, such as
    /// secrets, is not in it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(&self.text);
        hex::encode(digest.get(..8).unwrap_or_default())
    }

    /// The name of the file, as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The line around the byte `start`, with the bytes up to `end` marked as far as they are on it.
    pub(super) fn line(&self, start: usize, end: usize) -> Option<ShownLine> {
        let near = self.text.floor_char_boundary(start.saturating_sub(MAX_SEARCHED));
        let far = self.text.ceil_char_boundary(start.saturating_add(MAX_SEARCHED).min(self.text.len()));
        let (before, after) = (self.text.get(near..start)?, self.text.get(start..far)?);
        let from = before.rfind(['\n', '\r']).map_or(near, |newline| near + newline + 1);
        let to = start + after.find(['\n', '\r']).unwrap_or(after.len());
        let mark = start..end.clamp(start, to);
        let shown = self.masked(from..to, mark);
        let shown = match self.knowledge {
            Knowledge::Whole => shown,
            Knowledge::Partial => self.masked_by_keys(from, shown),
        };
        Some(shown.around_mark())
    }

    fn masked(&self, line: Range<usize>, mark: Range<usize>) -> ShownLine {
        let (mut text, mut at, mut hidden) = (String::new(), line.start, Vec::new());
        for secret in &self.secrets {
            let part = secret.start.max(at)..secret.end.min(line.end);
            if part.is_empty() {
                continue;
            }
            text.push_str(self.text.get(at..part.start).unwrap_or_default());
            text.push_str(MASK);
            at = part.end;
            hidden.push(part);
        }
        text.push_str(self.text.get(at..line.end).unwrap_or_default());
        // A mark that starts or ends within a secret takes all of the mask.
        let start = shown_at(mark.start, line.start, &hidden, 0);
        let end = shown_at(mark.end, line.start, &hidden, MASK.len());
        ShownLine { mark: start..end.max(start), text }
    }

    /// Masks what the keys of the line, or of the lines that it is indented below, say is a secret.
    fn masked_by_keys(&self, from: usize, line: ShownLine) -> ShownLine {
        let hidden = if self.is_below_secret(from, &line.text) {
            Some(indentation(&line.text))
        } else {
            first_secret(&line.text)
        };
        let Some(hidden) = hidden.filter(|start| *start < line.text.len()) else { return line };
        let text = format!("{}{MASK}", line.text.get(..hidden).unwrap_or_default());
        let start = line.mark.start.min(hidden);
        let end = if line.mark.end > hidden { text.len() } else { line.mark.end };
        ShownLine { mark: start..end.max(start), text }
    }

    fn is_below_secret(&self, from: usize, line: &str) -> bool {
        let mut indent = indentation(line);
        for above in self.text.get(..from).unwrap_or_default().lines().rev() {
            let is_above = !above.trim().is_empty() && indentation(above) < indent;
            if is_above && first_secret(above).is_some() {
                return true;
            }
            if is_above {
                indent = indentation(above);
            }
        }
        false
    }
}

// === impl ShownLine ===

impl ShownLine {
    /// As much of the line as anybody wants to see: it may be as long as the file.
    fn around_mark(self) -> Self {
        let from = self.text.floor_char_boundary(self.mark.start.saturating_sub(REACH));
        let to = self.text.ceil_char_boundary(self.mark.start.saturating_add(REACH).min(self.text.len()));
        let text = self.text.get(from..to).unwrap_or_default().to_owned();
        Self { mark: self.mark.start - from..self.mark.end.min(to) - from, text }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({:?}, {} bytes)", self.name, self.text.len())
    }
}

/// Where the byte `point` of the text is in its shown line, which starts at `line`, when each of `hidden`
/// became a mask. A point within one is `inside` bytes into the mask.
fn shown_at(point: usize, line: usize, hidden: &[Range<usize>], inside: usize) -> usize {
    let mut at = point.saturating_sub(line);
    for part in hidden.iter().filter(|part| part.start < point) {
        let gone = part.end.min(point) - part.start;
        let mask = if part.end <= point { MASK.len() } else { inside };
        at = (at + mask).saturating_sub(gone);
    }
    at
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t', '-']).len()
}

/// Where on the line the value of the first key that names a secret starts, or a URL that may hold one.
fn first_secret(line: &str) -> Option<usize> {
    if line.len() >= MAX_SEARCHED {
        return Some(0);
    }
    let url = line.find("://").map(|scheme| scheme + "://".len());
    let url = url.filter(|start| line.get(*start..).is_some_and(|rest| rest.contains([':', '@'])));
    first_secret_key(line).into_iter().chain(url).min()
}

fn first_secret_key(line: &str) -> Option<usize> {
    line.match_indices(':').find_map(|(colon, _)| {
        let key = line.get(..colon)?;
        let key = key.rsplit([' ', '{', ',', '\t']).find(|part| !part.is_empty())?;
        names_secret(key.trim_matches(['"', '\''])).then_some(colon + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a: 1\nsecret: hunter2 # c\nb: 2\n";

    fn known() -> Source {
        let secret = 13..20;
        Source::opaque("f", TEXT).with_secrets(vec![secret], Knowledge::Whole)
    }

    #[test]
    fn a_secret_is_masked_and_the_mark_moves_with_it() {
        let line = known().line(13, 20).unwrap();
        assert_eq!((line.text.as_str(), &line.text[line.mark]), ("secret: *** # c", "***"));
        let line = known().line(21, 24).unwrap();
        assert_eq!((line.text.as_str(), &line.text[line.mark]), ("secret: *** # c", "# c"));
        let line = known().line(5, 11).unwrap();
        assert_eq!((line.text.as_str(), &line.text[line.mark]), ("secret: *** # c", "secret"));
    }

    #[test]
    fn a_mark_over_several_lines_ends_with_the_first() {
        let line = known().line(25, 1_000).unwrap();
        assert_eq!((line.text.as_str(), &line.text[line.mark]), ("b: 2", "b: 2"));
    }

    #[test]
    fn a_text_that_could_not_be_read_shows_no_value_of_a_secret_key() {
        let shown = |text: &str, at: usize| Source::opaque("f", text).line(at, at).unwrap().text;
        assert_eq!(shown(TEXT, 14), "secret:***");
        assert_eq!(shown(TEXT, 1), "a: 1");
        assert_eq!(shown("secrets:\n  old: hunter2 ]", 22), "  ***");
        assert_eq!(shown("secret: |\n  -----BEGIN\n  abc", 25), "  ***");
        assert_eq!(shown("auth: { bearer: hunter2", 20), "auth:***");
        assert_eq!(shown("url: https://me:hunter2", 20), "url: https://***");
        assert_eq!(shown("url: https://host/path", 20), "url: https://host/path");
    }

    #[test]
    fn of_a_line_as_long_as_a_file_only_the_part_around_the_mark_is_looked_at() {
        let text = format!("[{}]", "é, ".repeat(300_000));
        let source = Source::opaque("f", text).with_secrets(Vec::new(), Knowledge::Whole);
        let line = source.line(400_001, 400_003).unwrap();
        assert!(line.text.len() < 2 * REACH + 10);
        assert_eq!(&line.text[line.mark], "é");
        assert_eq!(Source { knowledge: Knowledge::Partial, ..source }.line(400_001, 400_003).unwrap().text, MASK);
    }

    #[test]
    fn debug_does_not_show_the_text() {
        assert_eq!(format!("{:?}", known()), r#"Source("f", 30 bytes)"#);
    }
}
