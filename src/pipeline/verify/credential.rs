//! Where a request carries a credential that is sent as it is.

use std::borrow::Cow;

use http::HeaderName;
use url::form_urlencoded;

use super::prefix::{is_scheme_name, strip};
use super::{Rejection, SignError, Unsigned};
use crate::config::{At, Problem, Problems};
use crate::expr::Selector;
use crate::pipeline::Received;
use crate::signing::{Message, compile_selector};

/// Stands in the stored query in place of a credential.
const MASK: &str = "***";

/// Where a request carries a credential, and what stands before it.
#[derive(Debug)]
pub(super) struct Credential {
    from: Selector,
    prefix: Box<str>,
    /// The query parameter that it is, if it is one.
    parameter: Option<Box<str>>,
}

// === impl Credential ===

impl Credential {
    /// `default_prefix` is what stands before a credential in `Authorization` where nothing else is said.
    pub(super) fn compile(
        from: &At<String>,
        prefix: Option<&str>,
        default_prefix: &str,
        problems: &mut Problems,
    ) -> Option<Self> {
        let selector = compile_selector(from, problems)?;
        if selector.needs_json() || from.starts_with("form:") {
            problems.push(
                Problem::warning(from.place, "the credential is in the body, which is kept with each event")
                    .expected("a header, if the provider can send one"),
            );
        }
        let prefix = match prefix {
            Some(prefix) => prefix,
            None if is_scheme_name(&selector, default_prefix) => default_prefix,
            None => "",
        };
        let parameter = from.strip_prefix("query:").map(Into::into);
        Some(Self { prefix: prefix.into(), from: selector, parameter })
    }

    pub(super) fn needs_json(&self) -> bool {
        self.from.needs_json()
    }

    /// The credential, without what stands before it.
    pub(super) fn read<'a>(&self, message: &Message<'a>) -> Result<Cow<'a, str>, Rejection> {
        let any_case = is_scheme_name(&self.from, &self.prefix);
        match message.one(&self.from)?.filter(|given| !given.is_empty()).ok_or(Rejection::Missing)? {
            Cow::Borrowed(given) => strip(given, &self.prefix, any_case).map(Cow::Borrowed),
            Cow::Owned(given) => strip(&given, &self.prefix, any_case).map(|given| Cow::Owned(given.to_owned())),
        }
    }

    /// Puts a credential where [`Self::read`] finds it.
    pub(super) fn write(&self, request: &mut Unsigned, credential: &str) -> Result<(), SignError> {
        request.put(&self.from, &format!("{}{credential}", self.prefix))
    }

    /// The member of the body that it is, if it is one.
    pub(super) fn body_path(&self) -> Option<Vec<&str>> {
        self.from.body_member()
    }

    /// The header that carries it, if one does.
    pub(super) fn header(&self) -> Option<HeaderName> {
        self.from.header_name()?.parse().ok()
    }

    /// Takes the credential out of the query, which is kept with each event.
    pub(super) fn mask(&self, received: &mut Received) {
        let Some(parameter) = &self.parameter else { return };
        let is_it = |field: &str| form_urlencoded::parse(field.as_bytes()).any(|(name, _)| name == **parameter);
        let fields = received.query.split('&').map(|field| match field.split_once('=') {
            Some((name, _)) if is_it(field) => Cow::Owned(format!("{name}={MASK}")),
            _ => Cow::Borrowed(field),
        });
        received.query = fields.collect::<Vec<_>>().join("&").into();
    }
}
