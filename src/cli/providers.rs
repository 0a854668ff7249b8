//! `hookswitch providers`.

use clap::Args;

use super::{Exit, print, say};
use crate::providers;

/// Lists the built-in providers, or prints one.
#[derive(Debug, Args)]
pub(super) struct Providers {
    /// The provider to print, as YAML: what a provider of your own under `providers:` looks like.
    name: Option<String>,
}

impl Providers {
    pub(super) fn run(self) -> Exit {
        let Some(name) = self.name else {
            for name in providers::names() {
                let title = providers::builtin(name)
                    .and_then(|provider| provider.about.as_ref())
                    .map(|about| about.title.as_str());
                if !print(&format!("{name:<14}{}", title.unwrap_or_default())) {
                    return Exit::Failed;
                }
            }
            return Exit::Done;
        };
        if let Some(yaml) = providers::source(&name) {
            if print(yaml.trim_end()) { Exit::Done } else { Exit::Failed }
        } else {
            say(&format!("hookswitch: there is no provider `{name}`; `hookswitch providers` lists them"));
            Exit::Failed
        }
    }
}
