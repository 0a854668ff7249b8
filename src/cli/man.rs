//! `hookswitch man`.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;

use clap::{Args, Command, CommandFactory, Id};
use clap_mangen::roff::{Roff, bold, roman};

use super::{Cli, Exit, print, say};

/// Prints the manual.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// Write a page for each command into this directory instead, such as `hookswitch-check.1`. It is made if need be.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

const EXIT_CODES: [(&str, &str); 3] = [
    ("0", "Done."),
    ("1", "The check failed, or the gateway could not start or stop in order."),
    ("2", "Wrong usage."),
];

impl Man {
    pub(super) fn run(self) -> Exit {
        if let Some(dir) = self.dir {
            let written =
                std::fs::create_dir_all(&dir).and_then(|()| clap_mangen::generate_to(named(Cli::command()), &dir));
            return match written {
                Ok(()) => Exit::Done,
                Err(error) => {
                    say(&format!("hookswitch: cannot write the pages into `{}`: {error}", dir.display()));
                    Exit::Failed
                }
            };
        }
        match page() {
            Ok(page) if print(page.trim_end()) => Exit::Done,
            _ => Exit::Failed,
        }
    }
}

/// One page with all commands.
fn page() -> io::Result<String> {
    let mut command = named(Cli::command()).disable_help_subcommand(true);
    command.build();
    let root = clap_mangen::Man::new(command.clone());
    let mut page = Vec::new();
    root.render_title(&mut page)?;
    root.render_name_section(&mut page)?;
    root.render_synopsis_section(&mut page)?;
    root.render_description_section(&mut page)?;
    root.render_options_section(&mut page)?;
    let mut commands = Roff::new();
    commands.control("SH", ["COMMANDS"]);
    commands.text([roman("Each also takes the options above, and those of the command that it is one of.")]);
    commands.to_writer(&mut page)?;
    section(&command, &HashSet::new(), &mut page)?;
    exit_codes().to_writer(&mut page)?;
    Ok(with_one_preamble(&String::from_utf8_lossy(&page)))
}

/// Where a command of it stands, a usage says `command`.
fn named(command: Command) -> Command {
    command.subcommand_value_name("COMMAND").mut_subcommands(named)
}

/// Each part that was written begins with the same two lines, of which a page needs one.
fn with_one_preamble(page: &str) -> String {
    let mut seen = HashSet::new();
    let is_preamble = |line: &str| line.starts_with(".ie ") || line.starts_with(".el ");
    let lines = page.lines().filter(|line| !is_preamble(line) || seen.insert(*line));
    lines.collect::<Vec<_>>().join("\n")
}

/// The commands below `parent`. What is said of `inherited` options was said above.
fn section(parent: &Command, inherited: &HashSet<Id>, page: &mut Vec<u8>) -> io::Result<()> {
    let global = parent.get_arguments().filter(|argument| argument.is_global_set());
    let mut above: HashSet<Id> =
        inherited.iter().cloned().chain(global.map(|argument| argument.get_id().clone())).collect();
    above.extend(["help", "version"].map(Id::from));
    for command in parent.get_subcommands() {
        let mut heading = Roff::new();
        heading.control("SS", [command.get_bin_name().unwrap_or_else(|| command.get_name())]);
        heading.to_writer(page)?;
        let hidden = |argument: clap::Arg| {
            let hide = above.contains(argument.get_id());
            argument.hide(hide)
        };
        let shown = command.clone().mut_args(hidden);
        let has_options = shown.get_arguments().any(|argument| !argument.is_hide_set());
        let man = clap_mangen::Man::new(shown);
        let mut parts = Vec::new();
        man.render_synopsis_section(&mut parts)?;
        man.render_description_section(&mut parts)?;
        if has_options {
            man.render_options_section(&mut parts)?;
        }
        // The page has sections of its own; here each is a paragraph.
        for line in String::from_utf8_lossy(&parts).lines() {
            page.extend_from_slice(if line.starts_with(".SH ") { ".PP" } else { line }.as_bytes());
            page.push(b'\n');
        }
        section(command, &above, page)?;
    }
    Ok(())
}

fn exit_codes() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in EXIT_CODES {
        roff.control("TP", []);
        roff.text([bold(code)]);
        roff.text([roman(meaning)]);
    }
    roff
}
