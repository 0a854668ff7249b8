//! What stands before a credential or a signature.

use super::Rejection;
use crate::expr::Selector;

/// Whether `prefix` is the name of an authentication scheme in `Authorization`, which is compared without
/// regard to case (RFC 9110, section 11.1).
pub(super) fn is_scheme_name(selector: &Selector, prefix: &str) -> bool {
    selector.header_name() == Some("authorization") && prefix.ends_with(' ')
}

/// `text` without the `prefix` that has to stand before it.
pub(super) fn strip<'t>(text: &'t str, prefix: &str, any_case: bool) -> Result<&'t str, Rejection> {
    let (head, tail) = text.split_at_checked(prefix.len()).ok_or(Rejection::Malformed)?;
    let same = if any_case { head.eq_ignore_ascii_case(prefix) } else { head == prefix };
    if same && !tail.is_empty() { Ok(tail) } else { Err(Rejection::Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_has_to_be_there_and_something_after_it() {
        assert_eq!(strip("sha256=ab", "sha256=", false), Ok("ab"));
        for text in ["", "ab", "sha256=", "SHA256=ab", "sha25", "é"] {
            assert_eq!(strip(text, "sha256=", false), Err(Rejection::Malformed), "{text}");
        }
    }

    #[test]
    fn the_name_of_an_authentication_scheme_has_no_case() {
        assert_eq!(strip("bEARER ab", "Bearer ", true), Ok("ab"));
        assert_eq!(strip("Bearer\tab", "Bearer ", true), Err(Rejection::Malformed));
    }
}
