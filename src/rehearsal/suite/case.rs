//! From what the YAML says of a test to a request that has its route.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method};

use super::{Ground, sample};
use crate::config::file::{self, Expect, Filtered, OneOrMany, Tamper, Test};
use crate::config::{At, Named, Place, Problem, Problems, Tree};
use crate::model::{Reason, Timestamp};
use crate::pipeline::verify::{Rejection, Unsigned};
use crate::providers::Sample;
use crate::rehearsal::sender::{headers_of, path_of};
use crate::rehearsal::{NotStaged, Verdict, stage};
use crate::routing::Route;

/// A test, compiled.
pub struct Case {
    /// What it says, for a person.
    pub name: String,
    /// Where it stands: the line.
    pub line: u32,
    pub(super) route: Option<String>,
    pub(super) request: Unsigned,
    pub(super) sign: Option<bool>,
    pub(super) tamper: Option<Tamper>,
    pub(super) now: Option<Timestamp>,
    pub(super) expect: Expect,
}

/// What tests are compiled with.
pub(super) struct Cases<'g> {
    pub(super) ground: &'g Ground,
    /// The directory that files are relative to.
    pub(super) beside: &'g Path,
}

/// The largest body from a file.
const MOST: u64 = 64 << 20;

/// What is expected where there is no verdict: it did not come to one.
pub(super) const NO_VERDICT: &str = "none";

// === impl Case ===

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("line", &self.line).finish_non_exhaustive()
    }
}

// === impl Cases ===

impl Cases<'_> {
    /// Compiles tests. Every problem is collected.
    pub(super) fn compile(&self, tests: Vec<At<Test>>, problems: &mut Problems) -> Vec<Case> {
        tests.into_iter().filter_map(|test| self.case(test, problems)).collect()
    }

    fn case(&self, At { value: test, place }: At<Test>, problems: &mut Problems) -> Option<Case> {
        let method = method(test.method.as_ref(), problems);
        let headers = headers(&test.headers, problems);
        let now = test.now.as_ref().map(|now| time(now, problems));
        let request = Unsigned {
            method,
            path: test.path.as_ref().map(|path| path.value.as_str()).unwrap_or_default().into(),
            query: test.query.as_ref().map(|query| query.value.as_str()).unwrap_or_default().into(),
            path_params: Vec::new(),
            headers,
            body: Bytes::new(),
        };
        let sample = match &test.sample {
            None => None,
            Some(name) => Some(self.sample(name, &test, problems)?),
        };
        let request = match &sample {
            None => request,
            Some(sample) => with_sample(request, &test, sample, self.ground),
        };
        let route = self.route(&test, place, &request, problems);
        let (body, is_json) = self.body(&test, sample, problems)?;
        let mut request = Unsigned { body, ..request };
        if is_json {
            request.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        }
        check_tamper(&test, problems);
        check_expect(&test.expect, route, self.ground, problems);
        Some(Case {
            name: test.name.value,
            line: place.line,
            route: test.route.map(|route| route.value),
            request,
            sign: test.sign.map(|sign| sign.value),
            tamper: test.tamper.map(|tamper| tamper.value),
            now: now.flatten(),
            expect: test.expect.value,
        })
    }

    /// The route of the request; `None` where it has none, which may be what is tested.
    fn route(&self, test: &Test, place: Place, request: &Unsigned, problems: &mut Problems) -> Option<&Route> {
        let table = &self.ground.table;
        if test.route.is_none() && test.path.is_none() {
            problems.push(Problem::error(place, "the test has neither `route` nor `path`").expected("one of them"));
            return None;
        }
        let staged = stage(table, request.clone(), test.route.as_ref().map(|route| route.value.as_str()));
        let at = test.route.as_ref().map_or(place, |route| route.place);
        match staged {
            Ok(staged) => {
                if let Some(path) = test.path.as_ref().filter(|path| path.value != *staged.request.path) {
                    let problem =
                        Problem::error(path.place, format!("the route `{}` has another path", staged.route.name));
                    problems.push(problem.expected(format!("`{}`, or no `path`", staged.route.path)));
                }
                Some(staged.route)
            }
            Err(NotStaged::NoRoute { .. }) => None,
            Err(NotStaged::Unknown { name, .. }) => {
                let names = table.routes().iter().map(|route| &*route.name);
                let problem = Problem::error(at, format!("there is no route `{name}`")).expected("a route's name");
                problems.push(problem.suggest(&name, names));
                None
            }
            Err(NotStaged::Parameters { name, path }) => {
                let problem = Problem::error(at, format!("the path of the route `{name}` has parameters"));
                problems.push(problem.expected(format!("a `path` such as {path}")));
                None
            }
        }
    }

    /// The body, and whether it is JSON as far as the test says. `None` and a problem where there is none.
    fn body(&self, test: &Test, sample: Option<Sample>, problems: &mut Problems) -> Option<(Bytes, bool)> {
        let places = [
            test.body.as_ref().map(|body| body.place("")),
            test.body_file.as_ref().map(|file| file.place),
            test.text.as_ref().map(|text| text.place),
            test.sample.as_ref().map(|sample| sample.place),
        ];
        if let Some(second) = places.iter().flatten().nth(1) {
            let problem = Problem::error(*second, "the test has more than one body");
            problems.push(problem.expected("one of `body`, `body_file`, `text` and `sample`"));
            return None;
        }
        if let Some(Tree { value, .. }) = &test.body {
            return Some((value.to_string().into(), true));
        }
        if let Some(file) = &test.body_file {
            return self.file(file, problems).map(|body| (body, true));
        }
        if let Some(sample) = sample {
            return Some((sample.body, false));
        }
        Some((test.text.as_ref().map(|text| text.value.clone()).unwrap_or_default().into(), false))
    }

    fn file(&self, file: &At<String>, problems: &mut Problems) -> Option<Bytes> {
        match read(&self.beside.join(&file.value)) {
            Ok(bytes) => Some(bytes.into()),
            Err(error) => {
                let problem = Problem::error(file.place, format!("cannot read `{}`: {error}", file.value));
                problems.push(problem.expected("a file, relative to this one"));
                None
            }
        }
    }

    fn sample(&self, name: &At<String>, test: &Test, problems: &mut Problems) -> Option<Sample> {
        let Some(provider) = self.written(test).and_then(|route| route.provider.as_ref()) else {
            problems.push(
                Problem::error(name.place, "a sample is a provider's, and no route with one is named")
                    .expected("`route` with the name of a route that has a built-in provider"),
            );
            return None;
        };
        let sample = sample::sample(provider, name);
        if sample.is_none() {
            let problem = Problem::error(name.place, format!("`{}` has no sample `{}`", provider.value, name.value));
            let names = sample::names(provider);
            let expected = match names.as_slice() {
                [] => "`body`, `body_file` or `text`: there are no samples of a provider of your own".to_owned(),
                names => format!("one of `{}`", names.join("`, `")),
            };
            problems.push(problem.expected(expected).suggest(name, names.iter().map(String::as_str)));
        }
        sample
    }

    /// The test's route as the file has it.
    fn written(&self, test: &Test) -> Option<&file::Route> {
        let name = test.route.as_ref()?;
        self.ground.file.routes.iter().find(|route| route.name.value == name.value).map(|route| &route.value)
    }
}

/// A request that is a provider's sample, but for what the test says itself.
fn with_sample(mut request: Unsigned, test: &Test, sample: &Sample, ground: &Ground) -> Unsigned {
    if test.method.is_none() {
        request.method = sample.method.parse().unwrap_or(Method::POST);
    }
    if test.query.is_none() {
        request.query = sample.query.as_str().into();
    }
    for (name, value) in &headers_of(sample) {
        request.headers.entry(name).or_insert(value.clone());
    }
    let route = test.route.as_ref().and_then(|name| ground.table.route(name));
    if let (None, Some(route)) = (&test.path, route) {
        request.path = path_of(route, sample).into();
    }
    request
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {} MiB", MOST >> 20)));
    }
    Ok(bytes)
}

fn method(given: Option<&At<String>>, problems: &mut Problems) -> Method {
    let Some(given) = given else { return Method::POST };
    Method::from_bytes(given.value.as_bytes()).unwrap_or_else(|_| {
        problems.push(Problem::error(given.place, "this is not an HTTP method").expected("POST, or GET"));
        Method::POST
    })
}

fn headers(given: &Named<At<String>>, problems: &mut Problems) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in given.iter() {
        let Ok(known) = HeaderName::from_bytes(name.value.as_bytes()) else {
            problems.push(Problem::error(name.place, "this is not the name of a header"));
            continue;
        };
        match HeaderValue::from_str(value) {
            Ok(value) => {
                headers.append(known, value);
            }
            Err(_) => problems.push(Problem::error(value.place, "a header cannot carry this value")),
        }
    }
    headers
}

fn time(given: &At<String>, problems: &mut Problems) -> Option<Timestamp> {
    let time = Timestamp::from_rfc3339_or_seconds(given);
    if time.is_none() {
        let problem = Problem::error(given.place, "this is not a time");
        problems.push(problem.expected("RFC 3339, such as 2026-01-31T12:00:00Z, or seconds since 1970"));
    }
    time
}

fn check_tamper(test: &Test, problems: &mut Problems) {
    if let (Some(tamper), Some(At { value: false, .. })) = (&test.tamper, &test.sign) {
        let problem = Problem::error(tamper.place, "there is nothing to tamper with in a request that is not signed");
        problems.push(problem.expected("no `sign: false`, or no `tamper`"));
    }
}

fn check_expect(expect: &At<Expect>, route: Option<&Route>, ground: &Ground, problems: &mut Problems) {
    let Expect { status, reply, verdict, events, deliveries, filtered, only } = &expect.value;
    let is_empty = status.is_none() && reply.is_none() && verdict.is_none() && events.is_none();
    if is_empty && deliveries.is_none() && filtered.is_none() && only.is_none() {
        let problem = Problem::error(expect.place, "this test expects nothing");
        problems.push(problem.expected("`status`, `deliveries`, `filtered`, `events`, `verdict` or `reply`"));
    }
    if let Some(verdict) = verdict {
        let words = Rejection::ALL.map(Rejection::as_str);
        let known = || words.into_iter().chain([Verdict::VERIFIED, NO_VERDICT]);
        if !known().any(|word| word == verdict.value) {
            let problem = Problem::error(verdict.place, format!("there is no verdict `{}`", verdict.value));
            problems.push(problem.expected("`verified`, or the word of a rejection").suggest(verdict, known()));
        }
    }
    check_reasons(expect, problems);
    let Some(route) = route else { return };
    let names: Vec<&str> =
        ground.table.lanes().filter(|lane| lane.route == route.name).map(|lane| &*lane.delivery).collect();
    for name in named(expect) {
        if !names.contains(&name.value.as_str()) {
            let problem = Problem::error(name.place, format!("the route has no delivery `{}`", name.value));
            problems.push(
                problem.expected(format!("one of `{}`", names.join("`, `"))).suggest(name, names.iter().copied()),
            );
        }
    }
}

fn check_reasons(expect: &Expect, problems: &mut Problems) {
    let lists = expect.deliveries.iter().flat_map(|deliveries| deliveries.as_slice());
    for reason in lists.flat_map(|list| list.iter()).filter_map(|(_, delivery)| delivery.dead_letter.as_ref()) {
        let words = || Reason::ALL.map(Reason::as_str).into_iter();
        if !words().any(|word| word == reason.value) {
            let problem = Problem::error(reason.place, format!("there is no reason `{}`", reason.value));
            problems
                .push(problem.expected("the reason of a dead letter, such as `transform`").suggest(reason, words()));
        }
    }
}

/// The names of deliveries that are expected, or not.
fn named(expect: &Expect) -> Vec<&At<String>> {
    let lists = expect.deliveries.iter().flat_map(|deliveries| OneOrMany::as_slice(&deliveries.value));
    let delivered = lists.flat_map(|list| list.iter().map(|(name, _)| name));
    let filtered: Vec<&At<String>> = match expect.filtered.as_ref().map(|filtered| &filtered.value) {
        None => Vec::new(),
        Some(Filtered::Names(names)) => names.iter().collect(),
        Some(Filtered::Reasons(reasons)) => reasons.iter().map(|(name, _)| name).collect(),
    };
    delivered.chain(filtered).collect()
}
