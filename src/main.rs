//! The command line to an exit code, nothing else.

use std::process::ExitCode;

use clap::Parser;
use hookswitch::cli::{self, Cli};

fn main() -> ExitCode {
    cli::main(Cli::parse())
}
