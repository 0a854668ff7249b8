//! The configuration that runs: compiled, immutable, swapped whole.
//!
//! [`compile`] is the one way from `config::file::ConfigFile`, what the YAML says, to [`RouteTable`], what runs.

mod auth;
mod case;
mod compile;
mod mask;
mod order;
mod parameters;
mod secrets;
mod settings;
mod table;

pub use case::{RouteCase, case_of_provider, case_of_route};
pub use compile::{Compile, compile, compile_played};
pub use secrets::{RouteSecret, Secrets};
pub use settings::{EmbeddedQueue, Limits, Settings};
pub use table::{Delivery, Matched, Route, RouteTable};

#[cfg(test)]
mod tests;
