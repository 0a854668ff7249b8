//! `hookswitch dead-letters`.

use clap::{Args, Subcommand};

use super::Exit;
use super::bulk::{Action, Meant};
use super::deliveries::{lane, text};
use super::listing::{Filters, List, Output, Printed, State, document, list};
use super::remote::{Which, ask};
use super::table::{Column, at, time_at};

/// Looks at deliveries that were given up, replays or purges them.
#[derive(Debug, Args)]
pub(super) struct DeadLetters {
    #[command(subcommand)]
    action: What,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List dead letters, the last accepted first.
    List {
        #[command(flatten)]
        filters: Filters,
        #[command(flatten)]
        printed: Printed,
    },
    /// Show one: why it was given up, and its last attempts.
    Show {
        /// Its id: 32 hex digits.
        id: String,
        #[command(flatten)]
        output: Output,
    },
    /// Make them again, with a fresh budget of attempts and time, in their old order.
    Replay(Meant),
    /// Remove them for good.
    Purge(Meant),
}

const COLUMNS: [Column; 4] = [
    Column { title: "ID", width: 32, cell: |entry| at(entry, "/id") },
    Column { title: "GIVEN UP", width: 20, cell: |entry| time_at(entry, "/dead_at") },
    Column { title: "REASON", width: 18, cell: |entry| at(entry, "/reason") },
    Column { title: "DELIVERY", width: 27, cell: lane },
];
const RESOURCE: &str = "dead-letters";

impl DeadLetters {
    pub(super) fn run(self) -> Exit {
        let Self { action, which } = self;
        ask(&which, async |remote| match action {
            What::List { filters, printed } => {
                let dead = List { path: RESOURCE, key: "dead_letters", columns: &COLUMNS };
                list(remote, &dead, filters.query(None), &printed).await
            }
            What::Show { id, output } => {
                let found = remote.get(&[RESOURCE, &id], &[]).await?;
                Ok(document(&found, &output, text))
            }
            What::Replay(meant) => meant.act(remote, Action::Replay, RESOURCE, State::Dead).await,
            What::Purge(meant) => meant.act(remote, Action::Purge, RESOURCE, State::Dead).await,
        })
    }
}
