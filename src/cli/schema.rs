//! `hookswitch schema`.

use clap::Args;

use super::{Exit, print};
use crate::config::schema;

/// Prints the JSON Schema of the configuration.
#[derive(Debug, Args)]
pub(super) struct Schema {
    /// Of a provider's own file instead, such as `hookswitch providers NAME` prints.
    #[arg(long)]
    provider: bool,
}

impl Schema {
    pub(super) fn run(&self) -> Exit {
        let schema = if self.provider { schema::of_provider() } else { schema::of_file() };
        if print(&format!("{schema:#}")) { Exit::Done } else { Exit::Failed }
    }
}
