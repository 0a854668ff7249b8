//! From what the YAML says to what runs, or every problem on the way.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS};
use url::Url;

use super::settings::max_body;
use super::table::{Delivery, Route, RouteTable};
use super::{Settings, auth, auth::Senders, mask, order, parameters};
use crate::config::load::{Given, Section};
use crate::config::{At, Problem, Problems, file};
use crate::expr::{Mask, Needs};
use crate::model::{Lane, NamedSecret, Secret};
use crate::pipeline::deliver::Target;
use crate::pipeline::filter::{Filter, LaneWants, Wants};
use crate::pipeline::handshake::{self, Handshakes};
use crate::pipeline::normalize::Normalizer;
use crate::pipeline::respond::Respond;
use crate::pipeline::transform::Shape;

/// How long an event is known as a duplicate where the route does not say.
const DEFAULT_DEDUP: Duration = Duration::from_secs(24 * 60 * 60);

/// How long what was delivered is kept where the route does not say.
const DEFAULT_RETAIN: Duration = Duration::from_secs(24 * 60 * 60);
/// The most deliveries of a route: a store has so many places for an event's.
const MOST_DELIVERIES: usize = 1000;

/// What clients encode wherever it stands in a path.
const NEVER_SENT: &AsciiSet = &CONTROLS.add(b' ');
const A_PATH: &str = "a path such as /hooks/acme or /hooks/acme/{topic}";

/// [`compile`], or [`compile_played`].
pub type Compile = fn(&file::ConfigFile, &Given, &mut Problems) -> Option<RouteTable>;

/// Compiles a file. Every problem of it is added to `problems`; `None` where one of them keeps it from running.
/// `given` are the names in the text, also of what could not be read, so that a reference to it is not a second problem.
pub fn compile(file: &file::ConfigFile, given: &Given, problems: &mut Problems) -> Option<RouteTable> {
    compile_for(Senders::Real, file, given, problems)
}

/// The same for whoever plays the senders ([`Route::sign`]): where only they have the key, one is made up, and the route
/// believes it. Never for a gateway that others can reach.
pub fn compile_played(file: &file::ConfigFile, given: &Given, problems: &mut Problems) -> Option<RouteTable> {
    compile_for(Senders::Played, file, given, problems)
}

fn compile_for(
    senders: Senders,
    file: &file::ConfigFile,
    given: &Given,
    problems: &mut Problems,
) -> Option<RouteTable> {
    let settings = Settings::compile(file, problems);
    let compiler = Compiler {
        senders,
        file,
        given,
        public_url: public_url(file, problems),
        written: file.destinations.iter().map(|(name, written)| (name.value.as_str(), written)).collect(),
        targets: targets(file, problems),
        max_body: settings.limits.max_body,
    };
    let mut table = RouteTable {
        fingerprint: Arc::default(),
        settings,
        paths: matchit::Router::new(),
        routes: Vec::new(),
        by_name: HashMap::default(),
        masks: mask::of_own(&file.providers, problems),
        deliveries: HashMap::default(),
        targets: compiler.targets.clone(),
    };
    check_names(file, problems);
    check_providers(file, problems);
    // A part that could not be read may be what uses them.
    if !problems.any_error() {
        check_unused(file, problems);
    }
    let mut claimed = matchit::Router::new();
    for route in &file.routes {
        compiler.add(route, &mut table, &mut claimed, problems);
    }
    (!problems.any_error()).then_some(table)
}

struct Compiler<'f> {
    senders: Senders,
    file: &'f file::ConfigFile,
    given: &'f Given,
    public_url: Option<String>,
    /// The destinations by name, as they are written: a file may have many, and each delivery looks one up.
    written: HashMap<&'f str, &'f At<file::Destination>>,
    targets: BTreeMap<Arc<str>, Arc<Target>>,
    max_body: u64,
}

impl Compiler<'_> {
    fn add(
        &self,
        file: &At<file::Route>,
        table: &mut RouteTable,
        claimed: &mut matchit::Router<()>,
        problems: &mut Problems,
    ) {
        let name: Arc<str> = file.name.value.as_str().into();
        let mut lanes = Vec::new();
        let mut needs = Needs::nothing();
        let retain = retain(file, problems);
        let provider = auth::provider(file, &self.file.providers, self.given, problems);
        let mask = mask::of_route(file, provider, &mut table.masks, problems);
        if file.deliver.len() > MOST_DELIVERIES {
            problems.push(
                Problem::error(file.place, format!("the route `{name}` has {} deliveries", file.deliver.len()))
                    .expected(format!("at most {MOST_DELIVERIES}")),
            );
        }
        for entry in &file.deliver {
            let lane = Lane::new(Arc::clone(&name), entry.name.as_ref().unwrap_or(&entry.to).value.as_str());
            let filter = Filter::compile(entry.filter.as_ref(), entry.types.as_ref(), problems);
            let order_by = order::order_by(entry, problems);
            let shows_keys = mask::shows_keys(&mask, order_by.as_ref());
            if let Some(delivery) = self.delivery(entry, &lane, (retain, shows_keys), problems) {
                delivery.shape.add_needs(&mut needs);
                delivery.target.add_needs(&mut needs);
                table.deliveries.insert(lane.clone(), Arc::new(delivery));
            }
            lanes.push(LaneWants { lane, filter, order_by });
        }
        if file.deliver.is_empty() {
            problems.push(
                Problem::error(file.place, format!("the route `{name}` delivers nowhere"))
                    .expected("at least one entry under `deliver`"),
            );
        }
        // The path is claimed whatever else is wrong, so that two of them on one path are told apart from the rest.
        let path = claim(&file.path, claimed, problems);
        let route = self.route(file, (provider, mask), &name, (lanes, needs), problems).map(Arc::new);
        if let (Some(path), Some(route)) = (path, route)
            && table.paths.insert(path, Arc::clone(&route)).is_ok()
        {
            table.by_name.insert(name, Arc::clone(&route));
            table.routes.push(route);
        }
    }

    fn route(
        &self,
        file: &At<file::Route>,
        (provider, mask): (Option<&file::Provider>, Arc<Mask>),
        name: &Arc<str>,
        (lanes, mut needs): (Vec<LaneWants>, Needs),
        problems: &mut Problems,
    ) -> Option<Route> {
        parameters::check(file, provider, problems);
        let given = auth::secrets(file, provider, problems);
        let public_url = self.public_url.as_deref();
        let listening = given.as_ref().and_then(|secrets| {
            auth::listen(file, secrets, (provider, &self.file.providers), public_url, self.senders, problems)
        });
        let credentials = auth::credentials(listening.as_ref().map(|listening| &listening.verifier));
        let provider_name = file.provider.as_ref().map(|name| name.value.as_str()).unwrap_or_default();
        let map = provider.and_then(|provider| provider.event.as_ref()).map(|event| (provider_name, event));
        let normalizer = Normalizer::compile(name, map, &credentials, problems);
        let handshakes = match provider {
            Some(provider) => given.as_ref().map(|auth::GivenSecrets { keys, roles }| {
                let surroundings = handshake::Surroundings { secrets: keys, roles, public_url };
                let mut found = Problems::new();
                let handshakes = Handshakes::compile(&provider.handshake, surroundings, &mut found);
                // A built-in provider is another file: what a route does not give it is shown where the route names it.
                let at = file.provider.as_ref().filter(|name| self.file.providers.get(name).is_none());
                problems.extend(found.iter().cloned().map(|problem| match at {
                    Some(name) => Problem { place: name.place, ..problem },
                    None => problem,
                }));
                handshakes
            }),
            None => Some(Handshakes::cloudevents()),
        };
        let respond = provider.map(|provider| Respond::compile(&provider.respond, problems));
        let wants = Wants::new(Filter::compile(file.filter.as_ref(), None, problems), lanes);
        needs.add(wants.needs());
        let auth::Listening { verifier, secrets, player } = listening?;
        Some(Route {
            name: Arc::clone(name),
            path: file.path.value.as_str().into(),
            max_body: self.max_body(file, problems),
            handshakes: handshakes.unwrap_or_default(),
            wants,
            remember: remember(file, problems),
            respond: respond.unwrap_or_default(),
            verifier,
            player,
            secrets,
            normalizer: normalizer?.keeping(&needs),
            mask,
        })
    }

    fn delivery(
        &self,
        entry: &file::Delivery,
        lane: &Lane,
        (retain, shows_keys): (Option<Duration>, bool),
        problems: &mut Problems,
    ) -> Option<Delivery> {
        let format =
            self.written.get(entry.to.value.as_str()).and_then(|file| file.format.as_ref()).map(|format| format.value);
        let shape = Shape::compile(entry, format, problems);
        let Some(target) = self.targets.get(entry.to.as_str()) else {
            let known = self.file.destinations.names();
            if !self.written.contains_key(entry.to.value.as_str())
                && !self.given.contains(Section::Destinations, &entry.to)
            {
                problems.push(
                    Problem::error(entry.to.place, format!("there is no destination `{}`", entry.to.value))
                        .expected("a name under `destinations:`")
                        .suggest(&entry.to, known),
                );
            }
            return None;
        };
        let parks = matches!(entry.on_dead_letter.as_ref().map(|at| at.value), Some(file::OnDeadLetter::Park));
        Some(Delivery { lane: lane.clone(), shape: shape?, target: Arc::clone(target), parks, retain, shows_keys })
    }

    fn max_body(&self, file: &file::Route, problems: &mut Problems) -> u64 {
        file.max_body.as_ref().map_or(self.max_body, |size| max_body(size, problems))
    }
}

fn remember(file: &file::Route, problems: &mut Problems) -> Option<Duration> {
    let Some(dedup) = &file.dedup else { return Some(DEFAULT_DEDUP) };
    match dedup.value {
        file::Window::Off => None,
        file::Window::Span(span) => {
            if span.0.is_zero() {
                problems.push(
                    Problem::error(dedup.place, "nothing is remembered for no time")
                        .expected("a duration such as 24h, or `off`"),
                );
            }
            Some(span.0)
        }
    }
}

fn retain(file: &file::Route, problems: &mut Problems) -> Option<Duration> {
    let Some(retain) = &file.retain else { return Some(DEFAULT_RETAIN) };
    match retain.value {
        file::Window::Off => None,
        file::Window::Span(span) => {
            if span.0.is_zero() {
                problems.push(
                    Problem::error(retain.place, "nothing is kept for no time")
                        .expected("a duration such as 24h, or `off`"),
                );
            }
            Some(span.0)
        }
    }
}

fn public_url(file: &file::ConfigFile, problems: &mut Problems) -> Option<String> {
    let given = file.public_url.as_ref()?;
    let valid = Url::parse(given).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none() && url.fragment().is_none()
    });
    if !valid {
        problems.push(
            Problem::error(given.place, "this is not the address of a web server")
                .expected("the address that providers were given, such as https://hooks.example.com"),
        );
    }
    Some(given.trim_end_matches('/').to_owned())
}

fn targets(file: &file::ConfigFile, problems: &mut Problems) -> BTreeMap<Arc<str>, Arc<Target>> {
    let targets =
        file.destinations.iter().filter_map(|(name, destination)| Target::compile(name, destination, problems));
    targets.map(|target| (Arc::clone(&target.name), Arc::new(target))).collect()
}

/// Takes a path for a route, where no other has it.
fn claim<'f>(path: &'f At<String>, claimed: &mut matchit::Router<()>, problems: &mut Problems) -> Option<&'f str> {
    let problem = if !path.starts_with('/') {
        Problem::error(path.place, "a path begins with `/`").expected(A_PATH)
    } else if path.contains(['?', '#']) {
        Problem::error(path.place, "a path has no query and no fragment").expected(A_PATH)
    } else if let Some(sent) = sent_otherwise(path) {
        Problem::error(path.place, "no request has this path: it is compared as clients send it").expected(sent)
    } else if let Some(name) = parameter_twice(path) {
        Problem::error(path.place, format!("`{{{name}}}` stands here twice")).expected("a name for each parameter")
    } else {
        match claimed.insert(path.value.as_str(), ()) {
            Ok(()) => return Some(path),
            Err(matchit::InsertError::Conflict { with }) => {
                Problem::error(path.place, format!("this path takes the same requests as `{with}` of another route"))
                    .expected("a path of its own")
            }
            Err(error) => Problem::error(path.place, format!("this path cannot be matched: {error}")).expected(A_PATH),
        }
    };
    problems.push(problem);
    None
}

/// How clients send a path that is written otherwise: percent-encoded, and without segments that they resolve.
fn sent_otherwise(path: &str) -> Option<String> {
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Some("a path without `.` and `..`".to_owned());
    }
    if path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    Some(format!("`{}`", percent_encoding::utf8_percent_encode(path, NEVER_SENT)))
}

fn parameter_twice(path: &str) -> Option<&str> {
    let mut seen = HashSet::new();
    path.split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .map(|(name, _)| name)
        .find(|name| !seen.insert(*name))
}

fn check_names(file: &file::ConfigFile, problems: &mut Problems) {
    let mut routes = HashSet::new();
    for route in &file.routes {
        check_name(&route.name, "route", problems);
        if !routes.insert(route.name.value.as_str()) {
            problems.push(
                Problem::error(route.name.place, format!("another route is named `{}` too", route.name.value))
                    .expected("a name of its own: it is a metric label"),
            );
        }
        let mut deliveries = HashSet::new();
        for delivery in &route.deliver {
            let name = delivery.name.as_ref().unwrap_or(&delivery.to);
            check_name(name, "delivery", problems);
            if !deliveries.insert(name.value.as_str()) {
                problems.push(
                    Problem::error(name.place, format!("another delivery of this route is named `{}` too", name.value))
                        .expected("a `name` of its own"),
                );
            }
        }
    }
    for (name, _) in file.destinations.iter() {
        check_name(name, "destination", problems);
    }
}

fn check_name(name: &At<String>, what: &str, problems: &mut Problems) {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    if name.trim().is_empty() || !name.chars().all(plain) || name.len() > 100 {
        problems.push(
            Problem::error(name.place, format!("this is no name for a {what}"))
                .expected("up to 100 letters, digits, `-`, `_`, `.` and spaces: it is a metric label"),
        );
    }
}

/// Compiles what does not depend on a route, so that what is wrong with a provider shows before a route uses it.
fn check_providers(file: &file::ConfigFile, problems: &mut Problems) {
    for (name, provider) in file.providers.iter() {
        let map = provider.event.as_ref().map(|event| (name.value.as_str(), event));
        Normalizer::compile(&name.value.as_str().into(), map, &[], problems);
        // What a route gives is not here to be missed.
        let given = |name: &str| At::nowhere(NamedSecret::new(name, Secret::new("00".repeat(32))));
        let roles: Vec<_> = handshake::secret_roles(provider).into_iter().map(given).collect();
        let surroundings = handshake::Surroundings {
            secrets: &[given("main")],
            roles: &roles,
            public_url: Some("https://any.example"),
        };
        Handshakes::compile(&provider.handshake, surroundings, problems);
        Respond::compile(&provider.respond, problems);
    }
}

fn check_unused(file: &file::ConfigFile, problems: &mut Problems) {
    let used: HashSet<&str> =
        file.routes.iter().flat_map(|route| &route.deliver).map(|delivery| delivery.to.value.as_str()).collect();
    for (name, _) in file.destinations.iter().filter(|(name, _)| !used.contains(name.value.as_str())) {
        problems.push(Problem::warning(name.place, format!("no route delivers to the destination `{}`", name.value)));
    }
    let used: HashSet<&str> =
        file.routes.iter().filter_map(|route| route.provider.as_ref()).map(|name| name.value.as_str()).collect();
    for (name, _) in file.providers.iter().filter(|(name, _)| !used.contains(name.value.as_str())) {
        problems.push(Problem::warning(name.place, format!("no route uses the provider `{}`", name.value)));
    }
}
