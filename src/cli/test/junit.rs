//! JUnit XML, which continuous integration reads.

use std::fmt::Write;

use super::{Ran, details};

/// The results as a document.
pub(super) fn xml(all: &[Ran]) -> String {
    let total: usize = all.iter().map(|ran| ran.results.len()).sum();
    let failed: usize = all.iter().map(Ran::failed).sum();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Nothing keeps a string from growing.
    let _ = writeln!(text, "<testsuites name=\"hookswitch\" tests=\"{total}\" failures=\"{failed}\">");
    for ran in all {
        let name = escaped(&ran.name);
        let (tests, failures) = (ran.results.len(), ran.failed());
        let _ = writeln!(text, "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">");
        for result in &ran.results {
            let _ = write!(
                text,
                "    <testcase classname=\"{name}\" name=\"{}\" file=\"{name}\" line=\"{}\"",
                escaped(&result.name),
                result.line
            );
            let Some(first) = result.outcome.differences.first() else {
                text.push_str("/>\n");
                continue;
            };
            let message = format!("{}: expected {}, got {}", first.path, first.expected, first.got);
            let _ = writeln!(text, ">\n      <failure message=\"{}\">", escaped(&message));
            for line in details(&result.outcome) {
                let _ = writeln!(text, "{}", escaped(&line));
            }
            text.push_str("      </failure>\n    </testcase>\n");
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

/// Text as a document may have it, in an element or in quotes. What XML has no way to write (XML 1.0, section 2.2) is
/// U+FFFD.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            // As they are, a reader would make spaces of them in an attribute.
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' => escaped.push_str("&#9;"),
            control if control < ' ' => escaped.push('\u{fffd}'),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Tested;
    use super::*;
    use crate::rehearsal::Difference;
    use crate::rehearsal::suite::Outcome;

    fn ran(name: &str, got: &str) -> Vec<Ran> {
        let difference = Difference { path: "status".into(), expected: "202".into(), got: got.into() };
        let failed = Outcome { differences: vec![difference], note: None };
        let results = [Outcome::default(), failed].map(|outcome| Tested { name: name.to_owned(), line: 7, outcome });
        vec![Ran { name: "routes.yaml".into(), results: results.into() }]
    }

    #[test]
    fn what_failed_is_told_with_how() {
        let xml = xml(&ran("a < b & \"c\"", "401"));
        assert!(xml.contains("<testsuites name=\"hookswitch\" tests=\"2\" failures=\"1\">"), "{xml}");
        assert!(xml.contains("name=\"a &lt; b &amp; &quot;c&quot;\" file=\"routes.yaml\" line=\"7\"/>"), "{xml}");
        assert!(xml.contains("<failure message=\"status: expected 202, got 401\">"), "{xml}");
    }

    proptest! {
        #[test]
        fn whatever_a_test_says_is_well_formed(name in any::<String>(), got in any::<String>()) {
            let xml = xml(&ran(&name, &got));
            let is_character = |c: char| matches!(c, '\n' | ' '..) && !matches!(c, '\u{fffe}' | '\u{ffff}');
            prop_assert!(xml.chars().all(is_character));
            // Outside of tags and attributes there is no `<`, and each `&` begins one of the entities.
            prop_assert_eq!(xml.matches('<').count(), xml.matches('>').count());
            prop_assert_eq!(xml.matches("<testcase").count(), 2);
            for after in xml.split('&').skip(1) {
                let entity = after.split(';').next().unwrap();
                prop_assert!(["amp", "lt", "gt", "quot", "apos", "#10", "#13", "#9"].contains(&entity), "{}", entity);
            }
        }
    }
}
