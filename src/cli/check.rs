//! `hookswitch check`.

use clap::Args;
use serde_json::json;

use super::{ConfigFile, Exit, Format, print, say};
use crate::app::configure;
use crate::config::load::ProcessSurroundings;
use crate::config::{Problem, Severity, Source, render};

/// Says whether a configuration would load.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    file: ConfigFile,
    /// What is printed: text for people (to stderr), or JSON for programs (to stdout).
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    output: Format,
}

impl Check {
    pub(super) fn run(self) -> Exit {
        match configure(&self.file.config, &ProcessSurroundings) {
            Ok(configured) => {
                self.report(&configured.source, &configured.warnings);
                if self.output == Format::Text {
                    let table = &configured.table;
                    let (routes, deliveries, destinations) =
                        (table.routes().len(), table.lanes().count(), table.targets().count());
                    say(&format!(
                        "{}: would load: routes {routes}, deliveries {deliveries}, destinations {destinations}",
                        self.file.config.display()
                    ));
                }
                Exit::Done
            }
            Err(error) => {
                self.report(&error.source, &error.problems);
                if self.output == Format::Text {
                    let errors = error.problems.iter().filter(|problem| problem.severity == Severity::Error).count();
                    say(&format!("{}: would not load: problems {errors}", self.file.config.display()));
                }
                Exit::Failed
            }
        }
    }

    fn report(&self, source: &Source, problems: &[Problem]) {
        match self.output {
            Format::Text if problems.is_empty() => {}
            Format::Text => say(&render::render_text(source, problems)),
            Format::Json => {
                let loads = problems.iter().all(|problem| problem.severity != Severity::Error);
                let report = json!({ "loads": loads, "problems": render::render_json(source, problems) });
                let _ = print(&report.to_string());
            }
        }
    }
}
