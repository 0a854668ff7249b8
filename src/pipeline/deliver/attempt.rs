//! One HTTP try.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use super::answer::{Response, retry_after};
use super::link::builder;
use super::oauth::Token;
use super::{Answer, Outbound, Target, excerpt, failure};
use crate::expr::RenderError;
use crate::model::{DeliveryId, Event, Timestamp};
use crate::pipeline::Payload;

/// The pooled HTTP clients that the attempts to all destinations share, but for those with a TLS of their own.
#[derive(Debug, Clone)]
pub struct Client {
    plain: reqwest::Client,
    /// Connects to public addresses alone.
    guarded: reqwest::Client,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot set up TLS for destinations: {}; install the system's certificate authorities (Debian: ca-certificates), or have \
     SSL_CERT_FILE or SSL_CERT_DIR name some that can be read",
    failure::root_cause(.0).unwrap_or_default()
)]
pub struct ClientError(#[source] reqwest::Error);

/// The most that is read of a response's body, in bytes.
const RESPONSE_LIMIT: usize = 64 * 1024;

// === impl Client ===

impl Client {
    /// Builds the clients. The certificate authorities are those of the operating system, or those that `SSL_CERT_FILE`
    /// and `SSL_CERT_DIR` name, read here and now.
    ///
    /// # Errors
    /// Where there is no certificate authority to trust.
    pub fn new() -> Result<Self, ClientError> {
        let build = |public_only| builder(public_only).build().map_err(ClientError);
        Ok(Self { plain: build(false)?, guarded: build(true)? })
    }

    /// Sends one delivery once: attempt `number` (the first is 1) of the delivery `id`. `now` is the time that is signed,
    /// and for `Retry-After` in its form of a date.
    ///
    /// Only a 2xx whose response was read to its end, or to 64 KiB, is delivered, and where the target has `success`, one
    /// of which that holds. The target's `timeout` covers all of it, from connecting to the last byte; an access token
    /// that has to be asked for first has a time of its own.
    pub async fn attempt(
        &self,
        target: &Target,
        event: &Event,
        payload: Result<Payload, RenderError>,
        id: DeliveryId,
        number: u32,
        now: Timestamp,
    ) -> Answer {
        let unsigned =
            payload.map_err(Into::into).and_then(|payload| Outbound::unsigned(target, event, payload, id, number));
        let mut unsigned = match unsigned {
            Ok(unsigned) => unsigned,
            Err(error) => return Answer::not_sent(&error),
        };
        let (token, now) = match &target.tokens {
            None => (None, now),
            Some(tokens) => {
                let begun = Instant::now();
                match tokens.token(self, now).await {
                    // What is signed is the time at which it is sent.
                    Ok(token) => (Some(token), now.after(begun.elapsed())),
                    Err(error) => return Answer::no_token(error),
                }
            }
        };
        if let Some(token) = &token {
            unsigned.authorize(token);
        }
        match unsigned.signed(target, now) {
            Ok(outbound) => self.send(target, outbound, token.as_ref(), now).await,
            Err(error) => Answer::not_sent(&error),
        }
    }

    /// The client for destinations without a TLS of their own.
    pub(super) const fn plain(&self, public_only: bool) -> &reqwest::Client {
        if public_only { &self.guarded } else { &self.plain }
    }

    async fn send(&self, target: &Target, outbound: Outbound, token: Option<&Arc<Token>>, now: Timestamp) -> Answer {
        let mut request = outbound.into_request();
        *request.timeout_mut() = Some(target.timeout);
        let response = match target.link.http(self).execute(request).await {
            Ok(response) => response,
            Err(error) => return Answer::failed(&error, target),
        };
        let refused = match (response.status(), &target.tokens, token) {
            (StatusCode::UNAUTHORIZED, Some(tokens), Some(token)) => tokens.refused(token, now),
            _ => false,
        };
        // Of a success that nobody judges nothing is shown.
        let is_plain = response.status().is_success() && target.judge.is_none();
        let mut secrets = Vec::new();
        if !is_plain {
            secrets.extend_from_slice(target.secrets());
            secrets.extend(token.map(|token| token.secret.clone()));
        }
        let keep = match target.judge {
            Some(_) => RESPONSE_LIMIT,
            None if is_plain => 0,
            None => excerpt::needed(&secrets),
        };
        let answer = Answer::received(&read(response, keep, now).await, target, &secrets);
        if refused { answer.of_a_refused_token() } else { answer }
    }
}

/// Reads a response to its end or its bound, and keeps as much of it as `keep`. Where it is longer it is dropped, and its
/// connection with it.
async fn read(mut response: reqwest::Response, keep: usize, now: Timestamp) -> Response {
    let mut start = Vec::new();
    let mut length = 0_usize;
    let broken = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = keep.saturating_sub(start.len());
                start.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
                length = length.saturating_add(chunk.len());
                if length > RESPONSE_LIMIT {
                    break None;
                }
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    let headers: HeaderMap = std::mem::take(response.headers_mut());
    let whole = length <= start.len();
    Response { status: response.status(), retry_after: retry_after(&headers, now), headers, start, whole, broken }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::sample::{destination, event, headers, id, payload, target};
    use super::super::scripted::{Scripted, Step};
    use super::*;
    use crate::config::{At, Span, file};
    use crate::model::{Outcome, Reason, Secret};

    const NOW: Timestamp = Timestamp::from_seconds(784_111_777);

    async fn attempt_at(file: &file::Destination) -> Answer {
        let client = Client::new().unwrap();
        client.attempt(&target(file), &event("{}"), Ok(payload()), id(), 1, NOW).await
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
        let server = Scripted::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let (client, target) = (Client::new().unwrap(), target(&destination(&server.url("/"))));
        for number in 1..=3 {
            let answer = client.attempt(&target, &event("{}"), Ok(payload()), id(), number, NOW).await;
            assert_eq!(answer.outcome, Outcome::Delivered);
        }
        assert_eq!(server.connections(), 1);
        let requests = server.requests();
        for (number, request) in (1..).zip(&requests) {
            assert!(request.contains(&format!("\r\nidempotency-key: {}\r\n", id())), "{request}");
            assert!(request.contains(&format!("\r\nhookswitch-attempt: {number}\r\n")), "{request}");
        }
        assert_eq!(requests.len(), 3);
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
    struct Rebinding(std::sync::atomic::AtomicUsize);

    impl super::super::guard::Lookup for Arc<Rebinding> {
        fn lookup(
            &self,
            _: String,
        ) -> futures_util::future::BoxFuture<'static, std::io::Result<Vec<std::net::SocketAddr>>> {
            let first = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
            let ip = if first { [1, 1, 1, 1] } else { [127, 0, 0, 1] };
            Box::pin(async move { Ok(vec![(ip, 0).into()]) })
        }
    }

    #[tokio::test]
    async fn an_address_is_judged_as_it_is_connected_to() {
        use super::super::guard::{Kind, Lookup};
        let server = Scripted::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let lookup = Arc::new(Rebinding(std::sync::atomic::AtomicUsize::new(0)));
        let seen = lookup.lookup("crm.example.com".to_owned()).await.unwrap();
        assert!(seen.iter().all(|address| Kind::of(address.ip()).is_none()), "what a check beforehand would see");
        let guarded = super::super::link::builder_with(Arc::clone(&lookup)).build().unwrap();
        let client = Client { plain: reqwest::Client::new(), guarded };
        let file = file::Destination {
            allow_private: Some(At::nowhere(false)),
            ..destination(&format!("http://crm.example.com:{}/", server.addr.port()))
        };
        let answer = client.attempt(&target(&file), &event("{}"), Ok(payload()), id(), 1, NOW).await;
        assert_eq!(answer.outcome, Outcome::Retry(Reason::RefusedAddress), "{answer:?}");
        assert!(answer.detail.contains("loopback"), "{}", answer.detail);
        assert_eq!(server.connections(), 0);
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
            let answer =
                attempt_at(&file::Destination { success: success.clone(), ..destination(&server.url("/")) }).await;
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
}
