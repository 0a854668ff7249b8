//! A destination, compiled.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::address::Address;
use super::fields::Fields;
use super::guard::Kind;
use super::judge::Judge;
use super::link::Link;
use super::oauth::TokenSource;
use super::sign::Signer;
use super::{BreakerPolicy, RetryPolicy, limits};
use crate::config::{At, Place, Problem, Problems, Rate, file};
use crate::expr::Needs;
use crate::model::Secret;

/// A destination, compiled.
pub struct Target {
    /// Its name: a metric label.
    pub name: Arc<str>,
    /// How long one attempt may take, to the end of the response.
    pub timeout: Duration,
    /// How many attempts may be under way at once.
    pub concurrency: usize,
    /// How many attempts may be begun in a time; `None` for as many as come.
    pub rate: Option<Rate>,
    /// When no attempts are made because it fails; `None` for never.
    pub breaker: Option<BreakerPolicy>,
    /// When a failed attempt is made again.
    pub retry: RetryPolicy,
    pub(super) method: Method,
    pub(super) address: Address,
    pub(super) fields: Fields,
    /// How it is connected to.
    pub(super) link: Link,
    /// Where its access tokens come from.
    pub(super) tokens: Option<TokenSource>,
    /// How its requests are signed.
    pub(super) signer: Option<Signer>,
    /// What its 2xx have to say.
    pub(super) judge: Option<Judge>,
}

// === impl Target ===

impl Target {
    /// Compiles a destination. Every problem is collected; `None` where one of them keeps it from being a target.
    pub fn compile(name: &At<String>, file: &file::Destination, problems: &mut Problems) -> Option<Self> {
        let mut own = Problems::new();
        let address = Address::compile(&file.url, &mut own);
        let method = method(file.method.as_ref(), &mut own);
        let fields = Fields::compile(&file.headers, file.auth.as_ref(), &mut own);
        let public_only = file.allow_private.as_ref().is_some_and(|allowed| !allowed.value);
        if let Some(address) = &address {
            check_connection(file, address, public_only, &mut own);
        }
        let link = Link::compile(file.tls.as_ref(), public_only, &mut own);
        let tokens = match file.auth.as_ref().map(|auth| &auth.value) {
            Some(file::DestinationAuth::Oauth2(oauth)) => TokenSource::compile(oauth, public_only, &mut own),
            _ => None,
        };
        let origin = address.as_ref().map(Address::origin).unwrap_or_default();
        let signer = file.sign.as_ref().and_then(|sign| Signer::compile(sign, &origin, &mut own));
        if let (Some(signer), Some(sign)) = (&signer, &file.sign) {
            check_signed_fields(signer, sign.place, &fields, &mut own);
        }
        let judge = file.success.as_ref().and_then(|success| Judge::compile(success, &mut own));
        let timeout = timeout(file, &mut own);
        let concurrency = concurrency(file.concurrency.as_ref(), &mut own);
        let rate = limits::rate(file.rate.as_ref(), &mut own);
        let breaker = BreakerPolicy::compile(file.breaker.as_ref(), &mut own);
        let retry = RetryPolicy::compile(&file.retry, &mut own);
        let sound = !own.any_error();
        problems.extend(own.sorted());
        let (Some(address), Some(method), Some(link), true) = (address, method, link, sound) else { return None };
        let name = name.value.as_str().into();
        let link = link.directly_to(&address);
        Some(Self {
            name,
            timeout,
            concurrency,
            rate,
            breaker,
            retry,
            method,
            address,
            fields,
            link,
            tokens,
            signer,
            judge,
        })
    }

    /// Takes over what `old`, the same destination before a reload, has of connections and tokens, as far as those are
    /// made and asked for in the same way.
    pub fn keep(&self, old: &Self) {
        self.link.keep(&old.link);
        if let (Some(tokens), Some(old)) = (&self.tokens, &old.tokens) {
            tokens.keep(old);
        }
    }

    /// Its host, and its port where that is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.address.authority()
    }

    /// The header fields that its signature is in, with the time and the id that go with it.
    pub fn signature_headers(&self) -> impl Iterator<Item = &http::HeaderName> {
        self.signer.iter().flat_map(Signer::headers)
    }

    /// Adds what its URL and its header fields look at in an event's document.
    pub fn add_needs(&self, needs: &mut Needs) {
        needs.add(self.address.needs());
        needs.add(self.fields.needs());
    }

    /// What must not come back in the detail of an attempt.
    pub(super) fn secrets(&self) -> &[Secret] {
        self.fields.secrets()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("name", &self.name)
            .field("method", &self.method)
            .field("authority", &self.authority())
            .field("headers", &self.fields.names().collect::<Vec<_>>())
            .field("timeout", &self.timeout)
            .field("concurrency", &self.concurrency)
            .field("rate", &self.rate)
            .field("breaker", &self.breaker)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

fn check_connection(file: &file::Destination, address: &Address, public_only: bool, problems: &mut Problems) {
    if let Some(kind) = Kind::named_by(address.base()).filter(|_| public_only) {
        problems.push(
            Problem::error(file.url.place, format!("the url names {kind}, which `allow_private: false` refuses"))
                .expected("a public address, or no `allow_private: false`"),
        );
    }
    if let Some(tls) = file.tls.as_ref().filter(|_| address.base().scheme() == "http") {
        problems
            .push(Problem::error(tls.place, "no TLS is spoken with an http url").expected("an https url, or no `tls`"));
    }
}

/// What is signed last would replace what `headers` or `auth` set.
fn check_signed_fields(signer: &Signer, place: Place, fields: &Fields, problems: &mut Problems) {
    for name in signer.headers().filter(|name| fields.sets(name)) {
        let problem = Problem::error(place, format!("`sign` sets `{name}`, and so does `headers` or `auth`"));
        problems.push(problem.expected("a header of its own"));
    }
}

fn method(given: Option<&At<String>>, problems: &mut Problems) -> Option<Method> {
    let Some(given) = given else { return Some(Method::POST) };
    let expected = "POST, PUT, PATCH, DELETE, or a method of the destination's own";
    let Ok(method) = Method::from_bytes(given.value.as_bytes()) else {
        problems.push(Problem::error(given.place, "this is not an HTTP method").expected(expected));
        return None;
    };
    let upper = method.as_str().to_ascii_uppercase();
    if ["GET", "HEAD", "OPTIONS", "TRACE", "CONNECT"].contains(&&*upper) {
        // RFC 9110, section 9.3: a body has no meaning in these, and intermediaries may answer or repeat them.
        problems.push(Problem::error(given.place, format!("{upper} carries no body")).expected(expected));
        return None;
    }
    let known = ["POST", "PUT", "PATCH", "DELETE"];
    if method.as_str() != upper && known.contains(&&*upper) {
        let problem = Problem::error(given.place, "methods are case-sensitive").expected(expected);
        problems.push(problem.suggest(&given.value, known));
        return None;
    }
    Some(method)
}

fn timeout(file: &file::Destination, problems: &mut Problems) -> Duration {
    let Some(given) = &file.timeout else { return Duration::from_secs(30) };
    if given.value.0.is_zero() {
        problems.push(
            Problem::error(given.place, "no attempt could succeed in no time").expected("a duration such as 30s"),
        );
    }
    given.value.0
}

fn concurrency(given: Option<&At<u32>>, problems: &mut Problems) -> usize {
    let Some(given) = given else { return 32 };
    if given.value == 0 {
        problems.push(Problem::error(given.place, "no attempt could ever be made").expected("1 or more"));
    }
    usize::try_from(given.value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use http::header::{AUTHORIZATION, CONTENT_TYPE};
    use http::{HeaderMap, HeaderValue};

    use super::super::Outbound;
    use super::super::sample::{destination, event, headers, id, payload, problems, target};
    use super::*;
    use crate::config::{Named, Span};
    use crate::model::Timestamp;
    use crate::pipeline::Payload;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
    const URL: &str = "https://crm.internal/contacts";

    fn with_headers(fields: &[(&str, &str)]) -> file::Destination {
        file::Destination { headers: headers(fields), ..destination(URL) }
    }

    fn with_auth(auth: file::DestinationAuth) -> file::Destination {
        file::Destination { auth: Some(At::nowhere(auth)), ..destination(URL) }
    }

    fn secret(value: &str) -> Secret {
        Secret::new(value.to_owned())
    }

    fn basic(username: &str, password: &str) -> file::DestinationAuth {
        file::DestinationAuth::Basic { username: username.to_owned(), password: secret(password) }
    }

    fn own_header(name: &str, value: &str) -> file::DestinationAuth {
        file::DestinationAuth::Header { name: At::nowhere(name.to_owned()), value: secret(value) }
    }

    fn request(file: &file::Destination, data: &str) -> Outbound {
        Outbound::new(&target(file), &event(data), payload(), id(), 1, NOW).unwrap()
    }

    #[test]
    fn the_defaults_are_those_of_the_file() {
        let target = target(&destination(URL));
        assert_eq!((target.timeout, target.concurrency), (Duration::from_secs(30), 32));
        assert_eq!((target.rate, target.breaker.clone()), (None, Some(BreakerPolicy::default())));
        assert_eq!((target.method.as_str(), target.authority()), ("POST", "crm.internal"));
        assert_eq!((target.retry.max_attempts, target.retry.initial), (15, Duration::from_secs(1)));
    }

    #[test]
    fn a_method_that_carries_no_body_or_is_misspelt_is_a_problem() {
        let method = |method: &str| file::Destination { method: Some(At::nowhere(method.into())), ..destination(URL) };
        for refused in ["GET", "head", "TRACE", "CONNECT", "OPTIONS", "", "PO ST", "post", "Patch"] {
            assert_eq!(problems(&method(refused)).len(), 1, "{refused}");
        }
        assert_eq!(problems(&method("post"))[0].did_you_mean.as_deref(), Some("POST"));
        for taken in ["POST", "PUT", "PATCH", "DELETE", "NOTIFY"] {
            assert_eq!(request(&method(taken), "{}").method.as_str(), taken);
        }
    }

    #[test]
    fn every_problem_is_found_at_once_each_at_its_place() {
        let place = |line| Place { line, ..Place::default() };
        let file = file::Destination {
            url: At::new("ftp://crm".into(), place(1)),
            method: Some(At::new("GET".into(), place(2))),
            headers: Named(vec![(At::new("Host".into(), place(3)), At::nowhere("x".into()))]),
            auth: Some(At::new(file::DestinationAuth::Bearer(At::new(secret(""), place(4))), place(4))),
            timeout: Some(At::new(Span(Duration::ZERO), place(5))),
            concurrency: Some(At::new(0, place(6))),
            retry: file::Retry { max_attempts: Some(At::new(0, place(7))), ..Default::default() },
            rate: Some(At::new(Rate { count: 0, per: Duration::from_secs(1) }, place(8))),
            ..destination(URL)
        };
        let lines: Vec<u32> = problems(&file).iter().map(|problem| problem.place.line).collect();
        assert_eq!(lines, [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn headers_that_are_ours_or_the_connections_are_refused() {
        for name in [
            "Host",
            "Content-Length",
            "Transfer-Encoding",
            "Connection",
            "Keep-Alive",
            "TE",
            "Trailer",
            "Upgrade",
            "Proxy-Authorization",
            "Expect",
            "Idempotency-Key",
            "Hookswitch-Attempt",
            "X Y",
            "",
            "x:y",
        ] {
            assert_eq!(problems(&with_headers(&[(name, "1")])).len(), 1, "{name}");
            assert_eq!(problems(&with_auth(own_header(name, "1"))).len(), 1, "{name}");
        }
    }

    #[test]
    fn a_header_said_twice_is_a_problem() {
        assert_eq!(problems(&with_headers(&[("X-Env", "a"), ("x-env", "b")])).len(), 1);
        let file = file::Destination {
            headers: headers(&[("authorization", "Bearer x")]),
            ..with_auth(file::DestinationAuth::Bearer(At::nowhere(secret("y"))))
        };
        assert_eq!(problems(&file).len(), 1);
    }

    #[test]
    fn a_header_value_that_cannot_be_sent_is_a_problem() {
        assert_eq!(problems(&with_headers(&[("X-Env", "a\r\nx-admin: 1")])).len(), 1);
        assert_eq!(problems(&with_auth(own_header("X-Api-Key", "a\nb"))).len(), 1);
        assert_eq!(problems(&with_auth(file::DestinationAuth::Bearer(At::nowhere(secret("a\nb"))))).len(), 1);
        assert_eq!(problems(&with_auth(basic("a:b", "c"))).len(), 1);
    }

    #[test]
    fn header_templates_take_the_events_values() {
        let file = with_headers(&[("X-Customer", "no {$.data.id}: {$.data.name}"), ("X-Env", "prod")]);
        let headers = request(&file, r#"{"id":9007199254740993,"name":"Zoë"}"#).headers;
        assert_eq!(headers["x-customer"].as_bytes(), "no 9007199254740993: Zoë".as_bytes());
        assert_eq!(headers["x-env"], "prod");
    }

    #[test]
    fn each_kind_of_auth_sends_its_header() {
        let bearer = file::DestinationAuth::Bearer(At::nowhere(secret("t0ken")));
        assert_eq!(request(&with_auth(bearer), "{}").headers[AUTHORIZATION], "Bearer t0ken");
        // RFC 7617, section 2.
        let headers = request(&with_auth(basic("Aladdin", "open sesame")), "{}").headers;
        assert_eq!(headers[AUTHORIZATION], "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        let headers = request(&with_auth(own_header("X-Api-Key", "k")), "{}").headers;
        assert_eq!(headers["x-api-key"], "k");
        assert!(headers["x-api-key"].is_sensitive());
    }

    #[test]
    fn the_destinations_headers_replace_those_of_the_payload() {
        let payload = Payload {
            headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]),
            ..payload()
        };
        let file = with_headers(&[("content-type", "application/vnd.crm+json"), ("User-Agent", "crm-feed")]);
        let headers = Outbound::new(&target(&file), &event("{}"), payload, id(), 7, NOW).unwrap().headers;
        assert_eq!(headers[CONTENT_TYPE], "application/vnd.crm+json");
        assert_eq!(headers["user-agent"], "crm-feed");
        assert_eq!(headers["idempotency-key"], id().to_string());
        assert_eq!(headers["hookswitch-attempt"], "7");
        assert_eq!(headers.len(), 4);
    }

    #[test]
    fn no_problem_repeats_a_value_that_may_be_secret() {
        let file = file::Destination {
            headers: headers(&[("X-Api-Key", "{hunter2}"), ("Cookie", "hunter2\n")]),
            ..with_auth(file::DestinationAuth::Bearer(At::nowhere(secret("hunter2\n"))))
        };
        let problems = problems(&file);
        assert_eq!(problems.len(), 3);
        assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
    }

    #[test]
    fn debug_shows_no_secret_and_no_value() {
        let file = file::Destination {
            url: At::nowhere("https://crm.internal/hunter2?key=hunter2&id={$.data.id}".into()),
            headers: headers(&[("X-Secret", "hunter2"), ("X-Id", "{$.data.id}")]),
            ..with_auth(basic("hunter2", "hunter2"))
        };
        let request = request(&file, r#"{"id":"hunter2"}"#);
        let shown = format!("{:?} {request:?}", target(&file));
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("crm.internal") && shown.contains("x-secret"), "{shown}");
        assert!(request.headers["x-secret"].is_sensitive());
    }
}
