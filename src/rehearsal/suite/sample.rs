//! The providers' samples: requests as their own documents show them.

use crate::providers::{self, Sample};

/// A sample of a built-in provider, or one of its handshakes.
pub(super) fn sample(provider: &str, name: &str) -> Option<Sample> {
    all(provider).into_iter().find(|sample| sample.name == name)
}

/// The names of a provider's samples.
pub(super) fn names(provider: &str) -> Vec<String> {
    all(provider).into_iter().map(|sample| sample.name).collect()
}

fn all(provider: &str) -> Vec<Sample> {
    // Files that do not load are found by the tests of the providers, not by a user.
    let Some(Ok(samples)) = providers::samples(provider) else { return Vec::new() };
    let handshakes = samples.handshakes.into_iter().map(|handshake| handshake.request);
    samples.samples.into_iter().chain(handshakes).collect()
}
