//! Requests that are answered on the spot and never become an event: challenges, greetings, pings.

mod condition;
mod reply;
mod sign;

use http::Method;
use serde_json::Value;

pub use self::condition::secret_roles;
pub use crate::config::file::HandshakeMoment as Moment;

use self::condition::Conditions;
use self::reply::ReplyText;
use self::sign::ReplySigner;
use crate::config::{At, Problem, Problems, file, load};
use crate::expr::{Choices, JsonRef, RequestScope, Selector};
use crate::model::NamedSecret;
use crate::pipeline::{Answer, Hosts, Received};
use crate::signing::{Context, Fill, Holes, Message, compile_selector};

/// A provider's handshakes, compiled.
#[derive(Debug, Default)]
pub struct Handshakes(Vec<Handshake>);

/// What a handshake refers to outside of itself.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The route's secrets that verify requests: the first of them signs what a handshake signs.
    pub secrets: &'a [At<NamedSecret>],
    /// Those that have a role of their own.
    pub roles: &'a [At<NamedSecret>],
    /// The address that the provider was given.
    pub public_url: Option<&'a str>,
}

/// What a handshake comes to.
#[derive(Debug)]
pub struct Handshaken {
    /// Which of the provider's handshakes it is, from 1.
    pub number: usize,
    /// What the provider hears.
    pub answer: Answer,
    /// An address that has to be visited before.
    pub confirm: Option<url::Url>,
}

#[derive(Debug)]
struct Handshake {
    moment: Moment,
    conditions: Conditions,
    signer: Option<ReplySigner>,
    reply: ReplyText,
    confirm: Option<(Selector, Hosts)>,
}

/// How whoever sends CloudEvents asks whether it may
/// (HTTP 1.1 Web Hooks for Event Delivery, version 1.0, section 4). Whose requests are believed, `auth` says; so whoever asks may.
const CLOUDEVENTS: &str = "
auth: none
handshake:
  - match: { method: OPTIONS, 'header:WebHook-Request-Origin': { exists: true }, 'header:WebHook-Request-Rate': { exists: true } }
    when: before_auth
    reply:
      headers:
        Allow: POST
        WebHook-Allowed-Origin: '{header:WebHook-Request-Origin}'
        WebHook-Allowed-Rate: '{header:WebHook-Request-Rate}'
  - match: { method: OPTIONS, 'header:WebHook-Request-Origin': { exists: true } }
    when: before_auth
    reply: { headers: { Allow: POST, WebHook-Allowed-Origin: '{header:WebHook-Request-Origin}', WebHook-Allowed-Rate: '*' } }
";

// === impl Handshakes ===

impl Handshakes {
    /// Compiles a provider's handshakes, tried in this order.
    pub fn compile(
        handshakes: &[At<file::Handshake>],
        surroundings: Surroundings<'_>,
        problems: &mut Problems,
    ) -> Self {
        Self(handshakes.iter().filter_map(|file| Handshake::compile(file, surroundings, problems)).collect())
    }

    /// That of a route without a provider, which takes CloudEvents.
    #[must_use]
    pub fn cloudevents() -> Self {
        let surroundings = Surroundings { secrets: &[], roles: &[], public_url: None };
        // The text above is right: there is a test.
        let provider = load::parse_provider(CLOUDEVENTS).ok();
        provider.map(|file| Self::compile(&file.handshake, surroundings, &mut Problems::new())).unwrap_or_default()
    }

    /// Whether there is one for requests of this method.
    #[must_use]
    pub fn take(&self, method: &Method) -> bool {
        self.0.iter().any(|handshake| handshake.conditions.take(method))
    }

    /// What a request comes to that is a handshake at this moment. One whose answer asks for what the request does not have
    /// is none.
    #[must_use]
    pub fn answer(&self, received: &Received, moment: Moment) -> Option<Handshaken> {
        // The body is parsed only where everything else says that it is one.
        let may_be = |(_, handshake): &(usize, &Handshake)| {
            handshake.moment == moment && handshake.conditions.may_hold(&received.scope())
        };
        let mut likely = self.0.iter().enumerate().filter(may_be).peekable();
        likely.peek()?;
        let json: Option<Value> = serde_json::from_slice(&received.body).ok();
        let root = json.as_ref().map(JsonRef::from);
        let scope = RequestScope { json: root, envelope: root, whole: root, ..received.scope() };
        let (index, handshake) = likely.find(|(_, handshake)| handshake.conditions.hold(&scope))?;
        let handshaken = handshake.answer(&Message { path: &received.path, scope }, json.as_ref())?;
        Some(Handshaken { number: index + 1, ..handshaken })
    }
}

// === impl Handshake ===

impl Handshake {
    fn compile(file: &file::Handshake, surroundings: Surroundings<'_>, problems: &mut Problems) -> Option<Self> {
        if file.matches.is_empty() && file.condition.is_none() {
            problems.push(
                Problem::error(file.reply.place, "a handshake that matches everything leaves no events")
                    .expected("a selector and its value under `match`"),
            );
        }
        let conditions = Conditions::compile(file, surroundings.roles, problems);
        let id = Choices::none();
        let context = Context {
            place: file.reply.place,
            id: &id,
            public_url: surroundings.public_url,
            url: None,
            holes: Holes::default(),
        };
        let signer = match &file.sign {
            None => None,
            Some(sign) => ReplySigner::compile(sign, file.when, surroundings.secrets, &context, problems),
        };
        let holes = Holes { signature: file.sign.is_some(), ..Holes::default() };
        let reply = ReplyText::compile(&file.reply, &Context { holes, ..context }, problems);
        let confirm = file.confirm.as_ref().and_then(|confirm| {
            if file.when == Moment::BeforeAuth {
                problems.push(
                    Problem::error(confirm.place, "an address of an unverified request is never visited")
                        .expected("`when: after_auth`"),
                );
            }
            Some((compile_selector(&confirm.url, problems)?, Hosts::compile(&confirm.hosts, problems)?))
        });
        Some(Self { moment: file.when, conditions: conditions?, signer, reply: reply?, confirm })
    }

    fn answer(&self, message: &Message<'_>, json: Option<&Value>) -> Option<Handshaken> {
        let signature = match &self.signer {
            None => None,
            Some(signer) => Some(signer.sign(message)?),
        };
        let confirm = match &self.confirm {
            None => None,
            Some((from, hosts)) => Some(hosts.admit(&message.one(from).ok()??)?),
        };
        let fill = Fill { signature: signature.as_deref(), ..Fill::default() };
        Some(Handshaken { number: 0, answer: self.reply.answer(message, json, fill)?, confirm })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method};
    use serde_json::json;

    use super::*;
    use crate::config::load;
    use crate::model::{Secret, Timestamp};

    fn compile(handshakes: &str) -> (Handshakes, Vec<Problem>) {
        let provider = load::parse_provider(&format!("auth: none\nhandshake: {handshakes}")).unwrap();
        let mut problems = Problems::new();
        let secret = |name: &str, value: &str| At::nowhere(NamedSecret::new(name, Secret::new(value.to_owned())));
        let surroundings = Surroundings {
            secrets: &[secret("main", "key")],
            roles: &[secret("verify_token", "meatyhamhock")],
            public_url: None,
        };
        let handshakes = Handshakes::compile(&provider.handshake, surroundings, &mut problems);
        (handshakes, problems.sorted())
    }

    fn received(query: &str, body: &str) -> Received {
        Received {
            method: Method::POST,
            path: "/hooks".into(),
            query: query.into(),
            path_params: vec![("hook".into(), "Hello".into())],
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            received_at: Timestamp::from_seconds(0),
        }
    }

    fn answer(handshakes: &str, query: &str, body: &str) -> Option<(u16, Value)> {
        let (handshakes, problems) = compile(handshakes);
        assert!(problems.is_empty(), "{problems:?}");
        let answer = handshakes.answer(&received(query, body), Moment::AfterAuth)?.answer;
        Some((answer.status, answer.body.map(|body| serde_json::from_slice(&body).unwrap()).unwrap_or_default()))
    }

    fn text(handshakes: &str, query: &str) -> Option<String> {
        let (handshakes, problems) = compile(handshakes);
        assert!(problems.is_empty(), "{problems:?}");
        let answer = handshakes.answer(&received(query, ""), Moment::BeforeAuth)?.answer;
        answer.body.map(|body| String::from_utf8(body.to_vec()).unwrap())
    }

    const CHALLENGE: &str = "[{ match: { $.type: url_verification }, reply: { body: { challenge: $.challenge } } }]";

    #[test]
    fn a_challenge_is_answered_with_what_it_asks_for() {
        let told = answer(CHALLENGE, "", r#"{"type":"url_verification","challenge":"c"}"#);
        assert_eq!(told, Some((200, json!({ "challenge": "c" }))));
    }

    #[test]
    fn what_is_no_handshake_goes_on() {
        for body in [r#"{"type":"event"}"#, "{}", "not json", ""] {
            assert_eq!(answer(CHALLENGE, "", body), None, "{body}");
        }
    }

    #[test]
    fn a_handshake_whose_answer_cannot_be_given_is_none() {
        let required = "[{ match: { $.a: x }, reply: { body: { c: { $path: $.c, $required: true } } } }]";
        assert_eq!(answer(required, "", r#"{"a":"x"}"#), None);
        assert!(answer(required, "", r#"{"a":"x","c":1}"#).is_some());
    }

    #[test]
    fn every_condition_must_hold() {
        let both = "[{ match: { 'query:mode': [a, b], 'query:token': { exists: true }, 'path:hook': { not: Bye } }, \
                    reply: { status: 204 } }]";
        assert_eq!(answer(both, "mode=b&token=1", ""), Some((204, Value::Null)));
        for query in ["mode=c&token=1", "mode=a", "token=1", ""] {
            assert_eq!(answer(both, query, ""), None, "{query}");
        }
    }

    #[test]
    fn not_wants_the_value_to_be_there() {
        let not = "[{ match: { 'query:mode': { not: [a, b] } }, reply: {} }]";
        assert_eq!(answer(not, "mode=c", ""), Some((200, Value::Null)));
        assert_eq!(answer(not, "mode=b", ""), None);
        assert_eq!(answer(not, "", ""), None);
        let absent = "[{ match: { 'query:mode': { exists: false } }, reply: {} }]";
        assert!(answer(absent, "", "").is_some() && answer(absent, "mode=c", "").is_none());
    }

    #[test]
    fn each_is_answered_at_its_moment_and_the_first_wins() {
        let (handshakes, _) = compile(
            "[{ match: { 'path:hook': Hello }, when: before_auth, reply: { status: 201 } }, \
             { match: { 'path:hook': Hello }, reply: { status: 202 } }, \
             { match: { 'path:hook': Hello }, reply: { status: 203 } }]",
        );
        let status = |moment| handshakes.answer(&received("", ""), moment).map(|handshaken| handshaken.answer.status);
        assert_eq!(status(Moment::BeforeAuth), Some(201));
        assert_eq!(status(Moment::AfterAuth), Some(202));
    }

    #[test]
    fn one_that_takes_everything_or_cannot_be_read_is_a_problem() {
        for handshakes in [
            "[{ match: {}, reply: {} }]",
            "[{ match: { hedaer:X: a }, reply: {} }]",
            "[{ match: { $.a: x }, reply: { status: 199 } }]",
            "[{ match: { $.a: x }, reply: { body: '{$.a' } }]",
            "[{ match: { $.a: x }, reply: { body: { b: '{query:a} {nope}' } } }]",
            "[{ match: { $.a: x }, reply: { text: '{signature}' } }]",
            "[{ match: { $.a: x }, reply: { headers: { Content-Length: '1' } } }]",
            "[{ match: { $.a: { secret: other } }, reply: {} }]",
            "[{ match: { $.a: x }, if: '$.b ==', reply: {} }]",
            "[{ match: { $.a: x }, sign: {}, reply: {} }]",
            "[{ match: { $.a: x }, when: before_auth, reply: {}, confirm: { url: $.b, hosts: [a.example.com] } }]",
            "[{ match: { $.a: x }, reply: {}, confirm: { url: $.b, hosts: ['*'] } }]",
        ] {
            assert_eq!(compile(handshakes).1.len(), 1, "{handshakes}");
        }
        assert!(!compile("[]").0.take(&Method::POST));
    }

    #[test]
    fn a_challenge_in_the_query_is_answered_as_text_to_whoever_knows_the_token() {
        let meta = "[{ match: { method: POST, 'query:mode': subscribe, 'query:token': { secret: verify_token } }, \
                    when: before_auth, reply: { text: '{query:challenge}' } }]";
        let asked = "mode=subscribe&challenge=11%2058&token=meatyhamhock";
        assert_eq!(text(meta, asked).as_deref(), Some("11 58"));
        for query in [
            "mode=subscribe&challenge=1&token=other",
            "mode=subscribe&challenge=1",
            "mode=subscribe&token=meatyhamhock",
        ] {
            assert_eq!(text(meta, query), None, "{query}");
        }
    }

    #[test]
    fn nobody_has_an_event_signed_by_asking_for_a_signature() {
        let crc = "[{ match: { 'query:crc': { exists: true } }, when: before_auth, \
                   sign: { hmac: { hash: sha256, content: '{query:crc}' } }, reply: { text: 'sha256={signature}' } }]";
        assert!(text(crc, "crc=challenge_string").is_some_and(|text| text.len() == 7 + 64));
        let long = format!("crc={}", "a".repeat(513));
        for query in ["crc=%7B%22id%22%3A1%7D", "crc=%5B1%5D", "crc=a+b", "crc=%22a%22", "crc=a%0Ab", long.as_str()] {
            assert_eq!(text(crc, query), None, "{query}");
        }
        // Whoever is verified may have signed what they like: they know the secret.
        let verified = crc.replace("before_auth", "after_auth");
        assert!(compile(&verified).0.answer(&received("crc=%7B%7D", ""), Moment::AfterAuth).is_some());
    }

    #[test]
    fn a_condition_is_one_over_the_body() {
        let empty = "[{ match: { method: POST }, if: '$.events && !$.events[0]', reply: { text: '' } }]";
        let (handshakes, _) = compile(empty);
        let taken = |body: &str| handshakes.answer(&received("", body), Moment::AfterAuth).is_some();
        assert!(taken(r#"{"events":[]}"#));
        assert!(!taken(r#"{"events":[1]}"#) && !taken("{}") && !taken("not json"));
    }

    #[test]
    fn only_addresses_of_the_pinned_hosts_are_confirmed() {
        let sns = "[{ match: { $.Type: Sub }, reply: {}, confirm: { url: $.Url, hosts: ['sns.*.amazonaws.com'] } }]";
        let (handshakes, problems) = compile(sns);
        assert!(problems.is_empty(), "{problems:?}");
        let confirmed = |url: &str| {
            let body = json!({ "Type": "Sub", "Url": url }).to_string();
            handshakes
                .answer(&received("", &body), Moment::AfterAuth)
                .map(|handshaken| handshaken.confirm.unwrap().to_string())
        };
        let url = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=1";
        assert_eq!(confirmed(url).as_deref(), Some(url));
        assert_eq!(confirmed("https://evil.example/?Token=1"), None);
    }

    #[test]
    fn whoever_sends_cloudevents_may_ask_whether_it_may() {
        let handshakes = Handshakes::cloudevents();
        assert!(handshakes.take(&Method::OPTIONS) && !handshakes.take(&Method::GET));
        let mut asked = received("", "");
        asked.method = Method::OPTIONS;
        assert!(handshakes.answer(&asked, Moment::BeforeAuth).is_none());
        asked.headers.insert("webhook-request-origin", "eventemitter.example.com".parse().unwrap());
        let rate = |asked: &Received| {
            let answer = handshakes.answer(asked, Moment::BeforeAuth).unwrap().answer;
            assert_eq!(answer.headers["webhook-allowed-origin"], "eventemitter.example.com");
            answer.headers["webhook-allowed-rate"].to_str().unwrap().to_owned()
        };
        assert_eq!(rate(&asked), "*");
        asked.headers.insert("webhook-request-rate", "120".parse().unwrap());
        assert_eq!(rate(&asked), "120");
    }
}
