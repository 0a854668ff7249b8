//! The command line to an exit code, nothing else.

use std::process::ExitCode;

use clap::Parser;
use hookswitch::cli::{self, Cli};

/// Threads hand events to each other: what one of them allocates another frees.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main(Cli::parse())
}
