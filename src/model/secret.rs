//! Secrets that cannot be printed by mistake.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

/// A secret value. Its `Debug` is redacted, it has no `Display`, and its memory is zeroed when the
/// last copy goes.
#[derive(Clone)]
pub struct Secret(Arc<SecretString>);

/// A secret and the name it is counted by. The name is not secret; it is a metric label.
#[derive(Debug, Clone)]
pub struct NamedSecret {
    /// The name in `secrets:`; `default` where the route has one unnamed `secret:`.
    pub name: Arc<str>,
    /// The value.
    pub value: Secret,
}

// === impl Secret ===

impl Secret {
    /// Wraps a value.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(Arc::new(SecretString::from(value)))
    }

    /// The value itself, for the one place that computes with it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether there is nothing in it. An empty secret verifies what anybody sends.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

// === impl NamedSecret ===

impl NamedSecret {
    /// The name of a secret that was not given one.
    pub const DEFAULT_NAME: &'static str = "default";

    /// A secret under a name.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, value: Secret) -> Self {
        Self { name: name.into(), value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_value() {
        let secret = NamedSecret::new("old", Secret::new("hunter2".into()));
        assert_eq!(format!("{secret:?}"), r#"NamedSecret { name: "old", value: Secret(***) }"#);
        assert_eq!(secret.value.expose(), "hunter2");
    }
}
