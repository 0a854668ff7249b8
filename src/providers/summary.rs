//! What a person looks for in a list of providers: how each says who it is, and what it needs to be told.

use std::collections::BTreeSet;

use serde_json::Value;

/// A provider in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its scheme, the key under `auth`.
    pub scheme: String,
    /// What a route with it needs: `secret`; `secret:ROLE`, one of that name under `secrets`; `public_url`, at the top of the
    /// file; `path:NAME`, a parameter of the route's path.
    pub needs: Vec<String>,
}

/// Sums up a provider's file. Any text of it but `about` is looked into, so that a new scheme needs nothing here.
#[must_use]
pub fn summary(source: &str) -> Option<Summary> {
    let mut provider: Value = serde_yaml::from_str(source).ok()?;
    provider.as_object_mut()?.remove("about");
    let scheme = match provider.get("auth")? {
        Value::String(word) => word.clone(),
        schemes => schemes.as_object()?.keys().next()?.clone(),
    };
    let mut texts = Vec::new();
    collect(&provider, &mut texts);
    let mut needs = Vec::new();
    let fetched = provider.pointer("/auth/jwt/keys");
    needs.extend((scheme != "none" && fetched.is_none()).then(|| "secret".to_owned()));
    let roles = provider.get("handshake").and_then(Value::as_array).into_iter().flatten().flat_map(roles);
    let account = fetched.filter(|keys| keys.get("plaid").is_some()).map(|_| ["client_id", "secret"]);
    let roles: BTreeSet<&str> = roles.chain(account.into_iter().flatten()).collect();
    needs.extend(roles.into_iter().map(|role| format!("secret:{role}")));
    needs.extend(texts.iter().any(|text| text.contains("{url}")).then(|| "public_url".to_owned()));
    let parameters: BTreeSet<&str> = texts.iter().flat_map(|text| parameters(text)).collect();
    needs.extend(parameters.into_iter().map(|name| format!("path:{name}")));
    Some(Summary { scheme, needs })
}

/// Every key and text below a value.
fn collect<'v>(value: &'v Value, texts: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(entries) => {
            for (key, value) in entries {
                texts.push(key);
                collect(value, texts);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The secrets that a handshake asks for by their names.
fn roles(handshake: &Value) -> impl Iterator<Item = &str> {
    let expected = handshake.get("match").and_then(Value::as_object).into_iter().flat_map(|expected| expected.values());
    expected.filter_map(|expected| expected.get("secret")?.as_str())
}

/// The parameters of a path that a selector reads, or text with selectors in braces.
fn parameters(text: &str) -> impl Iterator<Item = &str> {
    let in_braces = text.split("{path:").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    text.strip_prefix("path:").into_iter().chain(in_braces).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(source: &str) -> (String, Vec<String>) {
        let summary = summary(source).unwrap();
        (summary.scheme, summary.needs)
    }

    #[test]
    fn what_a_provider_needs_is_what_its_description_reads() {
        let hmac = "auth: { hmac: { hash: sha1, signature: { from: \"header:X\" }, content: '{url}{body}' } }\n";
        assert_eq!(needs(hmac), ("hmac".into(), vec!["secret".into(), "public_url".into()]));
        let paths = "auth: { token: { from: 'path:token' } }\nevent: { type: '{path:kind}.{path:sub}', id: 'xpath:no' }\n\
                     handshake: [{ match: { 'path:hook': a }, reply: {} }]\nabout: { title: 'path:none {url}' }\n";
        let expected = ["secret", "path:hook", "path:kind", "path:sub", "path:token"].map(str::to_owned);
        assert_eq!(needs(paths), ("token".into(), expected.to_vec()));
        assert_eq!(needs("auth: none\n"), ("none".into(), Vec::new()));
        let role = "auth: { token: { from: 'header:X' } }\nhandshake: [{ match: { 'query:t': { secret: verify_token } }, reply: {} }]\n";
        assert_eq!(needs(role).1, ["secret", "secret:verify_token"]);
        let plaid = "auth: { jwt: { algorithms: [ES256], keys: { plaid: { host: production.plaid.com } } } }\n";
        assert_eq!(needs(plaid).1, ["secret:client_id", "secret:secret"]);
        assert_eq!(summary("auth: []\n"), None);
    }

    #[test]
    fn every_built_in_provider_has_one() {
        for name in crate::providers::names() {
            assert!(summary(crate::providers::source(name).unwrap()).is_some(), "{name}");
        }
    }
}
