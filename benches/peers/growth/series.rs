//! What was measured of a thing that grows.

use std::fmt::Write;

use crate::machine::QUIET;
use crate::measure::Run;
use crate::plot::{Chart, Line};

/// How much there was of it, and what came of the run.
pub struct Point {
    pub x: u64,
    /// What was measured; each has a line of its own.
    pub title: String,
    /// Bytes of a body.
    pub size: usize,
    /// Or why there is none.
    pub run: Result<Run, String>,
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
    /// A figure of a point, where it was measured.
    pub fn figure(&self, title: &str, x: u64, figure: impl Fn(&Run) -> f64) -> Option<f64> {
        let point = self.points.iter().find(|point| point.x == x && point.title == title)?;
        point.run.as_ref().ok().map(figure)
    }

    /// The same against another point's.
    pub fn ratio(&self, of: (&str, u64), to: (&str, u64), figure: impl Fn(&Run) -> f64 + Copy) -> Option<f64> {
        Some(self.figure(of.0, of.1, figure)? / self.figure(to.0, to.1, figure)?)
    }

    /// The table.
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "### {}\n\n| {} | | accepted/s | delivered/s with the drain | MB/s in | CPU us each | p50 / p99 ms | start s | MiB idle / peak | missing, twice, refused |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
            self.title, self.x
        );
        for Point { x, title, size, run } in &self.points {
            let run = match run {
                Ok(run) => run,
                Err(why) => {
                    let _ = writeln!(text, "| {x} | {title} | not measured: {} | | | | | | | |", why.replace('|', "/"));
                    continue;
                }
            };
            let disturbed = if run.others < QUIET { "" } else { " (disturbed)" };
            let _ = writeln!(
                text,
                "| {x} | {title}{disturbed} | {:.0} | {:.0} | {:.1} | {:.1} | {:.2} / {:.1} | {:.2} | {:.0} / {:.0} | {}, {}, {} |",
                run.accepted,
                run.sustained,
                run.accepted * *size as f64 / 1e6,
                run.cpu,
                run.p50,
                run.p99,
                run.start,
                run.idle.rss,
                run.loaded.peak,
                run.missing,
                run.twice,
                run.refused
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
            let Ok(run) = &point.run else { continue };
            let at = (point.x.max(1) as f64, figure(run));
            match lines.iter_mut().find(|(name, _)| *name == point.title) {
                Some((_, points)) => points.push(at),
                None => lines.push((point.title.clone(), vec![at])),
            }
        }
        lines
    }
}
