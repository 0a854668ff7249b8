//! The header fields of a destination: its own, and who we say we are.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::config::{At, Named, Place, Problem, Problems, file};
use crate::expr::{Escape, Needs, RenderError, Text, view};
use crate::model::{Event, Secret};

/// The header fields of a destination.
pub(super) struct Fields {
    templates: Vec<Template>,
    /// What the templates look at.
    needs: Needs,
    credential: Option<(HeaderName, HeaderValue)>,
    secrets: Vec<Secret>,
    /// Whether an access token comes beside them.
    authorized: bool,
}

/// A field whose value is made of the event.
#[derive(Debug)]
struct Template {
    name: HeaderName,
    text: Text,
    is_secret: bool,
}

/// The name of the field that makes a repeated attempt harmless
/// (draft-ietf-httpapi-idempotency-key-header).
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Which attempt this is: the first is 1.
pub(super) const ATTEMPT: HeaderName = HeaderName::from_static("hookswitch-attempt");

// === impl Fields ===

impl Fields {
    /// Compiles `headers:` and `auth:`.
    pub(super) fn compile(
        headers: &Named<At<String>>,
        auth: Option<&At<file::DestinationAuth>>,
        problems: &mut Problems,
    ) -> Self {
        let mut fields = Self {
            templates: Vec::new(),
            needs: Needs::nothing(),
            credential: None,
            secrets: Vec::new(),
            authorized: false,
        };
        let mut seen = HashSet::new();
        for (name, value) in headers.iter() {
            let Some(name_of) = field_name(name, problems) else { continue };
            if !seen.insert(name_of.clone()) {
                problems.push(Problem::error(name.place, format!("the header `{name_of}` stands here twice")));
            }
            fields.add_template(name_of, value, problems);
        }
        if let Some(auth) = auth {
            fields.set_credential(auth, problems);
        }
        let name = match &fields.credential {
            Some((name, _)) => Some(name),
            None => fields.authorized.then_some(&header::AUTHORIZATION),
        };
        if let (Some(name), Some(auth)) = (name, auth)
            && seen.contains(name)
        {
            problems.push(Problem::error(auth.place, format!("`auth` sets `{name}`, and so does `headers`")));
        }
        fields
    }

    /// What they look at in an event's document.
    pub(super) const fn needs(&self) -> &Needs {
        &self.needs
    }

    /// Adds the fields of a request for an event. The outer error is the event's lack, the inner one names a field
    /// whose value may not be sent.
    pub(super) fn render(&self, event: &Event, headers: &mut HeaderMap) -> Result<Result<(), HeaderName>, RenderError> {
        let document = view(event, &self.needs);
        for Template { name, text, is_secret } in &self.templates {
            let value = text.render(&document, &document, Escape::None)?;
            let Ok(mut value) = HeaderValue::try_from(value) else { return Ok(Err(name.clone())) };
            value.set_sensitive(*is_secret);
            headers.insert(name, value);
        }
        if let Some((name, value)) = &self.credential {
            headers.insert(name, value.clone());
        }
        Ok(Ok(()))
    }

    /// Whether a field of this name is among them. `Authorization` is, where an access token comes into it.
    pub(super) fn sets(&self, name: &HeaderName) -> bool {
        self.names().any(|own| own == name) || (self.authorized && *name == header::AUTHORIZATION)
    }

    /// The names of all fields, for `Debug`.
    pub(super) fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.templates.iter().map(|template| &template.name).chain(self.credential.iter().map(|(name, _)| name))
    }

    /// What must not come back in the detail of an attempt.
    pub(super) fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    fn add_template(&mut self, name: HeaderName, at: &At<String>, problems: &mut Problems) {
        let text = match Text::parse(&at.value) {
            Ok(text) => text,
            // The error quotes the text.
            Err(_) if may_hold_a_secret(&name) => {
                let problem = Problem::error(at.place, "the value has a brace in it that holds no path");
                problems.push(problem.expected("`{{` and `}}` for literal braces"));
                return;
            }
            Err(error) => {
                problems.push(Problem { expected: error.expected, ..Problem::error(at.place, error.message) });
                return;
            }
        };
        if let Some(literal) = text.as_literal() {
            if HeaderValue::from_bytes(literal.as_bytes()).is_err() {
                problems.push(unsendable(at.place));
            }
            if may_hold_a_secret(&name) && !literal.is_empty() {
                self.secrets.push(Secret::new(literal.to_owned()));
            }
        }
        text.add_needs(&mut self.needs);
        self.templates.push(Template { is_secret: may_hold_a_secret(&name), name, text });
    }

    fn set_credential(&mut self, auth: &At<file::DestinationAuth>, problems: &mut Problems) {
        let place = auth.place;
        match &auth.value {
            file::DestinationAuth::Bearer(token) => {
                self.keep(token, token.place, problems);
                self.set_value(header::AUTHORIZATION, &format!("Bearer {}", token.expose()), token.place, problems);
            }
            file::DestinationAuth::Basic { username, password } => {
                if username.contains(':') {
                    problems.push(Problem::error(place, "a user name cannot have a colon in it (RFC 7617, section 2)"));
                }
                self.keep(password, place, problems);
                let pair = Secret::new(BASE64.encode(format!("{username}:{}", password.expose())));
                self.set_value(header::AUTHORIZATION, &format!("Basic {}", pair.expose()), place, problems);
                self.secrets.push(pair);
            }
            file::DestinationAuth::Header { name, value } => {
                self.keep(value, place, problems);
                if let Some(name) = field_name(name, problems) {
                    self.set_value(name, value.expose(), place, problems);
                }
            }
            // Its token is another each time.
            file::DestinationAuth::Oauth2(_) => self.authorized = true,
        }
    }

    fn keep(&mut self, secret: &Secret, place: Place, problems: &mut Problems) {
        if secret.is_empty() {
            problems.push(Problem::error(place, "the secret is empty"));
        } else {
            self.secrets.push(secret.clone());
        }
    }

    fn set_value(&mut self, name: HeaderName, value: &str, place: Place, problems: &mut Problems) {
        match HeaderValue::from_bytes(value.as_bytes()) {
            Ok(mut value) => {
                value.set_sensitive(true);
                self.credential = Some((name, value));
            }
            Err(_) => problems.push(unsendable(place)),
        }
    }
}

fn unsendable(place: Place) -> Problem {
    Problem::error(place, "the value has a line break or another control character in it")
        .expected("printable characters (RFC 9110, section 5.5)")
}

/// The name of a field that the configuration may set. `None` and a problem where it is none.
pub(super) fn field_name(at: &At<String>, problems: &mut Problems) -> Option<HeaderName> {
    let Ok(name) = HeaderName::try_from(at.value.as_str()) else {
        let problem = Problem::error(at.place, "this is not the name of a header");
        problems.push(problem.expected("letters, digits and hyphens, such as X-Api-Key"));
        return None;
    };
    if let Some(why) = reserved(&name) {
        problems.push(Problem::error(at.place, format!("the header `{name}` cannot be set here: {why}")));
        return None;
    }
    Some(name)
}

/// Why a field is not the configuration's to set.
fn reserved(name: &HeaderName) -> Option<&'static str> {
    match name.as_str() {
        "idempotency-key" => Some("it is the delivery's id, the same on each attempt"),
        "hookswitch-attempt" => Some("it counts the attempts"),
        "host" => Some("it follows from the url"),
        "content-length" | "transfer-encoding" | "trailer" => Some("it follows from the body"),
        // RFC 9110, section 7.6.1, and what HTTP/2 refuses (RFC 9113, section 8.2.2).
        "connection" | "keep-alive" | "proxy-connection" | "te" | "upgrade" => Some("it is between two hops"),
        "proxy-authenticate" | "proxy-authorization" => Some("it is for a proxy"),
        "expect" => Some("a body is never held back"),
        _ => None,
    }
}

/// Whether a field probably carries a credential. It is then marked as sensitive: printed nowhere, and left out of
/// the header compression's table (RFC 7541, section 7.1.3).
fn may_hold_a_secret(name: &HeaderName) -> bool {
    is_named_like_a_secret(name.as_str())
}

/// Whether what has this name, in lower case, probably is a credential.
pub(super) fn is_named_like_a_secret(name: &str) -> bool {
    const SIGNS: [&str; 7] = ["auth", "cookie", "key", "password", "secret", "signature", "token"];
    SIGNS.iter().any(|sign| name.contains(sign))
}
