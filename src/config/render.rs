//! Problems for people, and for programs.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};

use super::{Place, Problem, Severity, Source};

/// Whether what is rendered goes to a terminal that shows colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    #[default]
    Off,
    /// With ANSI escape sequences.
    On,
}

/// The widest line that is shown, in columns: a longer one is cut around what is marked.
const WIDTH: usize = 120;

/// Renders `problems` as plain text: each with its line of the file, what is wrong there marked.
#[must_use]
pub fn render_text(source: &Source, problems: &[Problem]) -> String {
    render_text_in(Colour::Off, source, problems)
}

/// Renders `problems` as text: each with its line of the file, what is wrong there marked.
#[must_use]
pub fn render_text_in(colour: Colour, source: &Source, problems: &[Problem]) -> String {
    let renderer = match colour {
        Colour::Off => Renderer::plain(),
        Colour::On => Renderer::styled(),
    };
    let renderer = renderer.term_width(WIDTH);
    let rendered: Vec<String> = problems.iter().map(|problem| render_one(&renderer, source, problem)).collect();
    rendered.join("\n\n")
}

/// Renders `problems` as JSON: a list of objects with `file`, `line`, `column`, `severity`, `message`,
/// `expected` and `did_you_mean`. The line and the column are null where a problem is of the whole file.
#[must_use]
pub fn render_json(source: &Source, problems: &[Problem]) -> Value {
    let one = |problem: &Problem| {
        let place = Some(problem.place).filter(|place| place.line > 0);
        json!({
            "file": source.name(),
            "line": place.map(|place| place.line),
            "column": place.map(|place| place.column),
            "severity": match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            "message": problem.message,
            "expected": problem.expected,
            "did_you_mean": problem.did_you_mean,
        })
    };
    problems.iter().map(one).collect()
}

fn render_one(renderer: &Renderer, source: &Source, problem: &Problem) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = harmless(&problem.message);
    let file = harmless(source.name());
    // A message that says already what was expected need not say it twice.
    let expected = problem.expected.as_deref().filter(|expected| !problem.message.contains(expected));
    let label = expected.map(|expected| harmless(&format!("expected {expected}")));
    let hint = problem.did_you_mean.as_deref().map(|meant| harmless(&format!("did you mean `{meant}`?")));
    let hint = hint.as_deref().map(|hint| Level::HELP.message(hint));
    let group = Group::with_title(level.primary_title(&title));
    let Place { line, column, start, end } = problem.place;
    let Some(shown) = source.line(start, end).filter(|_| line > 0) else {
        let note = label.as_deref().map(|label| Level::NOTE.message(label));
        return renderer.render(&[group.element(Origin::path(&file)).elements(note).elements(hint)]);
    };
    let shown_column = shown.text.get(..shown.mark.start).unwrap_or_default().chars().count() + 1;
    let mark = AnnotationKind::Primary.span(shown.mark).label(label.as_deref());
    let snippet = Snippet::source(shown.text).path(&file).line_start(line as usize).annotation(mark);
    let rendered = renderer.render(&[group.element(snippet).elements(hint)]);
    // The renderer counts the columns of the line as it is shown. A mask before the mark moves it.
    rendered.replacen(&format!("{file}:{line}:{shown_column}"), &format!("{file}:{line}:{column}"), 1)
}

/// Text without characters that could move a terminal's cursor, colour it or turn its direction.
fn harmless(text: &str) -> String {
    annotate_snippets::normalize_untrusted_str(&text.replace(['\n', '\r'], " "))
}
