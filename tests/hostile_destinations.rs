//! Destinations that hang, drip, flood and babble: each fails under its reason, costs no memory, and holds up nobody.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::collections::BTreeSet;

use serde_json::json;
use support::hostile::{Hostile, Manner};
use support::load::{self, assert_arrived};
use support::{Destination, Gateway};

/// What an attempt on it is counted as.
const fn reason(manner: Manner) -> &'static str {
    match manner {
        Manner::Hang | Manner::DripHead | Manner::DripBody | Manner::InterimFlood => "timeout",
        // The status is there, and the bound of what is read of a body: that is an answer.
        Manner::Endless => "delivered",
        Manner::EndlessError => "server_error",
        _ => "broken_response",
    }
}

#[test]
fn each_fails_under_its_reason_beside_a_healthy_one_that_gets_everything() {
    let hostile: Vec<(Manner, Hostile)> =
        Manner::ALL.into_iter().map(|manner| (manner, Hostile::start(manner))).collect();
    let healthy = Destination::start();
    let mut routes = format!("destinations:\n  healthy: {{ url: '{}' }}\n", healthy.url("/healthy"));
    let mut deliver = "{ to: healthy }".to_owned();
    for (manner, destination) in &hostile {
        let name = manner.name();
        routes += &format!(
            "  {name}: {{ url: '{}', timeout: 1s, concurrency: 4, retry: {{ initial: 200ms, max: 1s, max_attempts: 1000000 }} }}\n",
            destination.url()
        );
        deliver += &format!(", {{ to: {name} }}");
    }
    routes += &format!("routes:\n  - {{ name: in, path: /in, auth: none, deliver: [{deliver}] }}\n");
    let gateway = Gateway::start(&routes);
    let before = gateway.memory("VmRSS");
    let mut accepted = BTreeSet::new();
    for number in 0..if load::long() { 2000 } else { 30 } {
        let id = format!("event-{number}");
        assert_eq!(gateway.post_json("/in", &json!({ "type": "t", "id": id })).status, 202);
        accepted.insert(id);
    }
    healthy.wait_for(accepted.len());
    assert_arrived(&healthy, "/healthy", &accepted);

    let attempts = |text: &str, manner: Manner, reason: &str| {
        let labels = [("destination", &*manner.name()), ("reason", reason)];
        support::metric(text, "hookswitch_delivery_attempts_total", &labels)
    };
    for (manner, _) in &hostile {
        support::eventually(&format!("attempts on {manner:?} that count as {}", reason(*manner)), || {
            (attempts(&gateway.metrics(), *manner, reason(*manner)) >= 4.0).then_some(())
        });
    }
    let text = gateway.metrics();
    for (manner, _) in &hostile {
        let all = support::metric(&text, "hookswitch_delivery_attempts_total", &[("destination", &*manner.name())]);
        // On a machine that is busy any of them may be too slow as well; and nothing else.
        let known = attempts(&text, *manner, reason(*manner))
            + if reason(*manner) == "timeout" { 0.0 } else { attempts(&text, *manner, "timeout") };
        assert_eq!(all, known, "{manner:?} has other reasons, too: {text}");
    }
    for (manner, destination) in &hostile {
        eprintln!(
            "{manner:?}: {} bytes in {} attempts",
            destination.written(),
            attempts(&text, *manner, reason(*manner))
        );
    }
    let most = gateway.memory("VmHWM");
    eprintln!("memory: {before} KiB before, {most} KiB at most");
    // 60 attempts at once, 64 KiB and a few buffers each, in an allocator that does not give back at once.
    assert!(most < before + 150 * 1024, "{most} KiB at most, {before} KiB before");
    // Only what is read to the bound, and what fits into the sockets' buffers.
    let (_, endless) = hostile.iter().find(|(manner, _)| *manner == Manner::Endless).unwrap();
    let endless = endless.written() / u64::try_from(accepted.len()).unwrap();
    assert!(endless < 32 << 20, "{endless} bytes went out for each answer");

    assert_eq!(gateway.admin("GET", "/readyz").status, 200);
    assert_eq!(gateway.post_json("/in", &json!({ "type": "t", "id": "last" })).status, 202);
    healthy.wait_for(accepted.len() + 1);
}
