//! `hookswitch verify`: whether a captured request is verified, and if not, what nearly matched.
//!
//! Nothing is sent and nobody is asked. The secret, the right signature and what is made of them are never printed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::{ArgGroup, Args};

use super::capture::{self, CaptureError, Captured, Form, Target};
use super::diagnosed::{self, Asked};
use super::{Exit, Format, print, say, time};
use crate::app::{ConfigurationError, configure_case};
use crate::config::load::{ProcessSurroundings, Surroundings};
use crate::config::nearest;
use crate::model::{Clock, Secret, SystemClock, Timestamp};
use crate::pipeline::verify::Unsigned;
use crate::pipeline::verify::diagnose::{Case, Diagnosis, Verdict, diagnose};
use crate::providers;
use crate::routing::{RouteCase, case_of_provider};

/// Says whether a captured request is verified, and if not, what nearly matched.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("judge").required(true).args(["provider", "route"]))]
pub(super) struct Verify {
    /// The captured request: a `.http` file (request line, header fields, an empty line, the body byte for byte), a `.har`
    /// file, or `-` for stdin.
    #[arg(long, short = 'f', value_name = "FILE")]
    request: PathBuf,
    /// The built-in provider that sent it.
    #[arg(long, short, value_name = "NAME")]
    provider: Option<String>,
    /// The route of the configuration that it was for: scheme, secrets and `public_url` are taken from there.
    #[arg(long, short, value_name = "NAME", conflicts_with_all = ["secret", "secret_file"])]
    route: Option<String>,
    /// The configuration, for `--route`.
    #[arg(long, short, default_value = "routes.yaml", env = "HOOKSWITCH_CONFIG", value_name = "FILE")]
    config: PathBuf,
    /// The secret. Others on this machine can see what stands on a command line, and a shell keeps it: better set
    /// the environment variable HOOKSWITCH_SECRET, or give `--secret-file`. NAME=VALUE where the provider asks for a secret
    /// by that name. May be given several times.
    #[arg(long, short, value_name = "[NAME=]SECRET")]
    secret: Vec<Hidden>,
    /// A file that holds the secret; the end of its last line is left out.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// What the gateway would fetch to verify with: a certificate or public key in PEM, or a JWK or a set of them.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The address that the provider was given, up to the path: for schemes that sign the URL.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// The time of the verification: RFC 3339, or seconds since 1970. [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    now: Option<Timestamp>,
    /// Which request of a file with several, from 1.
    #[arg(long, value_name = "N", default_value_t = 1)]
    nth: usize,
    /// What the file is. [default: by its name, and stdin by what it holds]
    #[arg(long = "as", value_enum, value_name = "FORM")]
    form: Option<Form>,
    /// What is printed: text for people, or JSON for programs.
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    output: Format,
}

/// Where the secret is, unless it is given otherwise.
const VARIABLE: &str = "HOOKSWITCH_SECRET";

/// A secret on the command line, which no message shows.
#[derive(Debug, Clone)]
struct Hidden(Secret);

/// Why nothing could be judged.
#[derive(Debug, thiserror::Error)]
enum VerifyError {
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error("{0}")]
    Configuration(#[from] Box<ConfigurationError>),
    #[error("{} holds a body alone: `verify` needs the request line and the header fields (`--as` says what it is)", .0.display())]
    Bare(PathBuf),
    #[error("cannot read {}: {source}", file.display())]
    Read {
        file: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "there is no provider `{name}`{mean}; `hookswitch providers` lists them, and one of your own is judged by `--route`"
    )]
    Provider { name: String, mean: String },
    #[error("there is no secret: set HOOKSWITCH_SECRET, or give `--secret-file FILE`")]
    NoSecret,
}

// === impl Verify ===

impl Verify {
    pub(super) fn run(self) -> Exit {
        let output = self.output;
        let (asked, diagnosis) = match self.diagnose() {
            Ok(judged) => judged,
            Err(VerifyError::Configuration(error)) => {
                say(&error.to_string());
                return Exit::Usage;
            }
            Err(error) => {
                say(&format!("hookswitch: {error}"));
                return Exit::Usage;
            }
        };
        let text = match output {
            Format::Text => diagnosed::text(&asked, &diagnosis),
            Format::Json => diagnosed::json(&asked, &diagnosis).to_string(),
        };
        let verified = matches!(diagnosis.verdict, Verdict::Verified { .. });
        if print(text.trim_end()) && verified { Exit::Done } else { Exit::Failed }
    }

    fn diagnose(self) -> Result<(Asked, Diagnosis), VerifyError> {
        let Captured { method, target, headers, body } = capture::read(&self.request, self.form, self.nth)?;
        let Target { path, query } = target.ok_or_else(|| VerifyError::Bare(self.request.clone()))?;
        let now = self.now.unwrap_or_else(|| SystemClock.now());
        let judge = self.judge(&path)?;
        let asked = Asked {
            by: self.provider.or(self.route).unwrap_or_default(),
            now,
            other_path: (!judge.is_its_path).then_some(judge.path),
        };
        let request =
            Unsigned { method, path: path.into(), query: query.into(), path_params: judge.path_params, headers, body };
        Ok((asked, diagnose(judge.case, request, now)))
    }

    /// What it is judged by.
    fn judge(&self, path: &str) -> Result<RouteCase, VerifyError> {
        let mut judge = match (&self.provider, &self.route) {
            (_, Some(route)) => {
                let mut judge = configure_case(&self.config, route, path, &ProcessSurroundings)?;
                if let Some(url) = &self.public_url {
                    judge.case.public_url = Some(url.trim_end_matches('/').to_owned());
                }
                judge
            }
            (name, None) => {
                let name = name.as_deref().unwrap_or_default();
                let case = self.case_of_provider(name)?;
                RouteCase { case, path_params: Vec::new(), path: String::new(), is_its_path: true }
            }
        };
        judge.case.key = self.key.as_deref().map(read).transpose()?.map(Bytes::from);
        Ok(judge)
    }

    fn case_of_provider(&self, name: &str) -> Result<Case, VerifyError> {
        let Some(case) = case_of_provider(name, &self.secrets()?, self.public_url.as_deref()) else {
            let near = nearest(name, providers::names());
            let mean = near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
            return Err(VerifyError::Provider { name: name.to_owned(), mean });
        };
        if case.secrets.is_empty() && case.needs_secret() {
            return Err(VerifyError::NoSecret);
        }
        Ok(case)
    }

    /// The secrets that were given.
    fn secrets(&self) -> Result<Vec<Secret>, VerifyError> {
        let mut secrets: Vec<Secret> = self.secret.iter().map(|secret| secret.0.clone()).collect();
        if let Some(file) = &self.secret_file {
            let text = String::from_utf8_lossy(&read(file)?).into_owned();
            let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
            secrets.push(Secret::new(text.to_owned()));
        }
        if secrets.is_empty() {
            secrets.extend(ProcessSurroundings.variable(VARIABLE).filter(|text| !text.is_empty()).map(Secret::new));
        }
        Ok(secrets)
    }
}

// === impl Hidden ===

impl std::str::FromStr for Hidden {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(Secret::new(text.to_owned())))
    }
}

fn read(file: &Path) -> Result<Vec<u8>, VerifyError> {
    fs::read(file).map_err(|source| VerifyError::Read { file: file.to_owned(), source })
}
