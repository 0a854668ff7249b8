//! The results as Markdown.

use std::fmt::Write;

use crate::plot::{self, Bar};
use crate::results::{Result, of};

const HEAD: &str = "\
| under test | acknowledged means | accepted/s | delivered/s loaded | with the drain | of bare hyper | CPU us/event | x bare | p50 / p99 ms | MiB idle / loaded / peak | bad signature | filters, reshapes | missing, twice, refused |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
";

/// The table, a row for each candidate.
pub fn markdown(results: &[Result]) -> String {
    let bare = of(results, "hyper");
    let mut text = HEAD.to_owned();
    for result in results {
        row(&mut text, result, bare);
    }
    if let Some(ours) = of(results, "hookswitch") {
        let _ = writeln!(text, "\nHookswitch: {:.1} commands of its queue in a commit.", ours.median(|run| run.group));
    }
    let disturbed: usize = results.iter().map(Result::disturbed).sum();
    if disturbed > 0 {
        let _ = writeln!(
            text,
            "\n{disturbed} runs were disturbed by others, also when made again, and count only where a candidate has no other."
        );
    }
    text
}

fn row(text: &mut String, result: &Result, bare: Option<&Result>) {
    let candidate = result.candidate.as_ref();
    let _ = write!(text, "| {} | {} | ", candidate.title(), candidate.acknowledges());
    let (Some(run), None) = (result.runs.last(), &result.failed) else {
        let why = result.failed.as_deref().unwrap_or("not run").replace('|', "/");
        let _ = writeln!(text, "not measured: {why} | | | | | | | | | | |");
        return;
    };
    let delivers = candidate.deliveries() > 0;
    let rate = |figure: f64| if delivers { thousands(figure) } else { String::new() };
    let over = |figure: f64, other: Option<f64>| match other {
        Some(other) if other > 0.0 => format!("{:.3}", figure / other),
        _ => String::new(),
    };
    let cpu = result.median(|run| run.cpu);
    let _ = writeln!(
        text,
        "{} | {} | {} | {} | {:.1} | {} | {:.2} / {:.1} | {:.0} / {:.0} / {:.0} | {} | {} | {}, {}, {} |",
        thousands(result.median(|run| run.accepted)),
        rate(result.median(|run| run.delivered)),
        rate(result.median(|run| run.sustained)),
        over(result.rate(), bare.map(Result::rate)),
        cpu,
        over(cpu, bare.map(|bare| bare.median(|run| run.cpu))),
        result.median(|run| run.p50),
        result.median(|run| run.p99),
        result.median(|run| run.idle.pss),
        result.median(|run| run.loaded.pss),
        result.median(|run| run.loaded.peak),
        run.probe.said_of_forged(candidate),
        run.probe.said_of_work(candidate),
        result.total(|run| run.missing),
        result.total(|run| run.twice),
        result.total(|run| run.refused),
    );
}

/// A rate for people: `12.3k`.
pub fn thousands(figure: f64) -> String {
    if figure >= 100_000.0 {
        format!("{:.0}k", figure / 1000.0)
    } else if figure >= 1000.0 {
        format!("{:.1}k", figure / 1000.0)
    } else {
        format!("{figure:.0}")
    }
}

/// A bar for each candidate that was measured: requests or deliveries a second.
pub fn bars(results: &[Result]) -> Vec<Bar> {
    let bare = of(results, "hyper").map(Result::rate);
    let bar = |result: &Result| {
        let candidate = result.candidate.as_ref();
        let ratio = bare.map(|bare| format!(", {:.3} of bare hyper", result.rate() / bare)).unwrap_or_default();
        let colour = match (candidate.title().starts_with("Hookswitch"), candidate.acknowledges()) {
            (true, _) => plot::OURS,
            (_, "fsync") => plot::DURABLE,
            _ => plot::OTHER,
        };
        let said = format!("{}/s{ratio}", thousands(result.rate()));
        Bar { label: candidate.title().to_owned(), value: result.rate(), said, colour }
    };
    results.iter().filter(|result| !result.runs.is_empty()).map(bar).collect()
}
