//! `hookswitch keys`.

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::Exit;
use super::deliveries::lane;
use super::listing::{List, Output, Printed, document, list};
use super::remote::{Which, ask};
use super::table::{Column, at, time_at};

/// Looks at order keys that wait behind a dead letter, and lets them go on.
#[derive(Debug, Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    action: What,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List parked keys.
    List {
        #[command(flatten)]
        printed: Printed,
    },
    /// Let a key go on: with the dead letter that it waits behind, or without it.
    Release {
        /// The key.
        #[arg(required_unless_present = "behind", requires_all = ["route", "delivery"])]
        key: Option<String>,
        /// Its route.
        #[arg(long, value_name = "NAME")]
        route: Option<String>,
        /// Its delivery in the route.
        #[arg(long, value_name = "NAME")]
        delivery: Option<String>,
        /// Instead of these: the dead letter that the key waits behind. A key that is masked has no other name.
        #[arg(long, value_name = "ID", conflicts_with_all = ["key", "route", "delivery"])]
        behind: Option<String>,
        /// Make the dead letter first. Without this the others go on, and it stays where it is.
        #[arg(long)]
        replay: bool,
        #[command(flatten)]
        output: Output,
    },
}

const COLUMNS: [Column; 5] = [
    Column { title: "KEY", width: 24, cell: |entry| at(entry, "/key") },
    Column { title: "SINCE", width: 20, cell: |entry| time_at(entry, "/since") },
    Column { title: "WAIT", width: 6, cell: |entry| at(entry, "/waiting") },
    Column { title: "DELIVERY", width: 14, cell: lane },
    Column { title: "BEHIND", width: 32, cell: |entry| at(entry, "/behind") },
];

impl Keys {
    pub(super) fn run(self) -> Exit {
        let Self { action, which } = self;
        ask(&which, async |remote| match action {
            What::List { printed } => {
                let keys = List { path: "keys", key: "keys", columns: &COLUMNS };
                list(remote, &keys, Vec::new(), &printed).await
            }
            What::Release { key, route, delivery, behind, replay, output } => {
                let mut body = Map::new();
                for (name, value) in [("route", route), ("delivery", delivery), ("key", key), ("behind", behind)] {
                    body.extend(value.map(|value| (name.to_owned(), Value::from(value))));
                }
                body.insert("replay".to_owned(), Value::from(replay));
                let released = remote.post(&["keys", "release"], body).await?;
                let text = |released: &Value| vec![format!("released: {} waited", at(released, "/released"))];
                Ok(document(&released, &output, text))
            }
        })
    }
}
