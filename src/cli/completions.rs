//! `hookswitch completions`.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{Cli, Exit, print};

/// Prints the completions of a shell.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self) -> Exit {
        let mut script = Vec::new();
        generate(self.shell, &mut Cli::command(), "hookswitch", &mut script);
        if print(String::from_utf8_lossy(&script).trim_end()) { Exit::Done } else { Exit::Failed }
    }
}
