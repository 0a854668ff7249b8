//! What the binary says of itself: completions, the manual, the list of providers. Each knows every command.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::fs;
use std::process::Command;

use serde_json::Value;
use support::{Ran, hookswitch};

/// Every command and every command of a command, as a person types them.
fn commands() -> Vec<String> {
    let mut found = Vec::new();
    for command in listed(&[]) {
        let inner = listed(&[&command]);
        found.extend(inner.iter().map(|inner| format!("{command} {inner}")));
        found.push(command);
    }
    assert!(found.len() > 20 && found.iter().any(|command| command == "events list"), "{found:?}");
    found
}

/// The commands that `--help` lists.
fn listed(of: &[&str]) -> Vec<String> {
    let help = Ran::of(hookswitch().args(of).arg("--help"));
    let lines = help.printed().lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| line.starts_with("  "));
    lines.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_shell_completes_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = Ran::of(hookswitch().args(["completions", shell]));
        let script = ran.printed();
        for command in commands() {
            let last = command.rsplit(' ').next().unwrap();
            assert!(script.contains(last), "{shell} does not know {command}");
        }
        for option in ["--config", "--provider", "--log-format", "--dir"] {
            assert!(script.contains(option.trim_start_matches('-')), "{shell} does not know {option}");
        }
    }
    Ran::of(hookswitch().args(["completions", "csh"])).assert_failed(2, &["csh", "bash"]);
}

#[test]
fn bash_reads_its_completions_and_completes() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("hookswitch.bash");
    fs::write(&file, Ran::of(hookswitch().args(["completions", "bash"])).printed()).unwrap();
    let script = format!(
        "set -e; source '{}'; COMP_WORDS=(hookswitch events re); COMP_CWORD=2; \
         _hookswitch hookswitch re events; echo \"${{COMPREPLY[@]}}\"",
        file.display()
    );
    let ran = Ran::of(Command::new("bash").args(["--norc", "-c", &script]));
    assert_eq!(ran.printed().trim(), "replay", "{}", ran.stderr);
    assert_eq!(Ran::of(Command::new("bash").arg("-n").arg(&file)).code, Some(0));
}

#[test]
fn the_manual_has_a_section_for_every_command() {
    let ran = Ran::of(hookswitch().arg("man"));
    let page = ran.printed();
    assert!(page.lines().any(|line| line.starts_with(".TH hookswitch 1")), "{page}");
    for command in commands() {
        let heading = format!(".SS \"hookswitch {command}\"");
        assert!(page.lines().any(|line| line == heading), "no {heading}");
    }
    for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "\"EXIT STATUS\""] {
        assert_eq!(page.lines().filter(|line| *line == format!(".SH {section}")).count(), 1, "{section}");
    }
    // What is said once for all commands is not said with each of them, and variables are named.
    assert_eq!(page.matches("From which level up").count(), 1);
    assert!(page.contains("HOOKSWITCH_CONFIG"), "{page}");
}

#[test]
fn a_page_for_each_command_goes_into_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("share/man1");
    let ran = Ran::of(hookswitch().args(["man", "--dir"]).arg(&pages));
    assert_eq!(ran.printed(), "");
    for command in commands() {
        let page = pages.join(format!("hookswitch-{}.1", command.replace(' ', "-")));
        assert!(page.is_file(), "no {}", page.display());
    }
    assert!(pages.join("hookswitch.1").is_file());
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    Ran::of(hookswitch().args(["man", "--dir"]).arg(&file)).assert_failed(1, &["cannot write", "file"]);
}

#[test]
fn the_list_of_providers_says_what_each_needs() {
    let ran = Ran::of(hookswitch().arg("providers"));
    let lines: Vec<&str> = ran.printed().lines().collect();
    let columns = ["NAME", "SCHEME", "NEEDS", "TITLE"].map(|title| lines[0].find(title).unwrap());
    assert_eq!(columns[0], 0);
    for line in &lines {
        for column in columns {
            assert!(column == 0 || &line[column - 2..column] == "  ", "not aligned: {line}");
            assert_ne!(&line[column..=column], " ", "not aligned: {line}");
        }
    }
    let bubblehouse = lines.iter().find(|line| line.starts_with("bubblehouse ")).unwrap();
    let words: Vec<&str> = bubblehouse.split("  ").map(str::trim).filter(|word| !word.is_empty()).collect();
    assert_eq!(words[1..3], ["jwt", "secret, path:hook"]);
}

#[test]
fn programs_get_a_provider_a_line() {
    let all = Ran::of(hookswitch().args(["providers", "--output", "json"])).lines();
    assert!(all.len() >= 4);
    for provider in &all {
        let text = |key: &str| provider[key].as_str().unwrap_or_else(|| panic!("no {key}: {provider}"));
        assert!(text("docs").starts_with("https://") && !text("title").is_empty() && !text("scheme").is_empty());
        assert!(provider["needs"].as_array().is_some_and(|needs| needs.iter().all(Value::is_string)), "{provider}");
        assert!(provider["notes"].is_array());
        let one = Ran::of(hookswitch().args(["providers", text("name"), "--output", "json"])).json();
        assert_eq!(one, *provider);
        let yaml = Ran::of(hookswitch().args(["providers", text("name")]));
        assert!(yaml.printed().starts_with("# ") && yaml.printed().contains("\nauth:"));
    }
    Ran::of(hookswitch().args(["providers", "acme"])).assert_failed(1, &["acme", "hookswitch providers"]);
}
