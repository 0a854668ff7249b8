//! What each stage of the line costs: `cargo bench --bench stages`, or `-- verify` for some of them.
//!
//! One event at a time, the `client.updated` that is measured beside the peers: 1624 bytes, signed with HMAC-SHA256, filtered
//! by its type, reshaped to seven fields. What touches the disk says more of the disk than of the code: compare it within one
//! run. What an event allocates is told by `tests/allocations.rs`.
#![allow(clippy::unwrap_used, missing_docs, reason = "a figure that cannot be had is a panic")]

#[path = "../tests/line/mod.rs"]
mod line;

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use hookswitch::queue::{Lease, Queue};
use line::{BEARER, BY_DATA, BY_TYPE, JWT, Line, NOW, PATH};
use tokio::runtime::{Builder, Runtime};

/// How many requests wait for one commit where there are many.
const TOGETHER: u64 = 64;
/// Deliveries that wait while some are leased.
const WAITING: u64 = 1000;

criterion_group!(stages, verify, normalize, route, filter, transform, enqueue, lease, settle);
criterion_main!(stages);

fn verify(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verify");
    let lines =
        [("hmac-sha256", Line::bspk(BY_TYPE, 1)), ("bearer", Line::with_auth(BEARER)), ("jwt", Line::with_auth(JWT))];
    for (name, line) in &lines {
        group.bench_function(*name, |bencher| {
            bencher.iter_batched(|| line.request(0), |request| line.verify(request), BatchSize::SmallInput);
        });
    }
}

fn normalize(criterion: &mut Criterion) {
    let line = Line::bspk(BY_TYPE, 1);
    criterion.bench_function("normalize", |bencher| {
        let verified = || line.verify(line.request(0));
        bencher.iter_batched(verified, |verified| line.normalize(verified, 0), BatchSize::SmallInput);
    });
}

fn route(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route");
    for routes in [1, 100, 1000] {
        let line = Line::bspk(BY_TYPE, routes);
        group.bench_function(BenchmarkId::from_parameter(routes), |bencher| {
            bencher.iter(|| line.table.find(black_box(PATH)));
        });
    }
}

fn filter(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("filter");
    for (name, filter) in [("type", BY_TYPE), ("data", BY_DATA)] {
        let line = Line::bspk(filter, 1);
        // A new event each time: what one has parsed it need not parse again.
        let event = || line.normalize(line.verify(line.request(0)), 0);
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(event, |event| line.filter(line::first(event)), BatchSize::SmallInput);
        });
    }
}

fn transform(criterion: &mut Criterion) {
    let line = Line::bspk(BY_TYPE, 1);
    let mut group = criterion.benchmark_group("transform");
    group.bench_function("render", |bencher| {
        let event = || line.wanted(0).0;
        bencher.iter_batched_ref(event, |event| line.transform(line::first(event)), BatchSize::SmallInput);
    });
    let (normalized, _) = line.wanted(0);
    let (event, id) = (line::first(&normalized), line.id(0));
    group.bench_function("outbound", |bencher| {
        let payload = || line.transform(event);
        bencher.iter_batched(payload, |payload| line.outbound(event, payload, id), BatchSize::SmallInput);
    });
}

fn enqueue(criterion: &mut Criterion) {
    let (runtime, line, (queue, _directory)) = (runtime(), Line::bspk(BY_TYPE, 1), line::queue());
    let (mut group, mut numbers) = (criterion.benchmark_group("enqueue"), 0..);
    for together in [1, TOGETHER] {
        group.throughput(Throughput::Elements(together));
        group.bench_function(BenchmarkId::from_parameter(together), |bencher| {
            let wanted =
                || numbers.by_ref().take(count(together)).map(|number| line.wanted(number)).collect::<Vec<_>>();
            let append = |wanted: Vec<_>| {
                let appends = wanted.into_iter().map(|wanted| line.enqueue(&*queue, wanted));
                runtime.block_on(join_all(appends))
            };
            bencher.iter_batched(wanted, append, BatchSize::PerIteration);
        });
    }
    group.finish();
    runtime.block_on(queue.close()).unwrap();
}

fn lease(criterion: &mut Criterion) {
    let (runtime, line, (queue, _directory)) = (runtime(), Line::bspk(BY_TYPE, 1), line::queue());
    drop(leases(&runtime, &line, &*queue, 0..WAITING));
    let mut group = criterion.benchmark_group("lease");
    for together in [1, TOGETHER] {
        group.throughput(Throughput::Elements(together));
        group.bench_function(BenchmarkId::from_parameter(together), |bencher| {
            // Each gives back what it leased, as its result is dropped: outside of the measured time.
            let take = |()| runtime.block_on(queue.lease(&line.lane, count(together), NOW)).unwrap().leases;
            bencher.iter_batched(|| (), take, BatchSize::PerIteration);
        });
    }
    group.finish();
    runtime.block_on(queue.close()).unwrap();
}

fn settle(criterion: &mut Criterion) {
    let (runtime, line, (queue, _directory)) = (runtime(), Line::bspk(BY_TYPE, 1), line::queue());
    let (mut group, mut next) = (criterion.benchmark_group("settle"), 0);
    for together in [1, TOGETHER] {
        group.throughput(Throughput::Elements(together));
        group.bench_function(BenchmarkId::from_parameter(together), |bencher| {
            let made = || {
                next += together;
                leases(&runtime, &line, &*queue, next - together..next)
            };
            let ack = |leases: Vec<Lease>| {
                runtime.block_on(join_all(leases.into_iter().map(|lease| line.settle(&*queue, lease))))
            };
            bencher.iter_batched(made, ack, BatchSize::PerIteration);
        });
    }
    group.finish();
    runtime.block_on(queue.close()).unwrap();
}

fn leases(runtime: &Runtime, line: &Line, queue: &dyn Queue, numbers: std::ops::Range<u64>) -> Vec<Lease> {
    runtime.block_on(join_all(numbers.map(|number| line.lease(queue, number))))
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

fn count(together: u64) -> usize {
    usize::try_from(together).unwrap()
}
