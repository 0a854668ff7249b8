//! `hookswitch try`: what the gateway would do with a request, and why. Nothing is sent, and the queue is not opened.

use std::path::PathBuf;

use clap::Args;
use http::Method;
use http::header::{HeaderName, HeaderValue};

use super::capture::{self, CaptureError, Captured, Form, Target};
use super::{ConfigFile, Exit, Format, print, rehearsed, say, time};
use crate::app::{ConfigurationError, configure, configure_played};
use crate::config::load::ProcessSurroundings;
use crate::model::{Clock, SystemClock, Timestamp};
use crate::pipeline::verify::{SignError, Unsigned};
use crate::rehearsal::{NotStaged, Rehearsal, Sight, stage};
use crate::routing::RouteTable;

/// Says what the gateway would do with a request, and why. Nothing is sent, and nothing is kept.
#[derive(Debug, Args)]
pub(super) struct Try {
    /// The request: a file with its body, a `.http` file, a `.har` file, or `-` for stdin.
    #[arg(value_name = "FILE")]
    request: PathBuf,
    #[command(flatten)]
    file: ConfigFile,
    /// The route. Without it the path of the request chooses, as in the gateway.
    #[arg(long, short, value_name = "NAME")]
    route: Option<String>,
    /// The path of the request, where its file does not say or another is meant.
    #[arg(long, value_name = "PATH", value_parser = target)]
    path: Option<Target>,
    /// A header field of the request, in place of those of that name in the file. May be given several times.
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", value_parser = capture::header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The method. [default: that of the file, else POST]
    #[arg(long, value_name = "METHOD")]
    method: Option<Method>,
    /// The query, without the `?`.
    #[arg(long, value_name = "QUERY")]
    query: Option<String>,
    /// Sign the request as its provider would before it is tried: with the first of the route's secrets, or with a key that is
    /// made up, and believed here, where only the provider has one.
    #[arg(long)]
    signed: bool,
    /// The time of the attempt: RFC 3339, or seconds since 1970. [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    now: Option<Timestamp>,
    /// Which request of a file with several, from 1.
    #[arg(long, value_name = "N", default_value_t = 1)]
    nth: usize,
    /// What the file is. [default: by its name, and stdin by what it holds]
    #[arg(long = "as", value_enum, value_name = "FORM")]
    form: Option<Form>,
    /// Show the credentials that go out, which else are `***`.
    #[arg(long)]
    show_secrets: bool,
    /// What is printed: text for people, or JSON for programs.
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    output: Format,
}

/// Why nothing could be tried.
#[derive(Debug, thiserror::Error)]
enum TryError {
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error("{0}")]
    Configuration(#[from] Box<ConfigurationError>),
    #[error("the file is a body alone: `--route` or `--path` says whose")]
    NoTarget,
    #[error("{0}")]
    NotStaged(NotStaged),
    #[error("cannot sign the request: {0}")]
    Sign(#[from] SignError),
}

impl Try {
    pub(super) fn run(self) -> Exit {
        let output = self.output;
        let rehearsal = match self.rehearse() {
            Ok(rehearsal) => rehearsal,
            Err(TryError::Configuration(error)) => {
                say(&error.to_string());
                return Exit::Usage;
            }
            Err(error) => {
                say(&format!("hookswitch: {error}"));
                return Exit::Usage;
            }
        };
        let text = match output {
            Format::Text => rehearsed::text(&rehearsal),
            // Nothing in it is other than text, numbers and JSON that was read.
            Format::Json => serde_json::to_string(&rehearsal).unwrap_or_default(),
        };
        if print(text.trim_end()) && rehearsal.accepted { Exit::Done } else { Exit::Failed }
    }

    fn rehearse(self) -> Result<Rehearsal, TryError> {
        let captured = capture::read(&self.request, self.form, self.nth)?;
        let read = if self.signed { configure_played } else { configure };
        let table: RouteTable = read(&self.file.config, &ProcessSurroundings)?.table;
        let now = self.now.unwrap_or_else(|| SystemClock.now());
        let sight = if self.show_secrets { Sight::Plain } else { Sight::Masked };
        let (signed, route) = (self.signed, self.route.clone());
        let request = self.request(captured)?;
        let mut staged = match stage(&table, request.clone(), route.as_deref()) {
            Ok(staged) => staged,
            Err(NotStaged::NoRoute { .. }) => return Ok(Rehearsal::without_route(&table, &request, now)),
            Err(error) => return Err(TryError::NotStaged(error)),
        };
        if signed {
            staged.sign(now)?;
        }
        Ok(staged.rehearse(now, sight))
    }

    /// The captured request with what the command line says of it.
    fn request(self, captured: Captured) -> Result<Unsigned, TryError> {
        let request = captured.into_request(self.path, self.route.is_some(), self.headers).ok_or(TryError::NoTarget)?;
        Ok(Unsigned {
            method: self.method.unwrap_or(request.method),
            query: self.query.map_or(request.query, Into::into),
            ..request
        })
    }
}

fn target(text: &str) -> Result<Target, String> {
    Target::of(text).ok_or_else(|| "a path begins with `/`".to_owned())
}
