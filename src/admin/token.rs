//! Who may use the admin listener.

use http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::model::Secret;

/// Whether a request presents the bearer token (RFC 6750, section 2.1). Without a token everybody is let in: the
/// listener is loopback then, which the configuration makes sure of.
pub(super) fn allows(token: Option<&Secret>, headers: &HeaderMap) -> bool {
    let Some(token) = token else { return true };
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some((scheme, given)) = given.split_once(' ') else { return false };
    // Hashed, so that the time taken tells nothing of the token, its length included.
    let matches = Sha256::digest(given).ct_eq(&Sha256::digest(token.expose()));
    scheme.eq_ignore_ascii_case("bearer") && bool::from(matches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_lets_in() {
        let token = Secret::new("s3cret".into());
        let with = |value: &str| HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
        assert!(allows(Some(&token), &with("Bearer s3cret")));
        assert!(allows(Some(&token), &with("bearer s3cret")));
        assert!(allows(None, &HeaderMap::new()));
        for wrong in ["Bearer s3cre", "Bearer s3cret2", "Bearer", "Basic s3cret", "s3cret", ""] {
            assert!(!allows(Some(&token), &with(wrong)), "{wrong}");
        }
        assert!(!allows(Some(&token), &HeaderMap::new()));
    }
}
