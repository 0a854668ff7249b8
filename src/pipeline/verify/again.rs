//! What a rehearsal needs of requests that were verified when they came: whether they can be verified once more.

use http::{HeaderName, header};

use super::signed::Signed;
use super::{Scheme, Verified, Verifier};
use crate::model::Evidence;
use crate::pipeline::Received;

// === impl Verified ===

impl Verified {
    /// A request that was verified when it came, by the evidence that was kept with it. Only a rehearsal of what is kept has
    /// such: what comes in has no evidence before it is verified.
    #[must_use]
    pub const fn when_it_came(received: Received, evidence: Evidence) -> Self {
        Self { received, evidence }
    }
}

// === impl Verifier ===

impl Verifier {
    /// The header fields that it looks at; `None` where the request itself says which.
    #[must_use]
    pub fn looks_at(&self) -> Option<Vec<HeaderName>> {
        match &self.scheme {
            Scheme::None | Scheme::Sns(_) => Some(Vec::new()),
            Scheme::Basic(_) => Some(vec![header::AUTHORIZATION]),
            Scheme::Token(token) => Some(token.credential.header().into_iter().collect()),
            Scheme::Jwt(jwt) => Some(jwt.credential.header().into_iter().collect()),
            Scheme::Signed(_, signed) => signed.headers(),
        }
    }
}

// === impl Signed ===

impl Signed {
    fn headers(&self) -> Option<Vec<HeaderName>> {
        let names = self.content.headers()?;
        let time = self.timestamp.as_ref().and_then(|rule| rule.header_name());
        let hash = self.body_hash.as_ref().and_then(|hash| hash.selector().looks_at_header());
        let signatures = self.signature.selectors().iter().filter_map(|from| from.looks_at_header());
        let all = names.into_iter().chain(time).chain(hash).chain(signatures);
        Some(all.filter_map(|name| name.parse().ok()).collect())
    }
}
