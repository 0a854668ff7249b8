//! What `hookswitch check` says of a file.

use std::fs;

use super::hookswitch;

/// What `hookswitch check` said.
pub struct Checked {
    pub code: Option<i32>,
    /// What a person read, whichever stream it came on.
    pub said: String,
}

/// Checks a file that has these files beside it.
pub fn check(text: &str, beside: &[(&str, &str)]) -> Checked {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("routes.yaml"), text).unwrap();
    for (name, text) in beside {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let output =
        hookswitch().args(["check", "--config", "routes.yaml"]).current_dir(directory.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("panicked"), "{said}");
    Checked { code: output.status.code(), said }
}

impl Checked {
    /// Fails unless the file has a problem on this line that says these words.
    #[track_caller]
    pub fn assert_problem(&self, line: usize, words: &[&str]) {
        assert_eq!(self.code, Some(1), "{}", self.said);
        let place = format!("routes.yaml:{line}:");
        assert!(self.said.contains(&place), "no problem at {place}\n{}", self.said);
        for word in words {
            assert!(self.said.contains(word), "{word} is not in\n{}", self.said);
        }
    }
}
