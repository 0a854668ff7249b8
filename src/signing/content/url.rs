//! `{url}`: the address that the provider was given, as it signs it.

use percent_encoding::percent_decode_str;

use crate::config::file::{self, Ports};
use crate::signing::Message;

/// How the URL of a request is written, in each of the ways that are tried.
#[derive(Debug)]
pub(super) struct UrlText {
    /// What stands before the path, each once.
    bases: Vec<Box<str>>,
    /// These stand for themselves where they are percent-encoded.
    decoded: Box<str>,
}

// === impl UrlText ===

impl UrlText {
    /// `base` is the address that the provider was given, up to the path.
    pub(super) fn new(base: &str, rule: Option<&file::UrlRule>) -> Self {
        let base = base.trim_end_matches('/');
        let mut bases = vec![base.into()];
        if rule.is_some_and(|rule| rule.ports == Ports::Any) {
            bases.extend(other_ports(base));
        }
        Self { bases, decoded: rule.map(|rule| rule.decode.as_str()).unwrap_or_default().into() }
    }

    /// In how many ways it is written.
    pub(super) fn variants(&self) -> usize {
        self.bases.len()
    }

    /// The URL of a request in one of its ways.
    pub(super) fn write(&self, message: &Message<'_>, variant: usize) -> Option<String> {
        let base = self.bases.get(variant)?;
        let query = message.scope.query;
        let mark = if query.is_empty() { "" } else { "?" };
        let url = format!("{base}{}{mark}{query}", message.path);
        Some(if self.decoded.is_empty() { url } else { self.decode(&url) })
    }

    fn decode(&self, url: &str) -> String {
        let mut text = String::with_capacity(url.len());
        let mut rest = url;
        while let Some((before, from)) = rest.find('%').and_then(|at| rest.split_at_checked(at)) {
            text.push_str(before);
            let code = from.get(..3).unwrap_or(from);
            match percent_decode_str(code).decode_utf8() {
                Ok(plain) if code.len() == 3 && self.decoded.contains(&*plain) => text.push_str(&plain),
                _ => text.push_str(code),
            }
            rest = from.get(code.len()..).unwrap_or_default();
        }
        text.push_str(rest);
        text
    }
}

/// The same address without its port, and with the one that its scheme has where none is said.
fn other_ports(base: &str) -> Vec<Box<str>> {
    let Ok(url) = url::Url::parse(base) else { return Vec::new() };
    let Some((scheme, rest)) = base.split_once("://") else { return Vec::new() };
    let (authority, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
    let port =
        authority.rsplit_once(':').filter(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
    match (port, url.port_or_known_default()) {
        (Some((host, _)), _) => vec![format!("{scheme}://{host}{path}").into()],
        (None, Some(port)) => vec![format!("{scheme}://{authority}:{port}{path}").into()],
        (None, None) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_left_out_or_said() {
        for (base, other) in [
            ("https://a.example", "https://a.example:443"),
            ("http://a.example/x", "http://a.example:80/x"),
            ("https://a.example:8443/x", "https://a.example/x"),
            ("https://[::1]", "https://[::1]:443"),
            ("https://[::1]:8443", "https://[::1]"),
        ] {
            let rule = file::UrlRule { ports: Ports::Any, decode: String::new() };
            let url = UrlText::new(base, Some(&rule));
            assert_eq!(url.bases, [base.into(), other.into()] as [Box<str>; 2]);
        }
    }

    #[test]
    fn what_is_signed_decoded_is_decoded_and_nothing_else() {
        let rule = file::UrlRule { ports: Ports::Exact, decode: ":/@".to_owned() };
        let url = UrlText::new("https://a.example", Some(&rule));
        assert_eq!(url.decode("/a%3Ab%2fc%40%20%3F%zz%3"), "/a:b/c@%20%3F%zz%3");
        assert_eq!(url.decode("/plain"), "/plain");
        assert_eq!(url.decode("%é%3A"), "%é:");
    }
}
