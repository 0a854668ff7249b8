//! Tokens from outside: when one is asked for, how, and what a failure comes to.

use super::super::Answer;
use super::super::sample::{destination, event, id, payload, problems, target};
use super::super::scripted::{Scripted, Step};
use super::*;
use crate::config::{At, Place};
use crate::model::Outcome;
use crate::pipeline::deliver::Target;

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

fn at(text: &str) -> At<String> {
    At::nowhere(text.to_owned())
}

fn secret(text: &str) -> At<Secret> {
    At::nowhere(Secret::new(text.to_owned()))
}

fn grant(token_url: &str) -> file::OAuth2 {
    file::OAuth2 {
        token_url: at(token_url),
        client_id: at("gate:way"),
        client_secret: secret("hunter2+/"),
        scopes: vec![at("events.write"), at("events.read")],
        audience: None,
        auth_style: file::AuthStyle::Basic,
        tls: None,
    }
}

fn with_oauth(url: &str, oauth: file::OAuth2) -> file::Destination {
    file::Destination { auth: Some(At::nowhere(file::DestinationAuth::Oauth2(Box::new(oauth)))), ..destination(url) }
}

fn token_response(token: &str, expires_in: u64) -> String {
    let body = format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":{expires_in}}}"#);
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

async fn attempt(client: &Client, target: &Target, now: Timestamp) -> Answer {
    client.attempt(target, &event("{}"), Ok(payload()), id(), 1, now).await
}

/// A destination and its token endpoint, which answers like this.
async fn both(destination: &str, endpoint: &str) -> (Scripted, Scripted) {
    (Scripted::answering(destination).await, Scripted::answering(endpoint).await)
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_used_until_shortly_before_it_expires() {
    let (crm, login) = both(OK, &token_response("t0ken", 100)).await;
    let target = target(&with_oauth(&crm.url("/"), grant(&login.url("/token"))));
    let client = Client::new().unwrap();
    for (seconds, asked) in [(0, 1), (1, 1), (79, 1), (80, 2), (159, 2), (160, 3)] {
        let answer = attempt(&client, &target, NOW.after(Duration::from_secs(seconds))).await;
        assert_eq!(answer.outcome, Outcome::Delivered, "{answer:?}");
        assert_eq!(login.requests().len(), asked, "after {seconds} s");
    }
    assert!(crm.requests().iter().all(|request| request.contains("\r\nauthorization: Bearer t0ken\r\n")));
}

#[tokio::test]
async fn the_request_is_that_of_rfc_6749_in_both_styles() {
    let (crm, login) = both(OK, &token_response("t0ken", 3600)).await;
    let client = Client::new().unwrap();
    let basic = target(&with_oauth(&crm.url("/"), grant(&login.url("/token?tenant=1"))));
    let body = file::OAuth2 {
        auth_style: file::AuthStyle::Body,
        audience: Some(at("https://crm/")),
        scopes: Vec::new(),
        ..grant(&login.url("/token"))
    };
    let body = target(&with_oauth(&crm.url("/"), body));
    for target in [&basic, &body] {
        assert_eq!(attempt(&client, target, NOW).await.outcome, Outcome::Delivered);
    }
    let requests = login.requests();
    // `gate%3Away:hunter2%2B%2F`, section 2.3.1.
    assert!(requests[0].contains("\r\nauthorization: Basic Z2F0ZSUzQXdheTpodW50ZXIyJTJCJTJG\r\n"), "{}", requests[0]);
    assert!(requests[0].starts_with("POST /token?tenant=1 HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(requests[0].contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"));
    assert!(requests[0].ends_with("\r\n\r\ngrant_type=client_credentials&scope=events.write+events.read"));
    assert!(!requests[1].contains("authorization"));
    let form =
        "grant_type=client_credentials&audience=https%3A%2F%2Fcrm%2F&client_id=gate%3Away&client_secret=hunter2%2B%2F";
    assert!(requests[1].ends_with(form), "{}", requests[1]);
}

#[tokio::test]
async fn one_request_is_under_way_however_many_wait_and_its_failure_is_theirs() {
    for (endpoint, outcome) in [
        (token_response("t0ken", 3600), Outcome::Delivered),
        ("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n".to_owned(), Outcome::Retry(Reason::Oauth)),
    ] {
        let (crm, login) = both(OK, &endpoint).await;
        let target = target(&with_oauth(&crm.url("/"), grant(&login.url("/"))));
        let client = Client::new().unwrap();
        // Each is polled once before any goes on, so that all of them wait for one.
        let answers = futures_util::future::join_all((0..20).map(|_| attempt(&client, &target, NOW))).await;
        assert!(answers.iter().all(|answer| answer.outcome == outcome), "{answers:?}");
        assert_eq!(login.requests().len(), 1, "{outcome:?}");
    }
}

#[tokio::test]
async fn one_that_waited_and_was_given_up_leaves_the_others_what_it_began() {
    let (crm, login) = both(OK, &token_response("t0ken", 3600)).await;
    let target = target(&with_oauth(&crm.url("/"), grant(&login.url("/"))));
    let client = Client::new().unwrap();
    let begun = attempt(&client, &target, NOW).now_or_never();
    assert!(begun.is_none(), "it waits");
    assert_eq!(attempt(&client, &target, NOW).await.outcome, Outcome::Delivered);
    assert_eq!(login.connections(), 1);
}

#[tokio::test]
async fn a_401_drops_the_token_once_and_not_at_each_attempt() {
    let refused = "HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n";
    let (crm, login) = both(refused, &token_response("t0ken", 3600)).await;
    let target = target(&with_oauth(&crm.url("/"), grant(&login.url("/"))));
    let client = Client::new().unwrap();
    let (replaced, refused) = (Reason::Oauth, Reason::ClientError);
    for (seconds, asked, reason) in
        [(0, 1, replaced), (10, 2, refused), (20, 2, refused), (50, 2, refused), (70, 2, replaced), (80, 3, refused)]
    {
        let answer = attempt(&client, &target, NOW.after(Duration::from_secs(seconds))).await;
        assert_eq!((answer.outcome, answer.status), (Outcome::Retry(reason), Some(401)), "after {seconds} s");
        assert_eq!(login.requests().len(), asked, "after {seconds} s");
    }
}

#[tokio::test]
async fn that_a_late_401_refuses_an_older_token_does_not_drop_the_newer() {
    let (crm, login) = both(OK, &token_response("t0ken", 100)).await;
    let target = target(&with_oauth(&crm.url("/"), grant(&login.url("/"))));
    let (client, tokens) = (Client::new().unwrap(), target.tokens.as_ref().unwrap());
    let first = tokens.token(&client, NOW).await.unwrap();
    let later = NOW.after(Duration::from_secs(200));
    let second = tokens.token(&client, later).await.unwrap();
    assert!(tokens.refused(&first, later), "the next attempt has another");
    assert!(Arc::ptr_eq(&tokens.token(&client, later).await.unwrap(), &second));
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_the_detail_says_why_and_no_secret() {
    for (endpoint, detail) in [
        (
            "HTTP/1.1 401 No\r\ncontent-length: 26\r\n\r\n{\"error\":\"invalid_client\"}",
            "answered 401 (invalid_client)",
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhunter2+/", "answered 200 without an `access_token`"),
        ("HTTP/1.1 302 Go\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n", "answered 302"),
        ("SSH-2.0\r\n", "no HTTP answer"),
    ] {
        let (crm, login) = both(OK, endpoint).await;
        let answer =
            attempt(&Client::new().unwrap(), &target(&with_oauth(&crm.url("/"), grant(&login.url("/")))), NOW).await;
        assert_eq!((answer.outcome, answer.status), (Outcome::Retry(Reason::Oauth), None), "{endpoint}");
        assert!(answer.detail.starts_with("no access token from 127.0.0.1: "), "{}", answer.detail);
        assert!(answer.detail.contains(detail), "{}", answer.detail);
        assert!(!format!("{answer:?}").contains("hunter2"), "{answer:?}");
        assert_eq!(crm.connections(), 0);
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let login =
        Scripted::start([Step::Send(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()), Step::SendForEver(vec![b' '; 16 * 1024])])
            .await;
    let target = target(&with_oauth("http://127.0.0.1:1", grant(&login.url("/"))));
    let answer = attempt(&Client::new().unwrap(), &target, NOW).await;
    assert_eq!(answer.outcome, Outcome::Retry(Reason::Oauth));
    assert!(login.cut_off().await < 32 * 1024 * 1024);
}

#[tokio::test]
async fn what_the_endpoint_asks_us_to_wait_is_waited() {
    let (crm, login) = both(OK, "HTTP/1.1 503 Busy\r\nretry-after: 90\r\ncontent-length: 0\r\n\r\n").await;
    let answer =
        attempt(&Client::new().unwrap(), &target(&with_oauth(&crm.url("/"), grant(&login.url("/")))), NOW).await;
    assert_eq!(answer.retry_after, Some(Duration::from_secs(90)));
}

#[tokio::test]
async fn an_echoed_token_is_masked() {
    let echo = "HTTP/1.1 403 No\r\ncontent-length: 12\r\n\r\nBearer t0ken";
    let (crm, login) = both(echo, &token_response("t0ken", 3600)).await;
    let answer =
        attempt(&Client::new().unwrap(), &target(&with_oauth(&crm.url("/"), grant(&login.url("/")))), NOW).await;
    assert_eq!(&*answer.excerpt, "Bearer ***");
}

#[tokio::test]
async fn a_reload_keeps_the_token_where_it_is_asked_for_in_the_same_way() {
    let (crm, login) = both(OK, &token_response("t0ken", 3600)).await;
    let client = Client::new().unwrap();
    let file = || with_oauth(&crm.url("/"), grant(&login.url("/")));
    let before = target(&file());
    attempt(&client, &before, NOW).await;
    let same = target(&file());
    same.keep(&before);
    let again = target(&file());
    again.keep(&same);
    attempt(&client, &again, NOW).await;
    assert_eq!(login.requests().len(), 1);
    let other = target(&with_oauth(&crm.url("/"), file::OAuth2 { client_id: at("other"), ..grant(&login.url("/")) }));
    other.keep(&again);
    attempt(&client, &other, NOW).await;
    assert_eq!(login.requests().len(), 2);
}

#[test]
fn what_cannot_be_asked_for_is_a_problem_at_its_place() {
    let place = |line| Place { line, ..Place::default() };
    let wrong = |change: fn(&mut file::OAuth2)| {
        let mut oauth = grant("https://login.example.com/token");
        change(&mut oauth);
        problems(&with_oauth("https://crm.example.com", oauth))
    };
    assert!(wrong(|_| {}).is_empty());
    for url in [
        "http://login.example.com/token",
        "http://localhost.example.com/",
        "ftp://login.example.com/",
        "login",
        "https://me@login.example.com/",
        "https://login.example.com/#here",
        "",
    ] {
        assert_eq!(problems(&with_oauth("https://crm", grant(url))).len(), 1, "{url}");
    }
    for url in ["http://127.0.0.1:1/", "http://[::1]/", "http://localhost:8080/token"] {
        assert!(problems(&with_oauth("https://crm", grant(url))).is_empty(), "{url}");
        let guarded = file::Destination {
            allow_private: Some(At::nowhere(false)),
            ..with_oauth("https://crm.example.com", grant(url))
        };
        assert_eq!(problems(&guarded).len(), 1, "{url}");
    }
    let all = wrong(|oauth| {
        oauth.client_id = At::new(String::new(), Place { line: 1, ..Place::default() });
        oauth.client_secret = At::new(Secret::new(String::new()), Place { line: 2, ..Place::default() });
        oauth.scopes = vec![At::new("a b".to_owned(), Place { line: 3, ..Place::default() })];
        oauth.audience = Some(At::new(String::new(), Place { line: 4, ..Place::default() }));
    });
    let places: Vec<_> = all.iter().map(|problem| problem.place).collect();
    assert_eq!(places, [place(1), place(2), place(3), place(4)]);
    let both = file::Destination {
        headers: super::super::sample::headers(&[("Authorization", "x")]),
        ..with_oauth("https://crm", grant("https://login/"))
    };
    assert_eq!(problems(&both).len(), 1);
}

#[test]
fn debug_shows_no_secret() {
    let target = target(&with_oauth("https://crm", grant("https://login/")));
    assert!(!format!("{:?} {target:?}", target.tokens).contains("hunter2"));
}
