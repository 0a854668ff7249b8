//! What compiles, and every problem of what does not: once, and at its place.

use super::*;
use crate::config::load::{self, FixedSurroundings};
use crate::config::{Problem, Severity};
use crate::model::Lane;

fn compiled(text: &str) -> (Option<RouteTable>, Vec<Problem>) {
    let loaded = load::parse("routes.yaml", text, &FixedSurroundings::new());
    let mut problems = loaded.problems;
    assert!(problems.is_empty(), "the shape is sound: {problems:?}");
    let table = compile(&loaded.file.unwrap(), &loaded.given, &mut problems);
    (table, problems.sorted())
}

fn table(text: &str) -> RouteTable {
    let (table, problems) = compiled(text);
    table.unwrap_or_else(|| panic!("{problems:?}"))
}

/// Each problem with the text that its place marks.
fn listed(text: &str) -> Vec<String> {
    let (table, problems) = compiled(text);
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    assert_eq!(table.is_some(), errors == 0, "{problems:?}");
    let marked = |problem: &Problem| text.get(problem.place.start..problem.place.end).unwrap_or_default().to_owned();
    problems.iter().map(|problem| format!("{} | {}", marked(problem), problem.message)).collect()
}

/// A file with one route and this in it.
fn with_route(route: &str) -> String {
    format!("destinations: {{ d: {{ url: 'http://d' }} }}\nroutes: [{{ {route} }}]\n")
}

fn with_top(top: &str) -> String {
    format!("{}{top}\n", with_route("name: r, path: /r, auth: none, deliver: [{ to: d }]"))
}

fn only(text: &str, marked: &str, message: &str) {
    let problems = listed(text);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with(&format!("{marked} | ")) && problems[0].contains(message), "{problems:?}");
}

#[test]
fn a_sound_file_is_found_by_path_and_by_lane() {
    let table = table(&with_route(
        "name: r, path: '/hooks/{shop}', auth: none, dedup: off, deliver: [{ to: d }, { to: d, name: again }]",
    ));
    let matched = table.find("/hooks/caf%C3%A9").unwrap();
    assert_eq!((&*matched.route.name, matched.path_params), ("r", vec![("shop".into(), "café".into())]));
    assert_eq!(matched.route.remember, None);
    assert!(table.find("/hooks").is_none() && table.find("/hooks/a/b").is_none() && table.find("").is_none());
    assert_eq!(table.lanes().count(), 2);
    assert!(table.delivery(&Lane::new("r", "again")).is_some() && table.delivery(&Lane::new("r", "x")).is_none());
    assert!(table.has_route("r") && !table.has_route("d"));
}

#[test]
fn what_a_built_in_provider_asks_a_route_for_is_missed_where_the_route_names_it() {
    let meta =
        |secrets: &str| with_route(&format!("name: r, path: /r, provider: meta, {secrets}, deliver: [{{ to: d }}]"));
    only(&meta("secret: s"), "meta", "the route has no secret called `verify_token`");
    let table = table(&meta("secrets: { app: s, verify_token: t }"));
    // One that has a role of its own verifies nothing.
    assert_eq!(table.route("r").unwrap().verifier.secret_names().collect::<Vec<_>>(), ["app"]);
    // Only with a secret for each role is there one left to miss.
    only(&meta("secrets: { verify_token: t }"), "meta", "this auth scheme needs a secret");
    let square = with_route("name: r, path: /r, provider: square, secret: s, deliver: [{ to: d }]");
    only(&square, "square", "there is no `public_url`");
}

#[test]
fn a_mask_that_hides_nothing_is_a_problem_at_its_place() {
    let masked =
        |mask: &str| with_route(&format!("name: r, path: /r, auth: none, mask: [{mask}], deliver: [{{ to: d }}]"));
    only(&masked("$.data.a, data.email"), "data.email", "`$`");
    only(&masked("\"@.data\""), "\"@.data\"", "starts with `@`");
    only(&masked("$.dta.email"), "$.dta.email", "no event has a member `dta`");
    only(&masked("\"$[0]\""), "\"$[0]\"", "no list");
    only(&masked("\"$.headers['X-Y']\""), "\"$.headers['X-Y']\"", "lower case");
    let (_, problems) = compiled(&masked("$.dta.email"));
    assert_eq!(problems[0].did_you_mean.as_deref(), Some("$.data"));
    let providers = "providers: { own: { auth: none, event: { type: $.t }, mask: [$.dta] } }\n";
    let route = "name: r, path: /r, provider: own, deliver: [{ to: d }]";
    only(&format!("{providers}{}", with_route(route)), "$.dta", "no event has a member `dta`");
}

#[test]
fn a_route_masks_what_its_provider_does_and_more() {
    let providers = "providers: { own: { auth: none, event: { type: $.t }, mask: [$.data.a, $.subject] } }\n";
    let route = "name: r, path: /r, provider: own, mask: [$.data.b], deliver: [{ to: d }]";
    let table = table(&format!("{providers}{}", with_route(route)));
    let mut document = serde_json::json!({ "subject": "1", "data": { "a": 1, "b": 2, "c": 3 } });
    table.mask_of_route("r").apply(&mut document);
    assert_eq!(document, serde_json::json!({ "subject": "***", "data": { "a": "***", "b": "***", "c": 3 } }));
}

#[test]
fn a_route_that_could_never_work_is_one_problem_at_its_place() {
    let deliver = "deliver: [{ to: d }]";
    for (route, marked, message) in [
        (format!("name: r, path: hooks, auth: none, {deliver}"), "hooks", "begins with"),
        (format!("name: r, path: '/a?b=1', auth: none, {deliver}"), "'/a?b=1'", "no query"),
        (format!("name: r, path: /café, auth: none, {deliver}"), "/café", "no request has this path"),
        (format!("name: r, path: '/{{a', auth: none, {deliver}"), "'/{a'", "cannot be matched"),
        (format!("name: 'a/b', path: /r, auth: none, {deliver}"), "'a/b'", "no name for a route"),
        (format!("name: r, path: /r, {deliver}"), "r", "neither `provider` nor `auth`"),
        (format!("name: r, path: /r, provider: bspk, {deliver}"), "bspk", "needs a secret"),
        (format!("name: r, path: /r, provider: bpsk, secret: s, {deliver}"), "bpsk", "no provider `bpsk`"),
        (format!("name: r, path: /r, provider: bspk, secrets: {{}}, {deliver}"), "{}", "no secret in `secrets`"),
        (format!("name: r, path: /r, auth: none, dedup: 0s, {deliver}"), "0s", "remembered for no time"),
        (format!("name: r, path: /r, auth: none, max_body: 0B, {deliver}"), "0B", "no body fits"),
        (format!("name: r, path: /r, auth: none, max_body: 1GiB, {deliver}"), "1GiB", "could not be kept"),
        ("name: r, path: /r, auth: none, deliver: [{ to: e }]".to_owned(), "e", "no destination `e`"),
        (format!("name: r, path: /r, auth: none, filter: $.data.a ==, {deliver}"), "$.data.a ==", "the filter"),
        (
            format!("name: r, path: /r, auth: {{ token: {{ from: 'path:key' }} }}, secret: s, {deliver}"),
            "'path:key'",
            "the path parameter `key`",
        ),
    ] {
        let text = with_route(&route);
        let problems: Vec<_> = listed(&text).into_iter().filter(|one| !one.contains("no route delivers to")).collect();
        assert_eq!(problems.len(), 1, "{route}: {problems:?}");
        assert!(problems[0].starts_with(&format!("{marked} | ")), "{route}: {problems:?}");
        assert!(problems[0].contains(message), "{route}: {problems:?}");
    }
}

#[test]
fn a_rate_or_a_breaker_that_could_never_work_is_one_problem_at_its_place() {
    for (settings, marked, message) in [
        ("rate: 0/s", "0/s", "no attempt could ever be made"),
        ("breaker: { failures: 0 }", "0", "open before any attempt"),
        ("breaker: { cool_down: 0s }", "0s", "no time at all"),
        ("breaker: { max_cool_down: 0s }", "0s", "no time at all"),
        ("breaker: { cool_down: 9s, max_cool_down: 8s }", "9s", "longer than `max_cool_down`"),
        ("breaker: { rate: 0% }", "0%", "no share of failures"),
        ("breaker: { rate: 101% }", "101%", "no share of failures"),
        ("breaker: { rate: 50%, window: 0s }", "0s", "no time at all"),
        ("breaker: { rate: 50%, min_attempts: 0 }", "0", "open before any attempt"),
        ("breaker: { window: 9s }", "9s", "`window` is about `rate`"),
        ("breaker: { min_attempts: 9 }", "9", "`min_attempts` is about `rate`"),
    ] {
        let route = "routes: [{ name: r, path: /r, auth: none, deliver: [{ to: d }] }]";
        only(&format!("destinations: {{ d: {{ url: 'http://d', {settings} }} }}\n{route}\n"), marked, message);
    }
}

#[test]
fn a_parameter_that_the_path_has_is_no_problem() {
    for path in ["/{key}", "/x/{*key}"] {
        let token = "auth: { token: { from: 'path:key' } }, secret: s, deliver: [{ to: d }]";
        assert_eq!(listed(&with_route(&format!("name: r, path: '{path}', {token}"))), [""; 0], "{path}");
    }
}

#[test]
fn names_and_paths_are_given_once() {
    let two = |first: &str, second: &str| {
        format!(
            "destinations: {{ d: {{ url: 'http://d' }} }}\nroutes:\n  - {{ {first}, auth: none, deliver: [{{ to: d }}] }}\n  \
             - {{ {second}, auth: none, deliver: [{{ to: d }}] }}\n"
        )
    };
    only(&two("name: one, path: /a", "name: one, path: /b"), "one", "another route is named");
    only(&two("name: a, path: /one", "name: b, path: /one"), "/one", "the same requests as `/one`");
    only(&two("name: a, path: '/{x}'", "name: b, path: '/{y}'"), "'/{y}'", "the same requests");
    assert_eq!(listed(&two("name: a, path: '/{x}'", "name: b, path: /fixed")), [""; 0]);
    let deliveries = "name: r, path: /r, auth: none, deliver: [{ to: d }, { to: d }]";
    only(&with_route(deliveries), "d", "another delivery of this route");
    assert_eq!(listed(&with_route("name: r, path: /r, auth: none, deliver: []")).len(), 2, "and `d` is not used");
}

#[test]
fn settings_that_could_never_work_are_one_problem_each_at_their_place() {
    for (top, marked, message) in [
        ("listen: localhost", "localhost", "not an address"),
        ("listen: 127.0.0.1:9090", "127.0.0.1:9090", "are both"),
        ("public_url: ftp://x", "ftp://x", "not the address of a web server"),
        ("public_url: https://x/?a", "https://x/?a", "not the address of a web server"),
        ("admin: { listen: '0.0.0.0:9' }", "'0.0.0.0:9'", "has no token"),
        ("admin: { token: '' }", "''", "token is empty"),
        ("queue: { embedded: { path: '' } }", "''", "the path is empty"),
        ("limits: { max_body: 0B }", "0B", "no body fits"),
        ("limits: { max_body: 65MiB }", "65MiB", "could not be kept"),
        ("limits: { header_timeout: 0s }", "0s", "no time"),
        ("limits: { body_timeout: 0s }", "0s", "no time"),
        ("limits: { shutdown_grace: 0s }", "0s", "no time"),
        ("limits: { max_connections: 0 }", "0", "nobody could connect"),
    ] {
        only(&with_top(top), marked, message);
    }
}

#[test]
fn settings_have_the_defaults_of_the_readme() {
    let settings = table(&with_top("")).settings;
    assert_eq!(
        (settings.listen.to_string(), settings.admin_listen.to_string()),
        ("0.0.0.0:8080".into(), "127.0.0.1:9090".into())
    );
    assert_eq!(settings.queue.path, std::path::Path::new("./data"));
    let Limits { max_body, header_timeout, body_timeout, max_connections, shutdown_grace } = settings.limits;
    assert_eq!((max_body, max_connections), (10 << 20, 10_000));
    assert_eq!((header_timeout.as_secs(), body_timeout.as_secs(), shutdown_grace.as_secs()), (10, 30, 25));
    let own = table(&with_top("limits: { max_body: 64MiB }"));
    assert_eq!(own.routes()[0].max_body, 64 << 20);
}

#[test]
fn what_cannot_change_in_a_running_process_is_named() {
    let before = table(&with_top("")).settings;
    for (top, field) in [
        ("listen: 127.0.0.1:1", "listen"),
        ("admin: { listen: '127.0.0.1:1' }", "admin.listen"),
        ("queue: { embedded: { path: ./other } }", "queue"),
        ("limits: { max_connections: 5 }", "limits.max_connections"),
        ("limits: { header_timeout: 5s }", "limits.header_timeout"),
    ] {
        assert_eq!(before.fixed_fields_that_differ(&table(&with_top(top)).settings), [field]);
    }
    for top in ["admin: { token: t }", "limits: { max_body: 1MiB, body_timeout: 5s, shutdown_grace: 5s }"] {
        assert_eq!(before.fixed_fields_that_differ(&table(&with_top(top)).settings), [""; 0], "{top}");
    }
}

const ACME: &str = "
providers:
  acme:
    auth: { hmac: { hash: sha256, signature: { from: 'hedaer:X' } } }
    handshake: [{ match: { 'path:hook': Hello }, reply: { status: 99 } }]
    event: { type: typ, id: 'path:id', subject: '{path:hook}' }
    respond: { accepted: { status: 500 } }
destinations: { d: { url: 'http://d' } }
";

#[test]
fn a_provider_of_ones_own_has_its_problems_where_they_stand_and_once() {
    let route = |name: &str| {
        format!(
            "  - {{ name: {name}, path: '/{name}/{{hook}}/{{id}}', provider: acme, secret: s, deliver: [{{ to: d }}] }}\n"
        )
    };
    let text = format!("{ACME}routes:\n{}{}", route("one"), route("two"));
    let marked: Vec<String> =
        listed(&text).iter().map(|problem| problem.split(" | ").next().unwrap().to_owned()).collect();
    assert_eq!(marked, ["'hedaer:X'", "99", "typ", "500"]);
}

#[test]
fn a_provider_that_no_route_uses_is_looked_at_too() {
    let text = format!("{ACME}routes: [{{ name: r, path: /r, auth: none, deliver: [{{ to: d }}] }}]\n");
    assert_eq!(listed(&text).len(), 3, "the scheme waits for a secret: {:?}", listed(&text));
}

#[test]
fn a_path_without_what_the_provider_reads_is_told_at_the_path() {
    let sound =
        ACME.replace("hedaer:X", "header:X").replace("99", "200").replace("typ,", "$.type,").replace("500", "200");
    let route = "name: r, path: /acme, provider: acme, secret: s, deliver: [{ to: d }]";
    let problems = listed(&format!("{sound}routes: [{{ {route} }}]\n"));
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems.iter().all(|problem| problem.starts_with("/acme | ")), "{problems:?}");
    assert!(problems[0].contains("`hook`") && problems[1].contains("`id`"), "{problems:?}");
}

#[test]
fn what_is_not_used_is_a_warning() {
    let text = format!(
        "{}providers: {{ acme: {{ auth: none }} }}\n",
        with_route("name: r, path: /r, auth: none, deliver: [{ to: d }]")
    );
    assert_eq!(listed(&text), ["acme | no route uses the provider `acme`"]);
    let text = with_top("").replace("d: { url: 'http://d' }", "d: { url: 'http://d' }, e: { url: 'http://e' }");
    assert_eq!(listed(&text), ["e | no route delivers to the destination `e`"]);
}
