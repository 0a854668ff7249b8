//! What the black-box tests stand on: the binary as a process, destinations that record, the providers'
//! signatures in a hand of their own, and a plain HTTP client that can also misbehave.
//!
//! Nothing here uses the library under test: a test that signs with the code it checks proves nothing.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test file uses its part of this")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

pub mod audit;
pub mod check;
pub mod command;
pub mod destination;
pub mod faults;
pub mod fixtures;
pub mod gateway;
pub mod hostile;
pub mod http;
pub mod load;
pub mod metrics;
pub mod sign;
pub mod wait;

pub use check::{Checked, check};
pub use command::Ran;
pub use destination::{Answer, Arrived, Destination};
pub use faults::{Fault, Faults};
pub use gateway::{Gateway, hookswitch};
pub use http::{Connection, Response};
pub use load::Load;
pub use metrics::metric;
pub use wait::{DEADLINE, eventually};
