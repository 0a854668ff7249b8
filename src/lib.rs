//! Hookswitch, a declarative webhook gateway: `routes.yaml` binds providers' authentication schemes to inbound
//! paths, filters and reshapes each event with JSONPath, and fans it out to HTTP destinations, durably, at least
//! once. This page is the map.
//!
//! # The line
//!
//! ```text
//! receive -> Received -> verify -> Verified -> normalize -> [Event] -> filter -> [Delivery] -> enqueue => answer
//!      ============================ durable queue ============================
//! Lease -> transform -> deliver -> Attempt { Outcome } -> ack | retry_at | dead_letter
//! ```
//!
//! The first row is `app::exchange`, which calls the stages of [`pipeline`] in this order; the last is
//! `app::worker`. The queue between them is [`queue::Queue`].
//!
//! # The floors, from the ground up
//!
//! | floor | rooms |
//! | --- | --- |
//! | the words | [`model`]: event, delivery, attempt, outcome, secret |
//! | the languages | [`expr`]: queries, predicates, templates, selectors; [`config`]: what the YAML says; [`telemetry`]: logs and metrics |
//! | what stands ready | [`providers`]: the built-in ones, a YAML file each; [`queue`]: where deliveries wait; [`signing`]: what keyed signatures cover and how they are written, in and out |
//! | the stages | [`pipeline`]: a file or folder each, none of which imports another |
//! | what runs | [`routing`]: the `RouteTable`, compiled from a file or refused with every problem |
//! | the gateway | [`app`]: ingress, workers, reload, and how they are put together; [`rehearsal`]: what it would do, and why, without a queue and without the network |
//! | its control | [`admin`]: metrics, health, reload and the API over HTTP |
//! | its commands | [`cli`]: a file a command |
//!
//! Imports go down only, and not sideways; `tests/floors.rs` holds it.
//!
//! # Invariants
//!
//! - A provider gets a 2xx only after every event of its request, and every delivery that they cause, is on stable
//!   storage, by one commit. Anything short of that is another status, and then nothing of the request is kept.
//! - Only `verify` makes a `Verified`: nothing unverified can become an event.
//! - An event is stored once, as received. Filters run at enqueue; transforms at delivery, with the configuration
//!   in force at the attempt.
//! - A committed delivery goes to its worker from memory; storage is read after a restart, for a retry, and for
//!   what the worker had no room for. Memory is bounded however far a destination falls behind.
//! - A destination is never sent more than its rate and its concurrency allow, and nothing but a probe while its breaker is
//!   not closed. What waits for that waits in the queue, and holds up no other destination.
//! - A delivery ends as delivered or as a dead letter, never in silence. A lease that is dropped goes back.
//! - Of the deliveries of one lane and order key one at most can be leased, and the next becomes due in the commit that
//!   ends it.
//! - What happens is counted in the commit in which it happens: nothing can go missing and the sums still come out.
//! - The configuration in force is one immutable value. A reload builds the next one whole, then swaps.
//! - No secret and no payload is in a log line, a metric or an error.
//! - What a mask finds is shown to nobody who looks at what is stored, and delivered as it came.
//! - Time, dice and the network are passed in.
//!
//! # What is deliberately absent
//!
//! - A script language: what the knobs cannot say is said by a provider file's form, or not at all.
//! - Redirects of destinations, and proxies from the environment: an event goes where the configuration says.
//! - A pluggable store, metric or log interface: the traits are those that have, or will have, two homes.

pub mod admin;
pub mod app;
pub mod cli;
pub mod config;
pub mod expr;
pub mod model;
pub mod pipeline;
pub mod providers;
pub mod queue;
pub mod rehearsal;
pub mod routing;
pub mod signing;
pub mod telemetry;
