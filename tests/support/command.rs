//! A command that ran to its end.

use std::process::Command;

use serde_json::Value;

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

// === impl Ran ===

impl Ran {
    /// Runs a command.
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().expect("the binary starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        let ran = Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
        assert!(!ran.stderr.contains("panicked"), "{ran:?}");
        ran
    }

    /// What it printed, where it ended well.
    pub fn printed(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        &self.stdout
    }

    /// The one JSON document that it printed.
    pub fn json(&self) -> Value {
        serde_json::from_str(self.printed()).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// The JSON lines that it printed.
    pub fn lines(&self) -> Vec<Value> {
        self.printed()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
            .collect()
    }

    /// Fails unless it ended with this code, and told a person all of these words.
    pub fn assert_failed(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(words.iter().all(|word| self.stderr.contains(word)), "{words:?} are not all in {self:?}");
    }
}
