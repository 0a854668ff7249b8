//! What each route of a text is made of, as digests: where they are the same in two texts, both do the same with a request.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest as _, Sha256};

use super::tree::{Content, Form, Node};
use crate::model::NamedSecret;

/// What each route of a text is made of, by its name.
#[derive(Debug, Default)]
pub struct Parts(HashMap<String, RouteParts>);

/// What a route is made of, with everything elsewhere in the text that has a say in what becomes of its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteParts {
    /// All of it: itself, its provider, its destinations, and what holds for every route.
    pub whole: Digest,
    /// Its scheme, without the secrets.
    pub auth: Digest,
    /// Its secrets, by their names.
    pub secrets: BTreeMap<String, Digest>,
    /// Its provider's name, where that is not one of the text's own.
    pub builtin: Option<String>,
    /// Whether it, or a provider of the text's own, says what is to be masked.
    pub masks: bool,
}

type Digest = [u8; 32];

/// What a digest is made from.
#[derive(Default)]
struct Writer(Sha256);

// === impl Parts ===

impl Parts {
    /// Of a tree whose `${...}` are filled in.
    pub(super) fn of(root: &Node) -> Self {
        let routes = at(root, &["routes"]).map(items).unwrap_or_default();
        let named = routes.iter().filter_map(|route| {
            let name = at(route, &["name"])?.text();
            Some((name.to_owned(), RouteParts::of(root, route)))
        });
        Self(named.collect())
    }

    /// Those of a route.
    #[must_use]
    pub fn route(&self, name: &str) -> Option<&RouteParts> {
        self.0.get(name)
    }
}

// === impl RouteParts ===

impl RouteParts {
    fn of(root: &Node, route: &Node) -> Self {
        let named = at(route, &["provider"]).map(Node::text);
        let own = named.and_then(|name| at(root, &["providers", name]));
        let builtin = named.filter(|_| own.is_none()).map(str::to_owned);
        let provider = |path: &[&str]| own.and_then(|own| at(own, path));
        let mut whole = Writer::default();
        whole.node(route).maybe(own).maybe(at(root, &["public_url"])).maybe(at(root, &["limits", "max_body"]));
        for entry in at(route, &["deliver"]).map(items).unwrap_or_default() {
            whole.maybe(at(entry, &["to"]).and_then(|to| at(root, &["destinations", to.text()])));
        }
        let mut auth = Writer::default();
        auth.maybe(at(route, &["auth"])).maybe(provider(&["auth"])).maybe(provider(&["event", "id"]));
        auth.maybe(at(root, &["public_url"])).text(builtin.as_deref().unwrap_or_default());
        let masks = [at(route, &["mask"]), provider(&["mask"])];
        Self {
            whole: whole.end(),
            auth: auth.end(),
            secrets: secrets(route),
            masks: masks.into_iter().flatten().any(says_something),
            builtin,
        }
    }
}

fn secrets(route: &Node) -> BTreeMap<String, Digest> {
    let one = at(route, &["secret"]).map(|secret| (NamedSecret::DEFAULT_NAME, secret));
    let several = match at(route, &["secrets"]).map(|secrets| &secrets.content) {
        Some(Content::Mapping(entries)) => {
            entries.iter().map(|entry| (entry.key.text(), &entry.value)).collect::<Vec<_>>()
        }
        _ => Vec::new(),
    };
    let all = one.into_iter().chain(several);
    // By the text alone: a secret is the same wherever it comes from.
    all.map(|(name, secret)| (name.to_owned(), Sha256::digest(secret.text()).into())).collect()
}

/// What stands below the keys of a path.
fn at<'n>(node: &'n Node, path: &[&str]) -> Option<&'n Node> {
    path.iter().try_fold(node, |node, key| match &node.content {
        Content::Mapping(entries) => entries.iter().find(|entry| entry.key.text() == *key).map(|entry| &entry.value),
        Content::Scalar(_) | Content::Sequence(_) => None,
    })
}

fn says_something(node: &Node) -> bool {
    match &node.content {
        Content::Sequence(items) => !items.is_empty(),
        Content::Mapping(entries) => !entries.is_empty(),
        Content::Scalar(_) => !node.is_null(),
    }
}

fn items(node: &Node) -> &[Node] {
    match &node.content {
        Content::Sequence(items) => items,
        Content::Scalar(_) | Content::Mapping(_) => &[],
    }
}

// === impl Writer ===

impl Writer {
    /// Each part by its kind and its length, so that no two trees are written the same.
    fn node(&mut self, node: &Node) -> &mut Self {
        match &node.content {
            Content::Scalar(scalar) => {
                self.0.update(match scalar.form {
                    Form::Plain => b"p",
                    Form::Quoted => b"q",
                    Form::Interpolated => b"i",
                });
                self.text(&scalar.text)
            }
            Content::Sequence(items) => {
                self.open(b"l", items.len());
                items.iter().fold(self, |writer, item| writer.node(item))
            }
            Content::Mapping(entries) => {
                // In their order: that of a template is the order in which it is written out.
                self.open(b"m", entries.len());
                entries.iter().fold(self, |writer, entry| writer.node(&entry.key).node(&entry.value))
            }
        }
    }

    fn maybe(&mut self, node: Option<&Node>) -> &mut Self {
        match node {
            Some(node) => self.node(node),
            None => self.open(b"-", 0),
        }
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.open(b"t", text.len());
        self.0.update(text);
        self
    }

    fn open(&mut self, kind: &[u8], length: usize) -> &mut Self {
        self.0.update(kind);
        self.0.update(length.to_le_bytes());
        self
    }

    fn end(self) -> Digest {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::load::{self, FixedSurroundings};

    const TEXT: &str = "
public_url: https://hooks.test
limits: { max_body: 1MiB }
providers: { p: { auth: { token: { from: 'header:X-T' } }, event: { type: $.type, id: $.id } } }
destinations: { d: { url: 'http://d' }, e: { url: 'http://e' } }
routes:
  - { name: r, path: /r, provider: p, secret: '${A}', deliver: [{ to: d, transform: { a: $.data.a, b: 1 } }] }
  - { name: s, path: /s, provider: stripe, secrets: { new: '${A}', old: b }, deliver: [{ to: e }] }
";

    fn parts(text: &str) -> Parts {
        let surroundings = FixedSurroundings::new().with_variable("A", "hunter2").with_variable("B", "hunter3");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("routes.yaml");
        std::fs::write(&path, text).unwrap();
        let (loaded, parts) = load::load_with_parts(Path::new(&path), &surroundings);
        assert!(!loaded.problems.any_error(), "{text}");
        parts
    }

    #[test]
    fn whatever_has_a_say_in_a_routes_requests_is_in_its_parts() {
        let before = parts(TEXT);
        let differs = |from: &str, to: &str| {
            let changed = TEXT.replace(from, to);
            assert_ne!(changed, TEXT, "{from}");
            let after = parts(&changed);
            ["r", "s"].map(|route| before.route(route).unwrap().whole != after.route(route).unwrap().whole)
        };
        for (from, to, expected) in [
            ("hooks.test", "hooks.example", [true, true]),
            ("max_body: 1MiB", "max_body: 2MiB", [true, true]),
            ("header:X-T", "header:X-U", [true, false]),
            ("type: $.type", "type: $.kind", [true, false]),
            ("http://d'", "http://d/x'", [true, false]),
            ("http://e'", "http://e/x'", [false, true]),
            ("path: /r", "path: /r/r", [true, false]),
            ("'${A}', deliver", "'${B}', deliver", [true, false]),
            ("a: $.data.a, b: 1", "b: 1, a: $.data.a", [true, false]),
            ("b: 1", "b: '1'", [true, false]),
            ("provider: stripe", "provider: github", [false, true]),
            ("old: b", "old: c", [false, true]),
            ("e: { url", "f: { url: 'http://f' }, e: { url", [false, false]),
        ] {
            assert_eq!(differs(from, to), expected, "{from} -> {to}");
        }
    }

    #[test]
    fn a_scheme_and_its_secrets_are_told_apart() {
        let (before, after) = (parts(TEXT), parts(&TEXT.replace("new: '${A}'", "new: '${B}'")));
        let (before, after) = (before.route("s").unwrap(), after.route("s").unwrap());
        assert_eq!((before.auth, before.builtin.as_deref()), (after.auth, Some("stripe")));
        assert_ne!(before.secrets["new"], after.secrets["new"]);
        assert_eq!(before.secrets["old"], after.secrets["old"]);
        let literal = parts(&TEXT.replace("'${A}', deliver", "hunter2, deliver"));
        assert_eq!(literal.route("r").unwrap().secrets, parts(TEXT).route("r").unwrap().secrets);
        let scheme = parts(&TEXT.replace("header:X-T", "header:X-U"));
        assert_ne!(scheme.route("r").unwrap().auth, parts(TEXT).route("r").unwrap().auth);
    }

    #[test]
    fn what_masks_says_so() {
        assert!(!parts(TEXT).route("r").unwrap().masks);
        let masked = parts(&TEXT.replace("id: $.id } }", "id: $.id }, mask: [$.data.a] }"));
        assert!(masked.route("r").unwrap().masks && !masked.route("s").unwrap().masks);
    }
}
