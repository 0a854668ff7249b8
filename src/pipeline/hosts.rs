//! The hosts that are asked for keys, and no others.

use url::{Host, Url};

use crate::config::{At, Problem, Problems};

/// Hosts by their names, in which `*` is any run of characters without a dot.
#[derive(Debug, Clone)]
pub struct Hosts(Vec<Box<str>>);

// === impl Hosts ===

impl Hosts {
    /// Compiles names. `None` and a problem where one is none, or there are none.
    pub fn compile(names: &At<Vec<At<String>>>, problems: &mut Problems) -> Option<Self> {
        let mut sound = true;
        if names.is_empty() {
            sound = false;
            problems
                .push(Problem::error(names.place, "no host is named, so nothing can be fetched").expected("a host"));
        }
        for name in names.iter().filter(|name| !is_pinned(name)) {
            sound = false;
            problems.push(
                Problem::error(name.place, format!("`{}` is no host that is known by its name", name.value))
                    .expected("such as `api.example.com`, or `keys.*.example.com`; the last two labels have no `*`"),
            );
        }
        sound.then(|| Self(names.iter().map(|name| name.to_ascii_lowercase().into()).collect()))
    }

    /// Those of a scheme that knows them.
    pub(super) fn known(names: &[&str]) -> Self {
        Self(names.iter().map(|name| (*name).into()).collect())
    }

    /// The address, where it may be asked: `https` on its own port, on one of the hosts, without a user.
    #[must_use]
    pub fn admit(&self, address: &str) -> Option<Url> {
        let url = Url::parse(address).ok()?;
        let Some(Host::Domain(host)) = url.host() else { return None };
        let plain = url.scheme() == "https" && url.port().is_none() && url.username().is_empty();
        let admitted = plain && url.password().is_none() && self.0.iter().any(|pattern| is_like(host, pattern));
        admitted.then_some(url)
    }
}

/// A name whose last two labels say whose it is.
fn is_pinned(name: &str) -> bool {
    let labels: Vec<&str> = name.split('.').collect();
    let sound = |label: &&str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'*'))
    };
    labels.len() >= 2 && labels.iter().all(sound) && labels.iter().rev().take(2).all(|label| !label.contains('*'))
}

fn is_like(host: &str, pattern: &str) -> bool {
    let (mut labels, mut patterns) = (host.split('.'), pattern.split('.'));
    loop {
        match (labels.next(), patterns.next()) {
            (None, None) => return true,
            (Some(label), Some(pattern)) if label_is_like(label, pattern) => {}
            _ => return false,
        }
    }
}

fn label_is_like(label: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => label == pattern,
        Some((before, after)) => label.strip_prefix(before).is_some_and(|rest| {
            let most = rest.len();
            (0..=most).any(|at| rest.get(at..).is_some_and(|rest| label_is_like(rest, after)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_hosts_are_asked_and_only_over_tls() {
        let hosts = Hosts::known(&["api.paypal.com", "sns.*.amazonaws.com"]);
        for address in [
            "https://api.paypal.com/v1/cert.pem",
            "https://API.paypal.com/x?y=z",
            "https://api.paypal.com:443/x",
            "https://sns.us-east-1.amazonaws.com/SimpleNotificationService.pem",
        ] {
            assert!(hosts.admit(address).is_some(), "{address}");
        }
        for address in [
            "http://api.paypal.com/x",
            "https://api.paypal.com.evil.example/x",
            "https://evil.example/api.paypal.com",
            "https://evil.example#api.paypal.com",
            "https://api.paypal.com@evil.example/x",
            "https://user:password@api.paypal.com/x",
            "https://api.paypal.com:8443/x",
            "https://sns.a.b.amazonaws.com/x",
            "https://sns.amazonaws.com/x",
            "https://sns.x.amazonaws.com.evil.example/",
            "https://127.0.0.1/x",
            "https://[::1]/x",
            "api.paypal.com",
            "",
        ] {
            assert!(hosts.admit(address).is_none(), "{address}");
        }
    }

    #[test]
    fn a_host_that_anybody_may_have_is_none() {
        let compile = |name: &str| {
            Hosts::compile(&At::nowhere(vec![At::nowhere(name.to_owned())]), &mut Problems::new()).is_some()
        };
        assert!(compile("a.example.com") && compile("*.example.com") && compile("sns-*.x.example.com"));
        for name in ["*", "*.com", "a.*", "localhost", "", "a..com", "https://a.example.com", "a.example.com/x"] {
            assert!(!compile(name), "{name}");
        }
        assert!(Hosts::compile(&At::nowhere(Vec::new()), &mut Problems::new()).is_none());
    }
}
