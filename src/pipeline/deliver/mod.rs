//! The last stage: one HTTP try of a delivery, and what follows from how it ended.

mod attempt;
mod retry;
mod target;

pub use attempt::{Answer, Client};
pub use retry::{RetryPolicy, Verdict};
pub use target::Target;
