//! What a person who wrote a configuration gets to see: all that it says, and all that is wrong with it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

use hookswitch::config::file::{Auth, Breaker, Choice, ConfigFile, Expectation, Filter, Format, OneOrMany, Window};
use hookswitch::config::load::{FixedSurroundings, Loaded, ProcessSurroundings, Section, load, parse, parse_provider};
use hookswitch::config::render::{Colour, render_json, render_text, render_text_in};
use hookswitch::config::{ByteSize, Problem, Severity, Span};
use proptest::prelude::*;
use serde_json::json;

/// The example of DESIGN, section 3.
const EXAMPLE: &str = r#"listen: 0.0.0.0:8080              # webhooks
public_url: https://hooks.example.com   # what providers were given; for schemes that sign the URL. Never the Host header
admin:
  listen: 127.0.0.1:9090          # /metrics /healthz /readyz /-/reload, API, UI
  token: ${ADMIN_TOKEN}           # required unless admin.listen is loopback
queue:
  embedded: { path: ./data }      # default; a home shared by several gateways comes later

providers:                        # your own, in the form of the built-in ones
  acme:
    auth: { hmac: { hash: sha256, signature: { from: header:X-Acme-Signature, prefix: "sha256=", encoding: hex } } }
    event: { type: $.event, id: header:X-Acme-Id, time: $.at, subject: $.object.id }

destinations:
  crm:
    url: https://crm.internal/contacts/{$.data.external_id}
    auth: { bearer: "${CRM_TOKEN}" }
    retry: { max_attempts: 15, max_age: 3d, initial: 1s, max: 1h }
  warehouse: { url: http://warehouse.internal/events }

routes:
  - name: bspk
    path: /hooks/bspk
    provider: bspk
    secret: ${BSPK_SECRET}        # or secrets: { new: "${NEW}", old: "${OLD}" }: any may match; each is counted by its name
    deliver:
      - to: warehouse             # no transform: the event as CloudEvents JSON
      - to: crm
        name: consenting-clients  # defaults to `to`
        filter: $.type == 'client.updated' && $.data.consent == true
        transform:
          name: "{$.data.first_name} {$.data.last_name}"
          email: $.data.email
          address: { $path: "$.data.addresses[0].city", $default: unknown }
          interests: $.data.interests[*]
"#;

fn surroundings() -> FixedSurroundings {
    ["ADMIN_TOKEN", "CRM_TOKEN", "BSPK_SECRET"]
        .into_iter()
        .fold(FixedSurroundings::new(), |fixed, name| fixed.with_variable(name, format!("value of {name}")))
        .with_variable("COUNT", "7")
        .with_variable("FORMAT", "hunter2")
        .with_file("/run/secrets/x", "from a file\n")
}

fn read(text: &str) -> Loaded {
    parse("routes.yaml", text, &surroundings())
}

fn problems(text: &str) -> Vec<Problem> {
    read(text).problems.sorted()
}

/// Each problem as `line:column message`.
fn listed(text: &str) -> Vec<String> {
    problems(text).iter().map(|p| format!("{}:{} {}", p.place.line, p.place.column, p.message)).collect()
}

fn whole(text: &str) -> ConfigFile {
    let loaded = read(text);
    assert_eq!(loaded.problems.clone().sorted(), [], "{text}");
    loaded.file.unwrap()
}

fn rendered(text: &str) -> String {
    let loaded = read(text);
    render_text(&loaded.source, &loaded.problems.sorted())
}

/// A file with one route, which has `lines` beside what every route has.
fn route(lines: &str) -> String {
    format!("routes:\n  - name: a\n    path: /a\n    deliver: []\n{lines}")
}

mod what_a_file_says {
    use super::*;

    #[test]
    fn the_example_is_read_whole() {
        let file = whole(EXAMPLE);
        assert_eq!(file.listen.unwrap().value, "0.0.0.0:8080");
        assert_eq!(file.admin.token.unwrap().expose(), "value of ADMIN_TOKEN");
        let Auth::Hmac(hmac) = &file.providers.get("acme").unwrap().auth.value else { panic!("not hmac") };
        assert_eq!(hmac.signature.prefix.as_deref(), Some("sha256="));
        let crm = file.destinations.get("crm").unwrap();
        assert_eq!(crm.retry.max_attempts.as_ref().unwrap().value, 15);
        assert_eq!(crm.retry.max_age.as_ref().unwrap().value, "3d".parse().unwrap());
        let route = &file.routes[0];
        assert_eq!(route.secret.as_ref().unwrap().expose(), "value of BSPK_SECRET");
        assert_eq!(route.deliver.len(), 2);
        let transform = route.deliver[1].transform.as_ref().unwrap();
        assert_eq!(
            transform.value,
            json!({
                "name": "{$.data.first_name} {$.data.last_name}",
                "email": "$.data.email",
                "address": { "$path": "$.data.addresses[0].city", "$default": "unknown" },
                "interests": "$.data.interests[*]",
            })
        );
    }

    #[test]
    fn a_value_knows_its_place() {
        let file = whole(EXAMPLE);
        let path = file.routes[0].path.place;
        assert_eq!((path.line, path.column), (23, 11));
        assert_eq!(&EXAMPLE[path.start..path.end], "/hooks/bspk");
        let delivery = file.routes[0].deliver[1].place;
        assert!(EXAMPLE[delivery.start..delivery.end].starts_with("to: crm"));
        assert!(EXAMPLE[delivery.start..delivery.end].ends_with("interests[*]"));
        let name = &file.destinations.0[1].0;
        assert_eq!((name.as_str(), name.place.line, name.place.column), ("warehouse", 19, 3));
    }

    #[test]
    fn a_part_of_a_template_is_found_by_its_pointer() {
        let file = whole(EXAMPLE);
        let transform = file.routes[0].deliver[1].transform.as_ref().unwrap();
        let place = transform.place("/address/$path");
        assert_eq!(&EXAMPLE[place.start..place.end], r#""$.data.addresses[0].city""#);
        assert_eq!(transform.place("/address/nowhere"), transform.place("/address"));
        let file = whole(&route("").replace("[]", "[{ to: a, transform: { a/b: { c~d: [1, x] } } }]"));
        let transform = file.routes[0].deliver[0].transform.as_ref().unwrap();
        assert_eq!(transform.place("/a~1b/c~0d/1").column, 53);
    }

    #[test]
    fn a_value_that_can_be_one_or_several_is_told_apart_by_its_shape() {
        let provider = parse_provider(
            "auth: { hmac: { hash: sha1, key: { encoding: [hex, text] }, signature: { from: [header:A, header:B] } } }\n\
             event:\n  type: [$.type, { when: $.x, value: y }]\n  id: $.id\n\
             handshake:\n  - match: { a: x, b: [x, y], c: { not: x }, d: { exists: false }, e: 0123 }\n    reply: { status: 200 }\n",
        )
        .unwrap();
        let Auth::Hmac(hmac) = &provider.auth.value else { panic!("not hmac") };
        assert!(matches!(&hmac.signature.from.value, OneOrMany::Many(from) if from[1].value == "header:B"));
        let event = provider.event.as_ref().unwrap();
        assert!(matches!(&event.id.as_ref().unwrap().value, OneOrMany::One(id) if id.place.line == 4));
        let OneOrMany::Many(kinds) = &event.kind.value else { panic!("not several") };
        assert!(matches!(&kinds[1].value, Choice::When { when, value } if when.place.column == 26 && value == "y"));
        let matches = &provider.handshake[0].matches;
        let is = |name: &str| matches.get(name).unwrap().value.clone();
        assert!(matches!(is("a"), Expectation::Is(OneOrMany::One(value)) if value == "x"));
        assert!(matches!(is("b"), Expectation::Is(OneOrMany::Many(values)) if values == ["x", "y"]));
        assert!(matches!(is("c"), Expectation::Not(OneOrMany::One(value)) if value == "x"));
        assert!(matches!(is("d"), Expectation::Exists(false)));
        assert!(matches!(is("e"), Expectation::Is(OneOrMany::One(value)) if value == "0123"));
    }

    #[test]
    fn a_filter_is_an_expression_or_a_block_of_them() {
        let file = whole(&route("    filter: { types: [order.*], any: [$.a, { not: [$.b] }] }\n"));
        let Filter::Block(block) = &file.routes[0].filter.as_ref().unwrap().value else { panic!("not a block") };
        assert_eq!(block.types.as_ref().unwrap()[0].value, "order.*");
        let any = block.any.as_ref().unwrap();
        assert!(matches!(&any[0].value, Filter::Expression(text) if text.value == "$.a"));
        assert!(matches!(&any[1].value, Filter::Block(block) if block.not.as_ref().is_some_and(|not| not.len() == 1)));
    }

    #[test]
    fn a_breaker_is_off_in_words_or_by_false_or_a_mapping() {
        let with = |breaker: &str| {
            let mut file =
                whole(&format!("destinations: {{ a: {{ url: x, rate: 30/m, breaker: {breaker} }} }}\nroutes: []\n"));
            let (_, destination) = file.destinations.0.remove(0);
            assert_eq!(destination.value.rate.unwrap().to_string(), "30/m");
            destination.value.breaker.unwrap().value
        };
        for off in ["off", "false"] {
            assert!(matches!(with(off), Breaker::Off(_)), "{off}");
        }
        let Breaker::On(settings) = with("{ failures: 3, rate: 50% }") else { panic!("it is on") };
        assert_eq!((settings.failures.unwrap().value, settings.rate.unwrap().to_string().as_str()), (3, "50%"));
    }

    #[test]
    fn deduplication_is_switched_off_in_words_or_by_false() {
        for off in ["off", "false", "\"off\""] {
            let file = whole(&route(&format!("    dedup: {off}\n")));
            assert_eq!(file.routes[0].dedup.as_ref().unwrap().value, Window::Off);
        }
        let file = whole(&route("    dedup: 24h\n    max_body: 1MiB\n"));
        assert_eq!(file.routes[0].dedup.as_ref().unwrap().value, Window::Span("1d".parse::<Span>().unwrap()));
        assert_eq!(file.routes[0].max_body.as_ref().unwrap().value, ByteSize(1 << 20));
    }

    #[test]
    fn what_is_interpolated_can_be_text_a_number_or_a_name() {
        let file = whole(
            "listen: ${HOST:-127.0.0.1}:${PORT:-80}\nlimits: { max_connections: '${COUNT}' }\n\
             destinations: { a: { url: 'http://a/$${x}', format: '${NONE:-raw}', auth: { bearer: '${file:/run/secrets/x}' } } }\n",
        );
        assert_eq!(file.listen.unwrap().value, "127.0.0.1:80");
        assert_eq!(file.limits.max_connections.unwrap().value, 7);
        let a = file.destinations.get("a").unwrap();
        assert_eq!(a.url.value, "http://a/${x}");
        assert_eq!(a.format.as_ref().unwrap().value, Format::Raw);
    }

    #[test]
    fn an_alias_stands_for_its_anchor_and_a_merge_for_the_keys_that_are_not_there() {
        let file = whole(
            "destinations:\n  a: { url: http://a, retry: &r { max: 1h, max_attempts: 3 } }\n  \
             b: { url: http://b, retry: *r }\n  c: { url: http://c, retry: { <<: *r, max_attempts: 5 } }\n",
        );
        let retry = |name: &str| &file.destinations.get(name).unwrap().retry;
        assert_eq!(retry("b").max_attempts.as_ref().unwrap().value, 3);
        assert_eq!(retry("c").max_attempts.as_ref().unwrap().value, 5);
        assert_eq!(retry("c").max.as_ref().unwrap().value, "1h".parse().unwrap());
    }

    #[test]
    fn a_section_whose_entries_are_all_comments_is_empty() {
        let file = whole("providers:\n#  acme: {}\nlimits:\nlisten: a\n");
        assert!(file.providers.is_empty());
    }

    #[test]
    fn windows_line_ends_and_a_byte_order_mark_change_nothing() {
        let text = format!("\u{feff}{}", EXAMPLE.replace('\n', "\r\n"));
        let file = whole(&text);
        let path = &file.routes[0].path;
        assert_eq!((path.value.as_str(), path.place.line, path.place.column), ("/hooks/bspk", 23, 11));
        let broken = text.replace("provider: bspk", "provder: bspk");
        assert_eq!(listed(&broken), ["24:5 unknown key `provder` in the route"]);
        assert!(rendered(&broken).contains("\n24 |     provder: bspk\n"), "{}", rendered(&broken));
    }
}

mod what_is_wrong_with_it {
    use super::*;

    #[test]
    fn every_problem_is_reported_at_once_with_its_place() {
        let text = r#"listen: [a]
limits: { max_body: 10, header_timeout: soon }
destinations:
  crm:
    ulr: http://crm
    auth: { bearer: "${NOT_SET}" }
    concurrency: -1
  crm: { url: http://again }
routes:
  - path: /a
    dedup: of
    deliver: [{ to: crm, format: cloudevent }]
"#;
        assert_eq!(
            listed(text),
            [
                "1:9 expected text, found a list",
                "2:21 expected a size such as 64KiB",
                "2:41 expected a duration such as 30s",
                "5:5 unknown key `ulr` in the destination",
                "6:21 the environment variable `NOT_SET` is not set",
                "7:18 expected a whole number from 0 to 4294967295",
                "8:3 duplicate key `crm`: it is on line 4 too",
                "10:5 the route needs `name`",
                "11:12 expected `off` or a duration such as 24h",
                "12:34 `cloudevent` is not known here",
            ]
        );
    }

    #[test]
    fn what_is_no_rate_and_no_breaker_says_what_would_be_one() {
        let text = "destinations:
  a: { url: x, rate: 100, breaker: of }
  b: { url: x, rate: 1.5/s, breaker: [] }
  c: { url: x, rate: 10/d, breaker: { failures: -1, rate: 0.5, cool_down: 30 } }
";
        assert_eq!(
            listed(text),
            [
                "2:22 expected a rate such as 100/s, 30/m or 1000/h",
                "2:36 expected `off`, or a mapping such as { failures: 10, cool_down: 10s }",
                "3:22 expected a rate such as 100/s, 30/m or 1000/h",
                "3:38 expected text or a mapping, found a list",
                "4:22 expected a rate such as 100/s, 30/m or 1000/h",
                "4:49 expected a whole number from 0 to 4294967295",
                "4:59 expected a share such as 50%",
                "4:75 expected a duration such as 30s",
            ]
        );
    }

    #[test]
    fn a_misspelt_key_is_understood_at_every_level() {
        let cases = [
            ("listn: a\n", "listen"),
            ("admin: { tokn: a }\n", "token"),
            ("queue: { embeded: {} }\n", "embedded"),
            ("queue: { embedded: { pth: a } }\n", "path"),
            ("limits: { max_bdy: 1B }\n", "max_body"),
            ("providers: { a: { auht: none } }\n", "auth"),
            ("providers: { a: { auth: { hmca: {} } } }\n", "hmac"),
            ("providers: { a: { auth: { token: { form: x } } } }\n", "from"),
            ("providers: { a: { auth: none, event: { tpye: x } } }\n", "type"),
            ("providers: { a: { auth: none, event: { type: { wen: x, value: y } } } }\n", "when"),
            ("providers: { a: { auth: none, handshake: [{ mtch: {}, reply: {} }] } }\n", "match"),
            ("providers: { a: { auth: none, handshake: [{ match: { x: { exist: true } }, reply: {} }] } }\n", "exists"),
            ("providers: { a: { auth: none, respond: { acepted: {} } } }\n", "accepted"),
            ("destinations: { a: { url: x, timout: 1s } }\n", "timeout"),
            ("destinations: { a: { url: x, auth: { basic: { usrname: a, password: b } } } }\n", "username"),
            ("destinations: { a: { url: x, retry: { max_atempts: 1 } } }\n", "max_attempts"),
            ("destinations: { a: { url: x, format: cloudevent } }\n", "cloudevents"),
            ("destinations: { a: { url: x, raet: 1/s } }\n", "rate"),
            ("destinations: { a: { url: x, braker: off } }\n", "breaker"),
            ("destinations: { a: { url: x, breaker: { failure: 1 } } }\n", "failures"),
            ("destinations: { a: { url: x, breaker: { cooldown: 1s } } }\n", "cool_down"),
            ("routes: [{ name: a, path: /a, delver: [] }]\n", "deliver"),
            ("routes: [{ name: a, path: /a, deliver: [{ to: a, tranform: {} }] }]\n", "transform"),
            ("routes: [{ name: a, path: /a, deliver: [], filter: { tpes: [a] } }]\n", "types"),
        ];
        for (text, meant) in cases {
            let problems = problems(text);
            let first = problems.iter().find(|problem| problem.did_you_mean.is_some());
            assert_eq!(first.and_then(|problem| problem.did_you_mean.as_deref()), Some(meant), "{text}{problems:?}");
            let missing = format!("needs `{meant}`");
            assert!(!problems.iter().any(|problem| problem.message.contains(&missing)), "{text}{problems:?}");
        }
    }

    #[test]
    fn an_unknown_key_names_the_keys_there_are() {
        let [problem] = &problems("admin: { colour: red }\n")[..] else { panic!("not one problem") };
        assert_eq!(problem.message, "unknown key `colour` in `admin`");
        assert_eq!(problem.expected.as_deref(), Some("one of `listen`, `token`"));
        assert_eq!(problem.did_you_mean, None);
    }

    #[test]
    fn what_stands_under_a_misspelt_key_is_read_too() {
        let text = "rotues:\n  - nme: a\n    path: /a\n    delver: [{ to: x, format: jsn }]\n";
        assert_eq!(
            listed(text),
            [
                "1:1 unknown key `rotues` in the file",
                "2:5 unknown key `nme` in the route",
                "4:5 unknown key `delver` in the route",
                "4:31 `jsn` is not known here",
            ]
        );
        assert_eq!(read(text).file.unwrap().routes[0].name.value, "a");
    }

    #[test]
    fn what_is_broken_takes_only_what_needs_it_along() {
        let text = "destinations:\n  a: { url: [x] }\n  b: { url: http://b, timeout: x }\n  c: { url: http://c }\n";
        let loaded = read(text);
        assert_eq!(listed(text), ["2:13 expected text, found a list", "3:32 expected a duration such as 30s"]);
        let file = loaded.file.as_ref().unwrap();
        assert_eq!(file.destinations.names().collect::<Vec<_>>(), ["b", "c"]);
        assert!(file.destinations.get("b").unwrap().timeout.is_none());
        assert!(loaded.was_given(Section::Destinations, "a"));
        assert!(!loaded.was_given(Section::Destinations, "d"));
        assert!(!loaded.was_given(Section::Providers, "a"));
        assert!(loaded.problems.any_error_in(file.destinations.get("b").unwrap().place));
        assert!(!loaded.problems.any_error_in(file.destinations.get("c").unwrap().place));
    }

    #[test]
    fn a_section_that_cannot_be_read_may_hold_any_name() {
        assert!(read("destinations: [a]\n").was_given(Section::Destinations, "x"));
        assert!(read("destinatoins: { a: {} }\n").was_given(Section::Destinations, "a"));
        assert!(!read("destinations:\n").was_given(Section::Destinations, "x"));
    }

    #[test]
    fn two_halves_of_a_section_are_both_read() {
        let text = "routes:\n  - { name: a, path: /a, deliver: [] }\nlisten: x\nroutes:\n  - { name: b, path: 1, delivr: [] }\n";
        assert_eq!(
            listed(text),
            ["4:1 duplicate key `routes`: it is on line 1 too", "5:25 unknown key `delivr` in the route"]
        );
    }

    #[test]
    fn auth_is_one_scheme_and_says_what_it_needs() {
        let auth = |auth: &str| listed(&format!("providers:\n  a:\n    auth: {auth}\n"));
        assert_eq!(auth("{ token: { from: a }, basic: {} }"), ["3:33 `basic` beside `token`: there can be only one"]);
        assert_eq!(auth("hmac"), ["3:11 `hmac` needs its settings"]);
        assert_eq!(auth("{ none: { a: b } }"), ["3:19 `none` has no settings"]);
        assert_eq!(auth("{}"), ["3:11 there is nothing in this mapping"]);
        assert_eq!(auth(""), ["3:5 there is no value here"]);
        assert_eq!(auth("[none]"), ["3:11 expected one of the names that are known here, found a list"]);
        assert_eq!(auth("{ hmac: { hash: sha256 } }"), ["3:19 `hmac` needs `signature`"]);
        assert_eq!(auth("none"), [""; 0]);
    }

    #[test]
    fn a_key_without_a_value_is_no_missing_key() {
        // `filter:` with nothing behind it would otherwise let every event pass.
        assert_eq!(listed(&route("    filter:\n")), ["5:5 there is no value here"]);
        assert_eq!(listed(&route("    secret: ~\n")), ["5:13 there is no value here"]);
    }

    #[test]
    fn a_placeholder_of_another_template_language_is_one_problem() {
        let text = route("    secret: {{ SECRET }}\n");
        assert_eq!(listed(&text), ["5:14 a key must be text, this is a list or a mapping"]);
    }

    #[test]
    fn a_tag_is_refused_where_it_stands() {
        assert_eq!(listed("listen: !!binary aGk=\n"), ["1:18 this value has a tag (`!...`)"]);
        assert_eq!(whole("listen: !!str 80\n").listen.unwrap().value, "80");
    }

    #[test]
    fn no_more_than_a_hundred_problems_are_listed() {
        let many: String = (0..150).map(|index| format!("x{index}: 1\n")).collect();
        let problems = problems(&many);
        assert_eq!(problems.len(), 101);
        assert_eq!(problems[100].message, "there may be more problems: mend the ones before this first");
        let twice: String = (0..150).map(|_| "listen: a\n").collect();
        assert_eq!(listed(&twice).len(), 101);
        let values: String = (0..150).map(|index| format!("  d{index}: {{ url: [] }}\n")).collect();
        assert_eq!(listed(&format!("destinations:\n{values}")).len(), 101);
    }

    #[test]
    fn a_provider_of_its_own_file_has_no_problem_at_all() {
        assert!(parse_provider("auth: none\n").is_ok());
        let problems = parse_provider("auth: none\nevnt: { type: $.a }\n").unwrap_err();
        assert_eq!(problems[0].did_you_mean.as_deref(), Some("event"));
        assert_eq!(parse_provider("{").unwrap_err().len(), 1);
        let kept = parse_provider("auth: { token: { from: '${NONE}' } }\n").unwrap();
        assert!(matches!(&kept.auth.value, Auth::Token(token) if token.from.value == "${NONE}"));
    }
}

mod what_cannot_be_read {
    use super::*;

    fn only(text: &str) -> String {
        let loaded = read(text);
        assert!(loaded.file.is_none());
        let problems = loaded.problems.sorted();
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems[0].message.clone()
    }

    #[test]
    fn an_empty_file_is_a_problem() {
        for text in ["", "\n\n", "# nothing\n", "---\n", "~"] {
            assert_eq!(only(text), "the file is empty", "{text:?}");
        }
    }

    #[test]
    fn what_is_not_yaml_is_one_problem_with_its_place() {
        let problems = problems("listen: a\nroutes: [a, b\nadmin: {}\n");
        assert_eq!(problems.len(), 1);
        assert!(problems[0].message.starts_with("this is not YAML: "), "{problems:?}");
        assert!(problems[0].place.line >= 2);
        assert!(only("a: *b").contains("no anchor"));
        assert!(only("a: &a [*a]").contains("stands within"));
    }

    #[test]
    fn what_is_no_mapping_is_one_problem() {
        assert_eq!(only("just text"), "expected a mapping, found text");
        assert_eq!(only("- a\n- b\n"), "expected a mapping, found a list");
        assert_eq!(only("${NONE}"), "the environment variable `NONE` is not set");
        assert_eq!(only("{{ values }}"), "a key must be text, this is a list or a mapping");
    }

    #[test]
    fn a_second_document_is_a_problem_and_the_first_is_read() {
        let loaded = read("listen: a\n---\nlisten: b\n");
        assert_eq!(loaded.file.unwrap().listen.unwrap().value, "a");
        assert_eq!(loaded.problems.sorted()[0].message, "a second document starts here");
    }

    #[test]
    fn depth_is_bounded() {
        let levels = 10_000;
        assert!(only(&"[".repeat(levels)).contains("nested too deeply"));
        assert!(only(&"{a: ".repeat(levels)).contains("nested too deeply"));
        assert!(only(&"- ".repeat(levels)).contains("nested too deeply"));
        let stairs: String = (0..500).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
        assert!(only(&stairs).contains("nested too deeply"));
        let ladder: String = (1..100).map(|n| format!("a{n}: &a{n} [*a{}]\n", n - 1)).collect();
        assert!(only(&format!("a0: &a0 x\n{ladder}")).contains("nested too deeply"));
    }

    #[test]
    fn an_alias_bomb_does_not_go_off() {
        let doubled: String = (1..60).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1)).collect();
        assert!(only(&format!("a0: &a0 x\n{doubled}")).contains("too large"));
        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(20_000), "*a,".repeat(5_000));
        assert!(only(&long).contains("too large"));
    }

    #[test]
    fn size_is_bounded() {
        assert!(only(&"x".repeat(10 << 20)).contains("`routes.yaml` is too large"));
        assert!(only(&"- a\n".repeat(900_000)).contains("too many values"));
    }

    #[test]
    fn a_file_that_is_not_there_names_the_way_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("routes.yaml");
        let loaded = load(&path, &ProcessSurroundings);
        let text = render_text(&loaded.source, &loaded.problems.sorted());
        assert!(text.contains("there is no such file") && text.contains("--config"), "{text}");
        std::fs::write(&path, b"listen: a\nadmin: \xff\n").unwrap();
        let problems = load(&path, &ProcessSurroundings).problems.sorted();
        assert!(problems[0].message.ends_with("is not UTF-8 text from line 2 on"), "{problems:?}");
        std::fs::write(&path, vec![b' '; 9 << 20]).unwrap();
        assert!(load(&path, &ProcessSurroundings).problems.sorted()[0].message.contains("larger than 8192 KiB"));
        std::fs::write(&path, "listen: a\n").unwrap();
        assert!(load(&path, &ProcessSurroundings).problems.is_empty());
    }
}

mod how_it_is_shown {
    use super::*;

    #[test]
    fn a_problem_shows_its_line_with_the_place_marked() {
        let text = "admin:\n  listn: 127.0.0.1:9090\n";
        let expected = "\
error: unknown key `listn` in `admin`
 --> routes.yaml:2:3
  |
2 |   listn: 127.0.0.1:9090
  |   ^^^^^ expected one of `listen`, `token`
  |
  = help: did you mean `listen`?";
        assert_eq!(rendered(text), expected);
    }

    #[test]
    fn a_problem_is_an_object_for_programs() {
        let loaded = read("limits: { max_body: 10 }\n");
        let value = render_json(&loaded.source, &loaded.problems.sorted());
        assert_eq!(
            value,
            json!([{
                "file": "routes.yaml", "line": 1, "column": 21, "severity": "error",
                "message": "expected a size such as 64KiB", "expected": "a size such as 64KiB", "did_you_mean": null,
            }])
        );
        let whole_file = Problem::warning(Default::default(), "odd");
        let value = render_json(&loaded.source, std::slice::from_ref(&whole_file));
        assert_eq!((&value[0]["line"], &value[0]["severity"]), (&json!(null), &json!("warning")));
        assert_eq!(render_text(&loaded.source, &[whole_file]), "warning: odd\n--> routes.yaml");
    }

    #[test]
    fn colours_are_only_there_when_asked_for() {
        let loaded = read("listn: a\n");
        let problems = loaded.problems.sorted();
        assert!(!render_text(&loaded.source, &problems).contains('\x1b'));
        assert!(render_text_in(Colour::On, &loaded.source, &problems).contains('\x1b'));
        assert_eq!(problems[0].severity, Severity::Error);
    }

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let text =
            format!("admin: {{ listen: '{}', colour: red, token: '{}' }}\n", "x".repeat(5_000), "y".repeat(5_000));
        let shown = rendered(&text);
        assert!(shown.contains("colour: red"), "{shown}");
        assert!(shown.contains("routes.yaml:1:5022"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() < 200), "{shown}");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let text = "admin: { \"\\e[31mred\": 1 } # \u{1b}[2J\u{202e}\n";
        let shown = rendered(text);
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown:?}");
    }

    const SECRETS: &str = r#"admin: { listn: a, token: hunter2 }
destinations:
  a:
    url: https://me:hunter2@a.internal/x
    auth: { basic: { usrname: u, password: hunter2 } }
    headers: { X-Api-Key: hunter2, x: [] }
  b: { ulr: 'https://me:hunter2@b', auth: { header: { name: x, vlue: hunter2 } } }
  c: { url: [x], auth: { bearr: hunter2 } }
  d: { url: y, auth: { bearer: [hunter2, &s hunter2] } }
  e: { url: y, auth: { bearer: "${NONE:-hunter2}", x: 1 } }
routes:
  - { name: a, path: /a, deliver: x, secrets: { old: hunter2, new: [hunter2] } }
  - { name: c, path: /a, auth: bearer hunter2, "secret=hunter2": 1, secret=hunter2: 2, secret hunter2, deliver: [] }
  - secret:hunter2
  - name: b
    path: /b
    delver: []
    secert: hunter2
    secret: |
      hunter2
      hunter2 ${
    secret: "hun\
      hunter2"
"#;

    #[test]
    fn no_secret_of_the_file_is_ever_shown() {
        let shown = rendered(SECRETS);
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("1 | admin: { listn: a, token: *** }\n"), "{shown}");
        assert!(
            shown.contains("7 |   b: { ulr: 'https://***@b', auth: { header: { name: x, vlue: *** } } }\n"),
            "{shown}"
        );
        // The mask is shorter than the secret; the column is that of the file.
        assert!(shown.contains("routes.yaml:6:39\n"), "{shown}");
        assert!(!format!("{:?}", read(SECRETS).source).contains("hunter2"));
    }

    #[test]
    fn no_secret_is_shown_of_a_file_that_is_cut_short_anywhere() {
        for end in (0..SECRETS.len()).step_by(7) {
            let shown = rendered(&SECRETS[..end]);
            assert!(!shown.contains("hunter"), "{shown}");
            for broken in ["\n}", " ]", "\n\t- a: b: c", "\"", " *x"] {
                let shown = rendered(&format!("{}{broken}", &SECRETS[..end]));
                assert!(!shown.contains("hunter"), "{shown}");
            }
        }
    }

    #[test]
    fn an_interpolated_value_is_never_shown() {
        let text =
            "destinations: { a: { url: x, format: '${FORMAT}', timeout: '${FORMAT}', concurrency: '${FORMAT}' } }\n";
        assert_eq!(problems(text).len(), 3);
        assert!(!rendered(text).contains("hunter2"));
        assert!(!format!("{:?}", problems(text)).contains("hunter2"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let loaded = read(&text);
        let _ = render_text(&loaded.source, &loaded.problems.sorted());
    }

    #[test]
    fn no_yaml_punctuation_makes_it_panic(text in "([-:?,&*!|>%@\\[\\]{}#'\" \n\ta<]|\\$\\{|: |- |<<: |routes|auth|deliver){0,80}") {
        let loaded = read(&text);
        prop_assert!(loaded.file.is_some() || !loaded.problems.is_empty());
        let _ = render_text(&loaded.source, &loaded.problems.sorted());
    }

    #[test]
    fn however_the_example_is_damaged_it_is_read_or_has_a_problem(
        at in 0..EXAMPLE.len(), gone in 0_usize..40, new in "[-:?,&*!|>%@\\[\\]{}#'\" \n\ta-z0-9$é]{0,6}",
    ) {
        let mut text = EXAMPLE.to_owned();
        text.replace_range(at..(at + gone).min(EXAMPLE.len()), &new);
        let loaded = read(&text);
        prop_assert!(loaded.file.is_some() || loaded.problems.any_error());
        let found = loaded.problems.sorted();
        for problem in &found {
            prop_assert!(problem.place.start <= problem.place.end && problem.place.end <= text.len());
            prop_assert!(text.is_char_boundary(problem.place.start));
        }
        let shown = render_text(&loaded.source, &found);
        prop_assert!(found.is_empty() || shown.contains("routes.yaml"));
    }
}
