//! Values for the variables that are not set where tests run: what is tested is the configuration, and that needs no
//! secret of a provider.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::config::load::Surroundings;

/// Surroundings in which every variable is set, and every file that `${file:...}` names is there.
pub struct MadeUp<'s> {
    real: &'s dyn Surroundings,
    names: RefCell<BTreeSet<String>>,
}

// === impl MadeUp ===

impl<'s> MadeUp<'s> {
    /// Those that are `real`, and made-up ones for what is not there.
    #[must_use]
    pub const fn beside(real: &'s dyn Surroundings) -> Self {
        Self { real, names: RefCell::new(BTreeSet::new()) }
    }

    /// What was made up so far: names of variables, and of files as `file:PATH`.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.names.borrow().iter().cloned().collect()
    }

    fn make_up(&self, name: String) -> String {
        let value = made_up(&name);
        self.names.borrow_mut().insert(name);
        value
    }
}

impl Surroundings for MadeUp<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        self.real.variable(name)
    }

    fn stand_in(&self, name: &str) -> Option<String> {
        Some(self.make_up(name.to_owned()))
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        self.real.read(path).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
                Ok(self.make_up(format!("file:{}", path.display())))
            }
            _ => Err(error),
        })
    }
}

/// The same for the same name, and another for another. What is probably an address by its name is one; all else is probably a
/// secret, and is hex, base64 and text at once.
fn made_up(name: &str) -> String {
    let words = name.to_ascii_uppercase();
    let is = |endings: &[&str]| endings.iter().any(|ending| words == *ending || words.ends_with(&format!("_{ending}")));
    if is(&["URL", "URI", "ENDPOINT", "ORIGIN"]) {
        return "http://made-up.invalid".to_owned();
    }
    if is(&["LISTEN", "ADDR", "ADDRESS"]) {
        return "127.0.0.1:0".to_owned();
    }
    if is(&["HOST", "HOSTNAME", "DOMAIN"]) {
        return "made-up.invalid".to_owned();
    }
    if is(&["PORT"]) {
        return "8080".to_owned();
    }
    hex::encode(Sha256::digest(format!("made up: {name}")))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;
    use crate::config::load::FixedSurroundings;

    #[test]
    fn what_is_there_is_taken_and_the_rest_is_made_up_once() {
        let real = FixedSurroundings::new().with_variable("A", "a").with_file("/f", "f");
        let made_up = MadeUp::beside(&real);
        assert_eq!((made_up.variable("A"), made_up.read(Path::new("/f")).unwrap()), (Some("a".into()), "f".into()));
        assert!(made_up.names().is_empty());
        assert_eq!(made_up.stand_in("B"), made_up.stand_in("B"));
        assert_ne!(made_up.stand_in("B"), made_up.stand_in("C"));
        assert!(made_up.read(Path::new("/g")).is_ok());
        assert_eq!(made_up.names(), ["B", "C", "file:/g"]);
    }

    #[test]
    fn a_made_up_secret_is_one_in_every_encoding() {
        let secret = made_up("ACME_SECRET");
        assert!(hex::decode(&secret).is_ok());
        assert!(base64::engine::general_purpose::STANDARD.decode(&secret).is_ok());
        assert!(base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&secret).is_ok());
        assert!(
            url::Url::parse(&made_up("CRM_URL")).is_ok() && made_up("LISTEN").parse::<std::net::SocketAddr>().is_ok()
        );
    }
}
