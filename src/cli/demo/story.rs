//! How the demo tells what happens.

use std::net::SocketAddr;

use serde_json::Value;

use super::echo::Arrival;
use super::sample::{Answer, Fate, Sample};
use crate::cli::print;

/// The most lines of a body that are shown.
const LINES: usize = 14;

pub(super) fn opening(listening: SocketAddr) {
    line(&format!(
        "The gateway runs on routes.example.yaml and listens on {listening}. Each request below is signed as"
    ));
    line(
        "its provider would sign it, verified, filtered, stored (fsync) before it is answered, reshaped and delivered to an",
    );
    line("echo server here.");
}

pub(super) fn request(sample: &Sample, answer: &Answer) {
    let note = if sample.fate == Fate::Forged { "  (forged)" } else { "" };
    line("");
    line(&format!("==> {}", sample.title));
    line(&format!("    POST {}{note}", sample.path));
    line(&format!("    <- {} {}", answer.status, answer.body));
}

pub(super) fn deliveries(arrived: &[Arrival]) {
    if arrived.is_empty() {
        line("    nothing is delivered");
    }
    for arrival in arrived {
        let header = |name: &str| arrival.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-");
        line("");
        line(&format!("    -> {} {}", arrival.method, arrival.path));
        line(&format!("       Content-Type: {}", header("content-type")));
        line(&format!("       Idempotency-Key: {}", header("idempotency-key")));
        body(&arrival.body);
    }
}

pub(super) fn ending() {
    line("");
    line("That is the line. Next:");
    line("  hookswitch check --config routes.example.yaml   every problem of a configuration, with its place");
    line("  hookswitch serve --config routes.example.yaml   run it; kill -HUP reloads it");
    line("  curl http://127.0.0.1:9090/metrics              what each route does (with the admin token)");
    line("  hookswitch providers bspk                       a provider is a page of YAML: write your own");
}

fn body(bytes: &[u8]) {
    let text = match serde_json::from_slice::<Value>(bytes) {
        Ok(value) => format!("{value:#}"),
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    };
    let all = text.lines().count();
    for text in text.lines().take(LINES) {
        line(&format!("       {text}"));
    }
    if all > LINES {
        line(&format!("       … and {} lines more", all - LINES));
    }
}

fn line(text: &str) {
    // A reader who has gone misses the rest by choice.
    let _ = print(text);
}
