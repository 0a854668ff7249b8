//! `hookswitch diff`: what another configuration would do otherwise. Nothing is sent.

mod captured;
mod kept;
mod pool;
mod report;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use self::captured::Captures;
use self::kept::Window;
use self::pool::{Pool, PoolError, Work};
use super::capture::CaptureError;
use super::remote::{RemoteError, Which};
use super::{Exit, Format, print, say, time};
use crate::config::load::{ProcessSurroundings, Surroundings};
use crate::config::render;
use crate::model::{Clock, SystemClock, Timestamp};
use crate::rehearsal::diff::{Kind, Side, Sides, Tally};
use crate::rehearsal::suite::{MadeUp, Report};

/// Says what another configuration would do otherwise with what a running gateway has kept, or with captured requests. Nothing
/// is sent.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The other configuration. What it is compared with is `--config`: the file that the gateway was started with.
    #[arg(long, value_name = "FILE")]
    against: PathBuf,
    #[command(flatten)]
    which: Which,
    /// Captured requests in place of those that the gateway has kept: a `.http` or `.har` file, or a folder of such. With
    /// `--route`, also files that are a body alone.
    #[arg(long, value_name = "PATH")]
    requests: Option<PathBuf>,
    /// Sign captured requests as the provider would, with the first secret of each configuration.
    #[arg(long, requires = "requests")]
    signed: bool,
    /// When captured requests came: RFC 3339, or seconds since 1970. [default: now]
    #[arg(long, value_name = "TIME", value_parser = time, requires = "requests")]
    now: Option<Timestamp>,
    /// Only requests of this route.
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// Only what was accepted at this time or later: RFC 3339, or how long ago, such as `2h`.
    #[arg(long, value_name = "TIME", conflicts_with = "requests")]
    since: Option<String>,
    /// Only what was accepted before this time: RFC 3339, or how long ago.
    #[arg(long, value_name = "TIME", conflicts_with = "requests")]
    until: Option<String>,
    /// The most requests, the last accepted first. [default: all]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// The most examples of each kind of difference.
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    examples: usize,
    /// Exit with 1 where there is such a difference. Several with commas between them.
    #[arg(long, value_enum, value_name = "KIND", value_delimiter = ',')]
    fail_on: Vec<FailOn>,
    /// Make up values for variables that are not set, in both configurations.
    #[arg(long)]
    stand_in: bool,
    /// What is printed: text for people, or JSON for programs.
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    output: Format,
}

/// What `--fail-on` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A request that was accepted would be refused.
    Refused,
    /// A request that was refused would be accepted.
    Accepted,
    /// A delivery, or an event, would not be there any more.
    Lost,
    /// A delivery, or an event, would be there that was not.
    Gained,
    /// A delivery, an event or an answer would be another.
    Changed,
    /// In place of a delivery there would be a dead letter.
    Dead,
    /// In place of a dead letter there would be a delivery.
    Mended,
    /// It cannot be told whether a request would be verified.
    Undecided,
    /// Anything would be otherwise.
    Any,
}

/// Why nothing could be compared.
#[derive(Debug, thiserror::Error)]
enum DiffError {
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error("{0}")]
    Usage(String),
    #[error("{}", render::render_text(&.0.source, &.0.problems))]
    Configuration(Box<Report>),
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error("cannot start: {0}")]
    Start(#[from] std::io::Error),
}

// === impl Diff ===

impl Diff {
    pub(super) fn run(self) -> Exit {
        let (sides, tally) = match self.compare() {
            Ok(compared) => compared,
            Err(DiffError::Configuration(report)) => {
                say(&DiffError::Configuration(report).to_string());
                return Exit::Usage;
            }
            Err(error) => {
                say(&format!("hookswitch: {error}"));
                return Exit::Usage;
            }
        };
        let text = match self.output {
            Format::Text => report::text(&sides, &tally),
            Format::Json => report::json(&sides, &tally).to_string(),
        };
        let printed = print(text.trim_end());
        if self.requests.is_none() && self.output == Format::Text {
            say(
                "what was refused, and what nobody wanted, is not kept: it is not in this. `--requests` takes captured requests",
            );
        }
        let fails = self.fail_on.iter().any(|kind| kind.is_in(&tally));
        if printed && !fails { Exit::Done } else { Exit::Failed }
    }

    fn compare(&self) -> Result<(std::sync::Arc<Sides>, Tally), DiffError> {
        let (sides, is_made_up) = self.sides()?;
        if let Some(route) = &self.route
            && ![sides.old(), sides.new_side()].into_iter().any(|side| side.table().has_route(route))
        {
            return Err(DiffError::Usage(format!("neither configuration has a route `{route}`")));
        }
        let sides = if is_made_up { sides.with_made_up() } else { sides };
        let pool = Pool::start(sides, self.examples)?;
        match &self.requests {
            Some(path) => self.captured(path, &pool)?,
            None => self.kept(&pool)?,
        }
        let (sides, tally) = pool.finish()?;
        if tally.counted.requests == 0 {
            say("there is no request to compare with");
        }
        Ok((sides, tally))
    }

    /// Both configurations, and whether there is a made-up value in one.
    fn sides(&self) -> Result<(Sides, bool), DiffError> {
        let made_up = MadeUp::beside(&ProcessSurroundings);
        let surroundings: &dyn Surroundings = if self.stand_in { &made_up } else { &ProcessSurroundings };
        let side = |path| Side::load(path, surroundings).map_err(|report| DiffError::Configuration(Box::new(report)));
        let sides = Sides::new(side(self.which.config())?, side(&self.against)?);
        let names = made_up.names();
        if !names.is_empty() {
            say(&format!("made up, because it is not set: {}", names.join(", ")));
        }
        Ok((sides, !names.is_empty()))
    }

    fn captured(&self, path: &std::path::Path, pool: &Pool) -> Result<(), DiffError> {
        let now = self.now.unwrap_or_else(|| SystemClock.now());
        let captures = Captures { path, route: self.route.as_deref(), sign: self.signed, now };
        let mut left = self.limit.unwrap_or(u64::MAX);
        for file in captures.files()? {
            let mut specimens = captures.read(&file, pool.sides())?;
            specimens.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            left -= specimens.len() as u64;
            pool.push(Work::Captured(specimens))?;
        }
        Ok(())
    }

    fn kept(&self, pool: &Pool) -> Result<(), DiffError> {
        let remote = self.which.remote()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let window = Window { route: self.route.clone(), since: self.since.clone(), until: self.until.clone() };
        runtime.block_on(kept::pages(&remote, &window, self.limit, pool))
    }
}

// === impl FailOn ===

impl FailOn {
    fn is_in(self, tally: &Tally) -> bool {
        let kind = match self {
            Self::Any => return tally.has(&Kind::ALL),
            Self::Undecided => return tally.counted.undecided > 0,
            Self::Refused => Kind::Refused,
            Self::Accepted => Kind::Accepted,
            Self::Lost => Kind::Lost,
            Self::Gained => Kind::Gained,
            Self::Changed => Kind::Changed,
            Self::Dead => Kind::Dead,
            Self::Mended => Kind::Mended,
        };
        tally.has(&[kind])
    }
}
