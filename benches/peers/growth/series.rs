//! What was measured of a thing that grows.

use std::fmt::Write;

use crate::machine::QUIET;
use crate::measure::Run;
use crate::plot::{Chart, Line};
use crate::results::{median_of, median_of_quiet};

/// How much there was of it, and what came of the runs.
pub struct Point {
    pub x: u64,
    /// What was measured; each has a line of its own.
    pub title: String,
    /// Bytes of a body.
    pub size: usize,
    pub runs: Vec<Run>,
    /// Why there are none, or no more.
    pub failed: Option<String>,
}

/// The points of a table and a plot.
pub struct Series {
    pub title: &'static str,
    /// What grows.
    pub x: &'static str,
    pub points: Vec<Point>,
}

// === impl Series ===

impl Series {
    /// The median of a figure of a point, where it was measured.
    pub fn figure(&self, title: &str, x: u64, figure: impl Fn(&Run) -> f64) -> Option<f64> {
        self.point(title, x).map(|point| median_of(&point.runs, figure))
    }

    /// The median of a figure against another point's of the same round: of the rounds in which nobody disturbed either, or of
    /// all where there is none.
    pub fn ratio(&self, of: (&str, u64), to: (&str, u64), figure: impl Fn(&Run) -> f64) -> Option<f64> {
        let pairs = self.point(of.0, of.1)?.runs.iter().zip(&self.point(to.0, to.1)?.runs);
        let ratio = |(of, to): (&Run, &Run)| (of.others < QUIET && to.others < QUIET, figure(of) / figure(to));
        Some(median_of_quiet(pairs.map(ratio)))
    }

    fn point(&self, title: &str, x: u64) -> Option<&Point> {
        self.points.iter().find(|point| point.x == x && point.title == title && !point.runs.is_empty())
    }

    /// The table.
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "### {}\n\n| {} | | accepted/s | delivered/s with the drain | MB/s in | CPU us each | p50 / p99 ms | start s | MiB idle / peak | missing, twice, refused |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
            self.title, self.x
        );
        for Point { x, title, size, runs, failed } in &self.points {
            if let Some(why) = failed {
                let _ = writeln!(text, "| {x} | {title} | not measured: {} | | | | | | | |", why.replace('|', "/"));
                continue;
            }
            let disturbed = if runs.iter().any(|run| run.others < QUIET) { "" } else { " (disturbed)" };
            let median = |figure: fn(&Run) -> f64| median_of(runs, figure);
            let total = |figure: fn(&Run) -> u64| runs.iter().map(figure).sum::<u64>();
            let accepted = median(|run| run.accepted);
            let _ = writeln!(
                text,
                "| {x} | {title}{disturbed} | {accepted:.0} | {:.0} | {:.1} | {:.1} | {:.2} / {:.1} | {:.2} | {:.0} / {:.0} | {}, {}, {} |",
                median(|run| run.sustained),
                accepted * *size as f64 / 1e6,
                median(|run| run.cpu),
                median(|run| run.p50),
                median(|run| run.p99),
                median(|run| run.start),
                median(|run| run.idle.rss),
                median(|run| run.loaded.peak),
                total(|run| run.missing),
                total(|run| run.twice),
                total(|run| run.refused)
            );
        }
        text
    }

    /// The plot: what it does in a second, and what each costs.
    pub fn chart(&self) -> Chart {
        let fields = vec![
            ("deliveries a second".to_owned(), self.lines(Run::rate)),
            ("CPU, us a delivery".to_owned(), self.lines(|run| run.cpu)),
        ];
        Chart { title: self.title.to_owned(), x: self.x.to_owned(), fields }
    }

    fn lines(&self, figure: impl Fn(&Run) -> f64) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        for point in &self.points {
            if point.runs.is_empty() {
                continue;
            }
            let at = (point.x.max(1) as f64, median_of(&point.runs, &figure));
            match lines.iter_mut().find(|(name, _)| *name == point.title) {
                Some((_, points)) => points.push(at),
                None => lines.push((point.title.clone(), vec![at])),
            }
        }
        lines
    }
}
