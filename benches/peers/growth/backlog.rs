//! More deliveries pending behind a dead destination, while others go to a healthy one.

use serde_json::{Value, json};

use super::series::Series;
use super::{Options, Wanted};
use crate::candidates::{Hookswitch, PROVIDER, WORK, destination, provider, route};
use crate::session::Session;
use crate::support::{http, sign};
use crate::targets::{Bound, Target};

const PENDING: [u64; 5] = [0, 100_000, 1_000_000, 5_000_000, 10_000_000];
/// What a run without `--full` goes to.
const USUAL: u64 = 5_000_000;
/// Events of a request while filling: the most that a batch may have.
const BATCH: u64 = 10_000;
const TITLE: &str = "a healthy destination";

/// The same load beside ever more that waits.
pub fn run(options: &Options) -> (Series, Vec<Target>) {
    let plan = options.plan();
    let most = options.pending.unwrap_or(if options.full { u64::MAX } else { USUAL });
    let wanted = PENDING.into_iter().filter(|pending| *pending <= most).map(|pending| Wanted {
        prepare: Box::new(move |session| fill(session, pending)),
        ..Wanted::new(pending, Hookswitch::on(TITLE, file(), "/hooks/bspk", 1, 1), plan.clone())
    });
    let points = options.measure(&wanted.collect::<Vec<_>>());
    let series = Series { title: "Backlog", x: "deliveries pending", points };
    let of_empty = |figure: fn(&crate::measure::Run) -> f64| series.ratio((TITLE, USUAL), (TITLE, 0), figure);
    let target = |what, figure| Target { what, figure, bound: Bound::AtLeast(0.8) };
    let targets = vec![
        target("5 million pending: intake, of that with none", of_empty(|run| run.accepted)),
        target("5 million pending: deliveries/s, of those with none", of_empty(|run| run.sustained)),
    ];
    (series, targets)
}

fn file() -> String {
    format!(
        "providers:\n{}destinations:\n  dead: {{ url: 'http://127.0.0.1:1/' }}\n{}routes:\n  \
         - {{ name: in, path: /in, auth: none, max_body: 64MiB, deliver: [{{ to: dead }}] }}\n{}      - {{ to: d0, {WORK} }}\n",
        provider(PROVIDER),
        destination("d0", 0),
        route("bspk", "/hooks/bspk", PROVIDER)
    )
}

fn fill(session: &Session, wanted: u64) -> Result<(), String> {
    let headers = sign::headers(&[("Content-Type", "application/cloudevents-batch+json")]);
    let event = |number: u64| {
        let data = json!({ "number": number, "padding": "x".repeat(60) });
        json!({ "specversion": "1.0", "id": number.to_string(), "source": "/bench", "type": "t", "data": data })
    };
    let (mut pending, mut refused) = (0, 0);
    while pending < wanted {
        let count = BATCH.min(wanted - pending);
        let batch: Vec<Value> = (pending..pending + count).map(event).collect();
        let body = Value::from(batch).to_string();
        let answer = http::try_send(session.running.address, "POST", "/in", &headers, body.as_bytes());
        match answer {
            Ok(answer) if answer.status == 202 => pending += count,
            _ if refused > 20 => return Err(format!("{pending} were taken, and no more: {answer:?}")),
            _ => {
                refused += 1;
                std::thread::sleep(std::time::Duration::from_millis(500));
            }
        }
    }
    if wanted > 0 {
        eprintln!("  {pending} pending, of which the metric says {:.0}", session.metric("hookswitch_queue_pending"));
    }
    Ok(())
}
