//! `hookswitch send`: a request signed as its provider would, posted; and what a forger does.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use clap::{Args, ValueEnum};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use url::Url;

use super::capture::{self, CaptureError, Form};
use super::remote::reachable;
use super::{ConfigFile, Exit, Format, print, say};
use crate::config::load::ProcessSurroundings;
use crate::config::render::render_text;
use crate::model::{Clock, SystemClock, Timestamp};
use crate::pipeline::verify::{Tampering, Unsigned};
use crate::providers::{HandshakeSample, SampleReply};
use crate::rehearsal::suite::Report;
use crate::rehearsal::{NotSent, Sender};

/// Signs a request as its provider would, and posts it to the gateway.
#[derive(Debug, Args)]
#[command(
    after_help = "The secrets are those of the configuration. Exit code 0 where the answer is the one to expect: a success, or \
                        with --tamper a refusal."
)]
pub(super) struct Send {
    /// The request: a file with its body, a `.http` file, a `.har` file, or `-` for stdin.
    #[arg(value_name = "FILE", required_unless_present_any = ["sample", "challenge"])]
    request: Option<PathBuf>,
    #[command(flatten)]
    file: ConfigFile,
    /// The route whose provider sends. Without it the path of the request says it.
    #[arg(long, short, value_name = "NAME", required_unless_present = "request")]
    route: Option<String>,
    /// A sample of the route's provider, in place of a file: from the provider's own documents.
    #[arg(long, value_name = "NAME", conflicts_with = "request")]
    sample: Option<String>,
    /// Ask what the provider asks to see whether the address is ours, and compare the answers.
    #[arg(long, conflicts_with_all = ["request", "sample", "tamper"])]
    challenge: bool,
    /// Where the gateway is. [default: where the configuration has it listen, on this machine]
    #[arg(long, value_name = "URL")]
    to: Option<Url>,
    /// What is wrong with the request.
    #[arg(long, value_enum, value_name = "WHAT")]
    tamper: Option<Tamper>,
    /// The private key in PEM that belongs to the public one of the route: with a scheme of public keys only the sender has it.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// A header field of the request, in place of those of that name in the file. May be given several times.
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", value_parser = capture::header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Which request of a file with several, from 1.
    #[arg(long, value_name = "N", default_value_t = 1)]
    nth: usize,
    /// What the file is. [default: by its name, and stdin by what it holds]
    #[arg(long = "as", value_enum, value_name = "FORM")]
    form: Option<Form>,
    /// What is printed: text for people, or JSON for programs, a request a line.
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    output: Format,
}

/// What is wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tamper {
    /// The body has a byte more than was signed.
    Body,
    /// The signature, or the credential, is off by a bit.
    Signature,
    /// It was signed longer ago than is taken.
    Timestamp,
    /// It is signed with another secret.
    Secret,
    /// Nothing, but it comes twice.
    Replay,
}

/// Why nothing could be sent.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error("{}", render_text(&.0.source, &.0.problems))]
    Configuration(Box<Report>),
    #[error("the file is a body alone: `--route` says whose")]
    NoTarget,
    #[error(transparent)]
    NotSent(#[from] NotSent),
    #[error("cannot read {}: {source}", path.display())]
    Key { path: PathBuf, source: std::io::Error },
    #[error("no answer from {url}: {why}; is the gateway running, and is that where? `--to` says another address")]
    NoAnswer { url: Url, why: String },
    #[error("the configuration does not say where the gateway listens: `--to` does")]
    NoAddress,
    #[error("cannot start: {0}")]
    Runtime(#[from] std::io::Error),
}

/// What came back.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

/// A request and its answer, for a person and for a program.
struct Told {
    method: String,
    url: Url,
    status: u16,
    body: String,
    as_expected: bool,
    note: String,
}

const TIMEOUT: Duration = Duration::from_secs(30);

impl Send {
    pub(super) fn run(self) -> Exit {
        let output = self.output;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let told = match runtime.map_err(SendError::from).and_then(|runtime| runtime.block_on(self.send())) {
            Ok(told) => told,
            Err(error) => {
                say(&format!("hookswitch: {error}"));
                let no_answer = matches!(error, SendError::NoAnswer { .. });
                return if no_answer { Exit::Failed } else { Exit::Usage };
            }
        };
        let printed = told.iter().all(|told| match output {
            Format::Text => print(&told.text()),
            Format::Json => print(&told.json().to_string()),
        });
        if printed && told.iter().all(|told| told.as_expected) { Exit::Done } else { Exit::Failed }
    }

    async fn send(self) -> Result<Vec<Told>, SendError> {
        let sender = Sender::load(&self.file.config, &ProcessSurroundings)
            .map_err(|report| SendError::Configuration(Box::new(report)))?;
        let now = SystemClock.now();
        let key = match &self.key {
            None => None,
            Some(path) => {
                let read = std::fs::read_to_string(path);
                Some(read.map_err(|source| SendError::Key { path: path.clone(), source })?)
            }
        };
        let post = Post { sender: &sender, to: self.gateway(&sender)?, key, now };
        let route = self.route.clone();
        if self.challenge {
            return post.challenges(route.as_deref().unwrap_or_default()).await;
        }
        let tamper = self.tamper;
        let request = match (&self.sample, &route) {
            (Some(name), Some(route)) => sender.sample(route, name)?,
            _ => self.captured()?,
        };
        post.request(route.as_deref(), request, tamper).await
    }

    fn gateway(&self, sender: &Sender) -> Result<Url, SendError> {
        if let Some(url) = &self.to {
            return Ok(url.clone());
        }
        let listen = reachable(sender.table().settings.listen);
        Url::parse(&format!("http://{listen}")).map_err(|_| SendError::NoAddress)
    }

    fn captured(self) -> Result<Unsigned, SendError> {
        let Some(path) = &self.request else { return Err(SendError::NoTarget) };
        let captured = capture::read(path, self.form, self.nth)?;
        captured.into_request(None, self.route.is_some(), self.headers).ok_or(SendError::NoTarget)
    }
}

/// What all requests of a run have in common.
struct Post<'s> {
    sender: &'s Sender,
    to: Url,
    key: Option<String>,
    now: Timestamp,
}

impl Post<'_> {
    async fn request(
        &self,
        route: Option<&str>,
        request: Unsigned,
        tamper: Option<Tamper>,
    ) -> Result<Vec<Told>, SendError> {
        let tampering = tamper.and_then(Tamper::as_tampering);
        let signed = self.sender.sign(route, request, self.key.as_deref(), tampering, self.now)?;
        let covers_body =
            self.sender.table().find(&signed.path).is_some_and(|found| found.route.verifier.covers_body());
        let mut told = Vec::new();
        for time in 0..if tamper == Some(Tamper::Replay) { 2 } else { 1 } {
            let answer = self.post(&signed).await?;
            let accepted = (200..300).contains(&answer.status);
            let (as_expected, note) = match tampering {
                None if accepted && time > 0 => (true, "the same again is answered as the first, and delivered once"),
                None if accepted => (true, "accepted"),
                None => (
                    false,
                    "refused: the gateway's log and hookswitch_verifications_total say why; so does `hookswitch try`",
                ),
                Some(Tampering::Body) if !covers_body && accepted => {
                    (true, "accepted: the scheme does not cover the body, and this is what that means")
                }
                Some(_) if accepted => (false, "ACCEPTED, though it was tampered with"),
                Some(_) => (true, "refused, as it has to be"),
            };
            told.push(self.told(&signed, &answer, as_expected, note.to_owned()));
        }
        Ok(told)
    }

    async fn challenges(&self, route: &str) -> Result<Vec<Told>, SendError> {
        let depends_on_secret = self.sender.samples(route)?.secret.is_some();
        let mut told = Vec::new();
        for (sample, request) in self.sender.handshakes(route)? {
            let HandshakeSample { request: named, signed, reply } = sample;
            if reply.visited.is_some() {
                say(&format!("hookswitch: `{}` would have the gateway visit an address: it is left out", named.name));
                continue;
            }
            let request = if signed {
                self.sender.sign(Some(route), request, self.key.as_deref(), None, self.now)?
            } else {
                request
            };
            let answer = self.post(&request).await?;
            let wrong = differences(&reply, &answer, depends_on_secret);
            let note = match wrong.as_slice() {
                [] => format!("{}: answered as the provider wants it", named.name),
                wrong => format!("{}: the provider would not take this: {}", named.name, wrong.join("; ")),
            };
            told.push(self.told(&request, &answer, wrong.is_empty(), note));
        }
        if told.is_empty() {
            say(&format!("hookswitch: the provider of `{route}` asks nothing"));
        }
        Ok(told)
    }

    fn told(&self, request: &Unsigned, answer: &Answer, as_expected: bool, note: String) -> Told {
        Told {
            method: request.method.to_string(),
            url: self.url(request, false),
            status: answer.status,
            body: String::from_utf8_lossy(&answer.body).into_owned(),
            as_expected,
            note,
        }
    }

    /// Where a request goes. There may be a credential in its query, which is not shown.
    fn url(&self, request: &Unsigned, whole: bool) -> Url {
        let mut url = self.to.clone();
        url.set_path(&format!("{}{}", self.to.path().trim_end_matches('/'), request.path));
        url.set_query(Some(&*request.query).filter(|query| whole && !query.is_empty()));
        url
    }

    async fn post(&self, request: &Unsigned) -> Result<Answer, SendError> {
        let url = self.url(request, true);
        let no_answer = |error: reqwest::Error| SendError::NoAnswer {
            url: self.url(request, false),
            why: error.without_url().to_string(),
        };
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let client = client.timeout(TIMEOUT).build().map_err(no_answer)?;
        let sent = client.request(request.method.clone(), url).headers(request.headers.clone());
        let mut response = sent.body(request.body.clone()).send().await.map_err(no_answer)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body: body.into() })
    }
}

/// Where an answer differs from what the provider's documents want. What depends on the secret is left alone.
fn differences(wanted: &SampleReply, answer: &Answer, depends_on_secret: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    if answer.status != wanted.status {
        wrong.push(format!("the status is {}, not {}", answer.status, wanted.status));
    }
    for (name, value) in &wanted.headers {
        if answer.headers.get(name).and_then(|given| given.to_str().ok()) != Some(value) {
            wrong.push(format!("the header {name} is another"));
        }
    }
    let json: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let same_json = wanted.json.is_none() || json == wanted.json;
    let same_text = wanted.text.as_ref().is_none_or(|text| answer.body == text.as_bytes());
    if !(depends_on_secret || same_json && same_text) {
        wrong.push("the body is another".to_owned());
    }
    wrong
}

// === impl Tamper ===

impl Tamper {
    const fn as_tampering(self) -> Option<Tampering> {
        match self {
            Self::Body => Some(Tampering::Body),
            Self::Signature => Some(Tampering::Signature),
            Self::Timestamp => Some(Tampering::Timestamp),
            Self::Secret => Some(Tampering::Secret),
            Self::Replay => None,
        }
    }
}

// === impl Told ===

impl Told {
    fn text(&self) -> String {
        let mark = if self.as_expected { "ok" } else { "NOT" };
        format!("-> {} {}\n<- {} {}\n{mark:<3} {}", self.method, self.url, self.status, self.body.trim_end(), self.note)
    }

    fn json(&self) -> Value {
        json!({
            "method": self.method,
            "url": self.url.as_str(),
            "status": self.status,
            "body": self.body,
            "as_expected": self.as_expected,
            "note": self.note,
        })
    }
}
