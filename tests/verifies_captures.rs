//! `hookswitch verify`: a captured request is verified, or it is said what nearly matched; and nothing is given away.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use support::sign::{base64, hmac_sha256};
use support::{Ran, hookswitch};
use tempfile::TempDir;

const SECRET: &str = "Zq7vX2kP9wLm4tRb";
const BODY: &str = r#"{"action":"opened","number":2}"#;

/// A captured request in a folder of its own.
struct Capture {
    folder: TempDir,
    file: PathBuf,
    /// What must not be said.
    signature: String,
}

impl Capture {
    /// A request of GitHub's that was signed with this body.
    fn github(signed: &str, sent: &str) -> Self {
        let signature = hex::encode(hmac_sha256(SECRET.as_bytes(), signed.as_bytes()));
        let length = sent.len();
        let text = format!(
            "POST /hooks/github HTTP/1.1\r\nHost: hooks.example.com\r\nContent-Type: application/json\r\nX-GitHub-Event: pull_request\r\n\
             X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {length}\r\n\r\n{sent}"
        );
        Self::of(&text, signature)
    }

    /// One of Stripe's, signed at this time.
    fn stripe(time: i64) -> Self {
        let signature = hex::encode(hmac_sha256(SECRET.as_bytes(), format!("{time}.{BODY}").as_bytes()));
        let text =
            format!("POST https://hooks.example.com/hooks/stripe\nStripe-Signature: t={time},v1={signature}\n\n{BODY}");
        Self::of(&text, signature)
    }

    fn of(text: &str, signature: String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("captured.http");
        fs::write(&file, text).unwrap();
        Self { folder, file, signature }
    }

    fn verify(&self, arguments: &[&str]) -> Ran {
        self.verify_with(arguments, &[("HOOKSWITCH_SECRET", SECRET)])
    }

    fn verify_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        let mut command = hookswitch();
        command.arg("verify").arg("--request").arg(&self.file).args(arguments).envs(environment.iter().copied());
        let ran = Ran::of(command.current_dir(self.folder.path()));
        let said = format!("{}{}", ran.stdout, ran.stderr);
        for hidden in [self.signature.as_str(), SECRET] {
            let windows = hidden.as_bytes().windows(8).map(|window| std::str::from_utf8(window).unwrap());
            for window in windows {
                assert!(!said.contains(window), "{window} in {said}");
            }
        }
        ran
    }
}

#[test]
fn a_request_that_is_right_is_verified_whichever_way_the_secret_comes() {
    let capture = Capture::github(BODY, BODY);
    let secret_file = capture.folder.path().join("secret");
    fs::write(&secret_file, format!("{SECRET}\n")).unwrap();
    let file = secret_file.display().to_string();
    for (arguments, environment) in [
        (vec!["--provider", "github"], vec![("HOOKSWITCH_SECRET", SECRET)]),
        (vec!["--provider", "github", "--secret", SECRET], vec![]),
        (vec!["--provider", "github", "--secret-file", &file], vec![]),
    ] {
        let ran = capture.verify_with(&arguments, &environment);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stdout.starts_with("verified: hmac of github"), "{ran:?}");
    }
    let report = capture.verify(&["--provider", "github", "--output", "json"]).json();
    assert_eq!((&report["verdict"], &report["reason"]), (&"verified".into(), &"verified".into()));
    assert_eq!((&report["secret"], &report["near_miss"]), (&"default".into(), &serde_json::Value::Null));
}

#[test]
fn a_request_that_is_wrong_is_told_what_nearly_matched() {
    let capture = Capture::github(BODY, &format!("{BODY}\n"));
    let ran = capture.verify(&["--provider", "github"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for words in [
        "not verified: mismatch",
        "near miss (body_newline_added)",
        "take the body byte for byte",
        "next: check the secret",
    ] {
        assert!(ran.stdout.contains(words), "{words}: {ran:?}");
    }
    let ran = capture.verify(&["--provider", "github", "--output", "json"]);
    assert_eq!(ran.code, Some(1));
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["verdict"], "not_verified");
    assert_eq!(report["reason"], "mismatch");
    assert_eq!(report["near_miss"]["id"], "body_newline_added");
    assert!(report["checked"].as_array().unwrap().contains(&"body".into()));
    // And nothing where nothing does.
    let ran = capture.verify_with(&["--provider", "github"], &[("HOOKSWITCH_SECRET", "quite another")]);
    assert!(ran.code == Some(1) && ran.stdout.contains("nothing nearly matched: time, body, secret"), "{ran:?}");
}

#[test]
fn an_old_request_is_right_but_for_its_age() {
    let capture = Capture::stripe(1_700_000_000);
    let ran = capture.verify(&["--provider", "stripe"]);
    assert!(ran.code == Some(1) && ran.stdout.contains("near miss (stale)"), "{ran:?}");
    assert!(ran.stdout.contains("With `--now 2023-11-14T22:13:20.000Z` it verifies"), "{ran:?}");
    for now in ["1700000000", "2023-11-14T22:14:00Z"] {
        assert_eq!(capture.verify(&["--provider", "stripe", "--now", now]).code, Some(0));
    }
    let ran = capture.verify(&["--provider", "github"]);
    assert!(ran.stdout.contains("it verifies as a request of `stripe`"), "{ran:?}");
}

#[test]
fn a_route_gives_scheme_secret_and_address() {
    let url = "https://hooks.example.com/hooks/square";
    let signature = base64(&hmac_sha256(SECRET.as_bytes(), format!("{url}{BODY}").as_bytes()));
    let text = format!("POST {url}\nHost: hooks.example.com\nX-Square-HmacSha256-Signature: {signature}\n\n{BODY}");
    let capture = Capture::of(&text, signature);
    let configuration = |public_url: &str| {
        let text = format!(
            "public_url: {public_url}\ndestinations:\n  warehouse: {{ url: http://127.0.0.1:1/ }}\nroutes:\n  - name: square\n    \
             path: /hooks/square\n    provider: square\n    secret: ${{THE_SECRET}}\n    deliver: [{{ to: warehouse }}]\n"
        );
        fs::write(capture.folder.path().join("routes.yaml"), text).unwrap();
        let arguments = ["--route", "square", "--config", "routes.yaml"];
        capture.verify_with(&arguments, &[("THE_SECRET", SECRET), ("HOOKSWITCH_SECRET", "not this one")])
    };
    assert_eq!(configuration("https://hooks.example.com").code, Some(0));
    let ran = configuration("http://hooks.example.com");
    assert!(ran.code == Some(1) && ran.stdout.contains("near miss (url_scheme)"), "{ran:?}");
    capture.verify(&["--route", "sqare", "--config", "routes.yaml"]).assert_failed(2, &["no route `sqare`", "square"]);
    let ran = capture.verify(&["--provider", "square"]);
    assert!(ran.stdout.contains("(url_unknown)") && ran.stdout.contains("`https://hooks.example.com`"), "{ran:?}");
    assert_eq!(capture.verify(&["--provider", "square", "--public-url", "https://hooks.example.com/"]).code, Some(0));
}

#[test]
fn a_key_that_the_gateway_would_fetch_is_named_and_nobody_is_asked() {
    let text = format!(
        "POST /hooks/paypal\nPAYPAL-CERT-URL: https://api.paypal.com/v1/notifications/certs/CERT-1\nPAYPAL-TRANSMISSION-ID: 1\n\
         PAYPAL-TRANSMISSION-TIME: 2\nPAYPAL-TRANSMISSION-SIG: AAAA\n\n{BODY}"
    );
    let capture = Capture::of(&text, "-".repeat(8));
    let ran = capture.verify(&["--provider", "paypal"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("https://api.paypal.com/v1/notifications/certs/CERT-1"), "{ran:?}");
    let key = capture.file.display().to_string();
    let ran = capture.verify(&["--provider", "paypal", "--key", &key]);
    assert!(ran.code == Some(1) && ran.stdout.contains("`--key` holds no key"), "{ran:?}");
}

#[test]
fn wrong_usage_is_told_apart() {
    let capture = Capture::github(BODY, BODY);
    capture.verify(&["--provider", "gihtub"]).assert_failed(2, &["no provider `gihtub`", "did you mean `github`"]);
    capture.verify_with(&["--provider", "github"], &[]).assert_failed(2, &["no secret", "HOOKSWITCH_SECRET"]);
    capture.verify(&["--provider", "github", "--now", "soon"]).assert_failed(2, &["RFC 3339"]);
    capture.verify(&["--provider", "github", "--route", "x"]).assert_failed(2, &["--route"]);
    capture.verify(&[]).assert_failed(2, &["--provider"]);
    capture.verify(&["--provider", "github", "--nth", "2"]).assert_failed(2, &["no request number 2"]);
    let mut command = hookswitch();
    command.args(["verify", "--provider", "github", "--secret", SECRET, "--request", "/not/there.http"]);
    Ran::of(&mut command).assert_failed(2, &["cannot read"]);
}

#[test]
fn a_request_may_come_on_stdin() {
    let capture = Capture::github(BODY, BODY);
    let mut child = hookswitch()
        .args(["verify", "--provider", "github", "--request", "-"])
        .env("HOOKSWITCH_SECRET", SECRET)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&fs::read(&capture.file).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
