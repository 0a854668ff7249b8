use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::super::guard::{Kind, Lookup};
use super::super::link::{Link, POOL_IDLE};
use super::super::sample::{destination, event, headers, id, payload, target};
use super::super::scripted::{Scripted, Step};
use super::*;
use crate::config::{At, Problems, Span, file};
use crate::model::{Outcome, Reason, Secret};

/// A success with nothing in it.
const NOTHING: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const NOW: Timestamp = Timestamp::from_seconds(784_111_777);

/// A destination by each of the two clients. What TLS is spoken to is reqwest's both times.
fn by_each(file: &file::Destination) -> [Target; 2] {
    let public_only = file.allow_private.as_ref().is_some_and(|allowed| !allowed.value);
    let link = Link::compile(file.tls.as_ref(), public_only, &mut Problems::new()).unwrap();
    [target(file), Target { link, ..target(file) }]
}

/// The answer to an attempt, which is the same by each of the two clients.
async fn attempt_by(client: &Client, file: &file::Destination) -> Answer {
    let [direct, other] = by_each(file);
    let answer = client.attempt(&direct, &event("{}"), Ok(payload()), id(), 1, NOW).await;
    let same = client.attempt(&other, &event("{}"), Ok(payload()), id(), 1, NOW).await;
    assert_eq!(answer, same);
    answer
}

async fn attempt_at(file: &file::Destination) -> Answer {
    attempt_by(&Client::new().unwrap(), file).await
}

async fn answer_to(response: &str) -> Answer {
    let server = Scripted::answering(response).await;
    attempt_at(&destination(&server.url("/"))).await
}

async fn answer_to_steps(steps: impl Into<Vec<Step>>) -> Answer {
    let server = Scripted::start(steps).await;
    attempt_at(&destination(&server.url("/"))).await
}

fn send(bytes: &str) -> Step {
    Step::Send(bytes.into())
}

fn with_timeout(url: &str, millis: u64) -> file::Destination {
    let timeout = Some(At::nowhere(Span(Duration::from_millis(millis))));
    file::Destination { timeout, ..destination(url) }
}

#[tokio::test]
async fn a_2xx_is_delivered() {
    for (response, status) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 200),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204),
        ("HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 202),
    ] {
        let answer = answer_to(response).await;
        assert_eq!((answer.outcome, answer.status), (Outcome::Delivered, Some(status)), "{answer:?}");
    }
}

#[tokio::test]
async fn a_500_is_not_delivered_and_says_what_the_destination_said() {
    let answer = answer_to("HTTP/1.1 500 Oops\r\ncontent-length: 12\r\n\r\nno\r\ndatabase").await;
    assert_eq!(answer.outcome, Outcome::Retry(Reason::ServerError));
    assert_eq!((answer.status, &*answer.detail, &*answer.excerpt), (Some(500), "answered 500", "no  database"));
    let attempt = answer.to_attempt(1, Timestamp::from_seconds(0), Duration::ZERO, answer.outcome);
    assert_eq!(&*attempt.detail, "answered 500: no  database");
}

#[tokio::test]
async fn a_4xx_is_left_to_the_retry_policy() {
    for status in [404, 410, 422] {
        let answer = answer_to(&format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n")).await;
        assert_eq!(answer.outcome, Outcome::Retry(Reason::ClientError));
        assert_eq!((answer.status, &*answer.detail), (Some(status), &*format!("answered {status}")));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Scripted::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    for status in [301, 302, 303, 307, 308] {
        let location = elsewhere.url("/stolen");
        let response = format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(answer_to(&response).await.outcome, Outcome::DeadLetter(Reason::Redirect));
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_429_says_how_long_to_wait() {
    for value in ["90", "Sun, 06 Nov 1994 08:51:07 GMT"] {
        let response = format!("HTTP/1.1 429 Slow\r\nretry-after: {value}\r\ncontent-length: 0\r\n\r\n");
        let answer = answer_to(&response).await;
        assert_eq!(answer.outcome, Outcome::Retry(Reason::RateLimited));
        assert_eq!(answer.retry_after, Some(Duration::from_secs(90)));
    }
    let answer = answer_to("HTTP/1.1 200 OK\r\nretry-after: 90\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(answer.retry_after, None, "of a success it means nothing");
}

#[tokio::test]
async fn an_interim_answer_is_not_the_answer() {
    let early = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    let answer = answer_to(&format!("{early}HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n")).await;
    assert_eq!(answer.outcome, Outcome::Retry(Reason::ServerError));
    let answer = answer_to("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n").await;
    assert_eq!(answer.outcome, Outcome::Retry(Reason::UnexpectedStatus));
}

#[tokio::test]
async fn a_refused_connection_is_no_connection() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let answer = attempt_at(&destination(&format!("http://{addr}/secret?token=t0psecret"))).await;
    assert_eq!((answer.outcome, answer.status), (Outcome::Retry(Reason::Connect), None));
    assert!(answer.detail.contains(&addr.to_string()), "{}", answer.detail);
    assert!(!answer.detail.contains("secret"), "{}", answer.detail);
}

#[tokio::test]
async fn an_unknown_host_is_a_matter_of_dns() {
    let answer = attempt_at(&destination("http://name.invalid/")).await;
    assert_eq!(answer.outcome, Outcome::Retry(Reason::Dns), "{answer:?}");
    let allow_private = Some(At::nowhere(false));
    let guarded = file::Destination { allow_private, ..destination("http://name.invalid/") };
    let answer = attempt_at(&guarded).await;
    assert_eq!(answer.outcome, Outcome::Retry(Reason::Dns), "{answer:?}");
}

#[tokio::test]
async fn tls_to_a_port_that_does_not_speak_it_is_a_matter_of_tls() {
    for steps in [vec![send("HTTP/1.1 400 Bad Request\r\n\r\n"), Step::Close], vec![Step::Close]] {
        let server = Scripted::start(steps).await;
        let answer = attempt_at(&destination(&format!("https://{}/", server.addr))).await;
        assert_eq!(answer.outcome, Outcome::Retry(Reason::Tls), "{answer:?}");
    }
}

#[tokio::test]
async fn what_is_not_http_is_a_broken_response() {
    for steps in [
        vec![send("SSH-2.0-OpenSSH_9.2p1 Debian\r\n"), Step::Hang],
        vec![send("HTTP/1.1 200"), Step::Close],
        vec![send("HTTP/1.1 200 OK\r\nx: "), Step::SendForEver(vec![b'x'; 16 * 1024])],
        vec![Step::Close],
        vec![Step::Reset],
    ] {
        let answer = answer_to_steps(steps.clone()).await;
        assert_eq!(answer.outcome, Outcome::Retry(Reason::BrokenResponse), "{steps:?}: {answer:?}");
        assert_eq!(answer.status, None);
    }
}

#[tokio::test]
async fn a_2xx_that_breaks_off_is_not_delivered() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
    for end in [Step::Reset, Step::Close] {
        let answer = answer_to_steps([send(head), end]).await;
        assert_eq!(answer.outcome, Outcome::Retry(Reason::BrokenResponse), "{answer:?}");
        assert_eq!(answer.status, Some(200));
    }
}

#[tokio::test]
async fn a_refusal_that_breaks_off_is_still_that_refusal() {
    let answer = answer_to_steps([send("HTTP/1.1 410 Gone\r\ncontent-length: 100\r\n\r\nhalf"), Step::Close]).await;
    assert_eq!((answer.outcome, answer.status), (Outcome::Retry(Reason::ClientError), Some(410)));
    assert_eq!((&*answer.detail, &*answer.excerpt), ("answered 410", "half"));
}

#[tokio::test]
async fn an_endless_response_is_read_to_the_bound_and_cut_off() {
    let head = send("HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n");
    let server = Scripted::start([head, Step::SendForEver(vec![b'x'; 16 * 1024])]).await;
    let answer = attempt_at(&destination(&server.url("/"))).await;
    assert_eq!(answer.outcome, Outcome::Delivered);
    // The bound, and what fits into the sockets' buffers.
    assert!(server.cut_off().await < 32 * 1024 * 1024);

    let head = send("HTTP/1.1 500 Oops\r\n\r\n");
    let answer = answer_to_steps([head, Step::SendForEver(vec![b'x'; 16 * 1024])]).await;
    assert_eq!(answer.outcome, Outcome::Retry(Reason::ServerError));
    assert!(answer.excerpt.len() < 600, "{}", answer.excerpt.len());
}

#[tokio::test]
async fn an_answer_that_does_not_come_or_does_not_end_is_a_timeout() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nh";
    for (steps, status) in [(vec![Step::Hang], None), (vec![send(head), Step::Hang], Some(200))] {
        let server = Scripted::start(steps).await;
        let answer = attempt_at(&with_timeout(&server.url("/"), 50)).await;
        assert_eq!((answer.outcome, answer.status), (Outcome::Retry(Reason::Timeout), status), "{answer:?}");
    }
}

#[tokio::test]
async fn attempts_share_a_connection_and_the_idempotency_key_and_say_their_number() {
    for response in [NOTHING, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"] {
        for way in 0..2 {
            let server = Scripted::answering(response).await;
            let (client, targets) = (Client::new().unwrap(), by_each(&destination(&server.url("/"))));
            for number in 1..=3 {
                let answer = client.attempt(&targets[way], &event("{}"), Ok(payload()), id(), number, NOW).await;
                assert_eq!(answer.outcome, Outcome::Delivered);
            }
            assert_eq!(server.connections(), 1, "{way}");
            let requests = server.requests();
            for (number, request) in (1..).zip(&requests) {
                assert!(request.contains(&format!("\r\nidempotency-key: {}\r\n", id())), "{request}");
                assert!(request.contains(&format!("\r\nhookswitch-attempt: {number}\r\n")), "{request}");
            }
            assert_eq!(requests.len(), 3);
        }
    }
}

#[tokio::test]
async fn what_cannot_be_rendered_is_given_up_without_a_connection() {
    let server = Scripted::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let client = Client::new().unwrap();
    let missing = RenderError::Missing { path: "$.data.email".into() };
    let plain = target(&destination(&server.url("/")));
    let answer = client.attempt(&plain, &event("{}"), Err(missing), id(), 1, NOW).await;
    assert_eq!(answer.outcome, Outcome::DeadLetter(Reason::Transform));
    assert!(answer.detail.contains("$.data.email"), "{}", answer.detail);

    let by_id = target(&destination(&server.url("/{$.data.id}")));
    let answer = client.attempt(&by_id, &event("{}"), Ok(payload()), id(), 1, NOW).await;
    assert_eq!(answer.outcome, Outcome::DeadLetter(Reason::Transform));

    let fields = headers(&[("X-Name", "{$.data.name}")]);
    let named = target(&file::Destination { headers: fields, ..destination(&server.url("/")) });
    let answer = client.attempt(&named, &event(r#"{"name":"a\r\nx-admin: 1"}"#), Ok(payload()), id(), 1, NOW).await;
    assert_eq!(answer.outcome, Outcome::DeadLetter(Reason::InvalidRequest));
    assert!(!answer.detail.contains("admin"), "{}", answer.detail);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_url_that_no_request_has_room_for_is_given_up() {
    let server = Scripted::answering(NOTHING).await;
    let client = Client::new().unwrap();
    let event = event(&format!(r#"{{"id":"{}"}}"#, "x".repeat(70_000)));
    for target in by_each(&destination(&server.url("/{$.data.id}"))) {
        let answer = client.attempt(&target, &event, Ok(payload()), id(), 1, NOW).await;
        assert_eq!(answer.outcome, Outcome::DeadLetter(Reason::InvalidRequest));
        assert_eq!(&*answer.detail, "the request cannot be sent: Parsed Url is not a valid Uri");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn an_echoed_credential_is_not_kept() {
    let body = r#"{"authorization":"Bearer hunter2hunter2","why":"old"}"#;
    let echo = format!("HTTP/1.1 403 No\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let server = Scripted::answering(&echo).await;
    let auth = file::DestinationAuth::Bearer(At::nowhere(Secret::new("hunter2hunter2".into())));
    let file = file::Destination { auth: Some(At::nowhere(auth)), ..destination(&server.url("/")) };
    let answer = attempt_at(&file).await;
    assert!(server.requests()[0].contains("\r\nauthorization: Bearer hunter2hunter2\r\n"));
    assert_eq!(&*answer.excerpt, r#"{"authorization":"Bearer ***","why":"old"}"#);
}

/// A name that leads to a public address while it is looked at, and to this machine afterwards.
struct Rebinding(AtomicUsize);

impl Lookup for Arc<Rebinding> {
    fn lookup(&self, _: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let first = self.0.fetch_add(1, Ordering::SeqCst) == 0;
        let ip = if first { [1, 1, 1, 1] } else { [127, 0, 0, 1] };
        Box::pin(async move { Ok(vec![(ip, 0).into()]) })
    }
}

/// A client whose names, for destinations that are guarded, are those of `lookup`.
fn client_with(lookup: impl Lookup) -> Client {
    let guarded = Network::new(Resolver::new(lookup, true)).unwrap();
    Client { guarded, ..Client::new().unwrap() }
}

fn guarded(url: &str) -> file::Destination {
    file::Destination { allow_private: Some(At::nowhere(false)), ..destination(url) }
}

#[tokio::test]
async fn an_address_is_judged_as_it_is_connected_to() {
    let server = Scripted::answering(NOTHING).await;
    let lookup = Arc::new(Rebinding(AtomicUsize::new(0)));
    let seen = lookup.lookup("crm.example.com".to_owned()).await.unwrap();
    assert!(seen.iter().all(|address| Kind::of(address.ip()).is_none()), "what a check beforehand would see");
    let client = client_with(Arc::clone(&lookup));
    let file = guarded(&format!("http://crm.example.com:{}/", server.addr.port()));
    let answer = attempt_by(&client, &file).await;
    assert_eq!(answer.outcome, Outcome::Retry(Reason::RefusedAddress), "{answer:?}");
    assert!(answer.detail.contains("loopback"), "{}", answer.detail);
    assert_eq!(server.connections(), 0);
}

/// A name server that does not answer.
struct Silent;

impl Lookup for Silent {
    fn lookup(&self, _: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_does_not_come_about_is_no_connection_or_a_timeout() {
    let client = client_with(Silent);
    let answer = attempt_by(&client, &guarded("http://crm.example.com/")).await;
    assert_eq!(answer.outcome, Outcome::Retry(Reason::Connect));
    assert_eq!(&*answer.detail, "no connection to crm.example.com: operation timed out");
    let timeout = Some(At::nowhere(Span(Duration::from_secs(2))));
    let answer = attempt_by(&client, &file::Destination { timeout, ..guarded("http://crm.example.com/") }).await;
    assert_eq!(answer.outcome, Outcome::Retry(Reason::Timeout));
    assert_eq!(&*answer.detail, "no answer from crm.example.com within 2s");
}

#[tokio::test]
async fn each_client_says_the_same_to_the_destination() {
    for fields in [headers(&[]), headers(&[("Accept", "text/plain"), ("X-Env", "prod"), ("User-Agent", "crm-feed")])] {
        for path in ["", "/a%20b/%C3%BC?c={d}&e=|", "//x/?"] {
            let server = Scripted::answering(NOTHING).await;
            let url = format!("http://LOCALHOST:{}{}", server.addr.port(), path.replace("{d}", "{{d}}"));
            let file = file::Destination { headers: fields.clone(), ..destination(&url) };
            let client = client_with(Silent);
            for target in by_each(&file) {
                let answer = client.attempt(&target, &event("{}"), Ok(payload()), id(), 1, NOW).await;
                assert_eq!(answer.outcome, Outcome::Delivered, "{answer:?}");
            }
            let requests: Vec<BTreeSet<String>> =
                server.requests().iter().map(|request| request.lines().map(str::to_owned).collect()).collect();
            assert_eq!(requests[0], requests[1]);
            assert!(requests[0].contains(&format!("host: localhost:{}", server.addr.port())), "{requests:?}");
        }
    }
}

#[tokio::test]
async fn a_kept_connection_that_the_destination_has_closed_is_replaced() {
    for way in 0..2 {
        let server = Scripted::start([send(NOTHING), Step::Close]).await;
        let (client, targets) = (Client::new().unwrap(), by_each(&destination(&server.url("/"))));
        for number in 1..=3 {
            let answer = client.attempt(&targets[way], &event("{}"), Ok(payload()), id(), number, NOW).await;
            assert_eq!(answer.outcome, Outcome::Delivered, "{way}: {answer:?}");
            server.closed(number as usize).await;
        }
        assert_eq!((server.connections(), server.requests().len()), (3, 3), "{way}");
    }
}

#[tokio::test]
async fn a_connection_outlives_a_reload_that_connects_on_the_same_terms() {
    let server = Scripted::answering(NOTHING).await;
    let client = Client::new().unwrap();
    let open = Some(At::nowhere(true));
    let [old, same, other] = [None, open, None]
        .map(|allow_private| target(&file::Destination { allow_private, ..destination(&server.url("/")) }));
    same.keep(&old);
    for (target, connections) in [(&old, 1), (&same, 1), (&other, 2), (&same, 2)] {
        client.attempt(target, &event("{}"), Ok(payload()), id(), 1, NOW).await;
        assert_eq!(server.connections(), connections);
    }
}

#[tokio::test]
async fn a_connection_that_is_not_used_for_long_is_closed() {
    let server = Scripted::answering(NOTHING).await;
    let (client, target) = (Client::new().unwrap(), target(&destination(&server.url("/"))));
    for attempts in 1..=2 {
        client.attempt(&target, &event("{}"), Ok(payload()), id(), 1, NOW).await;
        assert_eq!(server.connections(), attempts);
        tokio::time::pause();
        tokio::time::advance(POOL_IDLE).await;
        tokio::time::resume();
        server.closed(attempts).await;
    }
}

#[tokio::test]
async fn a_request_that_a_kept_connection_has_taken_is_not_sent_twice() {
    for end in [Step::Close, Step::Reset] {
        let mut answers = Vec::new();
        for way in 0..2 {
            let server = Scripted::start([send(NOTHING), Step::NextRequest, end.clone()]).await;
            let (client, targets) = (Client::new().unwrap(), by_each(&destination(&server.url("/"))));
            for _ in 1..=2 {
                answers.push(client.attempt(&targets[way], &event("{}"), Ok(payload()), id(), 1, NOW).await);
            }
            assert_eq!((server.connections(), server.requests().len()), (1, 2), "{way}");
        }
        let hosts = |answer: &Answer| answer.detail.split(" from ").next().map(str::to_owned);
        assert_eq!(answers[1].outcome, Outcome::Retry(Reason::BrokenResponse), "{answers:?}");
        assert_eq!((answers[1].outcome, hosts(&answers[1])), (answers[3].outcome, hosts(&answers[3])));
    }
}

#[tokio::test]
async fn what_is_left_unread_closes_the_connection() {
    let server = Scripted::start([send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"), Step::Hang]).await;
    let client = Client::new().unwrap();
    for target in by_each(&with_timeout(&server.url("/"), 50)) {
        for _ in 1..=2 {
            let answer = client.attempt(&target, &event("{}"), Ok(payload()), id(), 1, NOW).await;
            assert_eq!(answer.outcome, Outcome::Retry(Reason::Timeout));
        }
    }
    assert_eq!(server.connections(), 4);
}

#[tokio::test]
async fn a_2xx_that_says_it_failed_is_not_delivered() {
    let success = Some(At::nowhere("$.body.ok == true".to_owned()));
    let no = "HTTP/1.1 200 OK\r\ncontent-length: 25\r\n\r\n{\"ok\":false,\"why\":\"busy\"}";
    let yes = "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"ok\":true}";
    let refused = "HTTP/1.1 500 No\r\ncontent-length: 11\r\n\r\n{\"ok\":true}";
    for (response, outcome, excerpt) in [
        (no, Outcome::Retry(Reason::Unsuccessful), "{\"ok\":false,\"why\":\"busy\"}"),
        (yes, Outcome::Delivered, ""),
        (refused, Outcome::Retry(Reason::ServerError), "{\"ok\":true}"),
    ] {
        let server = Scripted::answering(response).await;
        let answer = attempt_at(&file::Destination { success: success.clone(), ..destination(&server.url("/")) }).await;
        assert_eq!((answer.outcome, &*answer.excerpt), (outcome, excerpt), "{answer:?}");
    }
}

#[tokio::test]
async fn a_response_that_is_judged_is_bounded_too() {
    let head = send("HTTP/1.1 200 OK\r\n\r\n{\"ok\":true,\"more\":\"");
    let server = Scripted::start([head, Step::SendForEver(vec![b'x'; 16 * 1024])]).await;
    let success = Some(At::nowhere("$.body.ok == true".to_owned()));
    let answer = attempt_at(&file::Destination { success, ..destination(&server.url("/")) }).await;
    assert_eq!(answer.outcome, Outcome::Retry(Reason::Unsuccessful));
    assert!(answer.detail.contains("longer than what is read"), "{}", answer.detail);
    assert!(answer.excerpt.len() < 600);
    assert!(server.cut_off().await < 32 * 1024 * 1024);
}
