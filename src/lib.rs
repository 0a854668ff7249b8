//! Hookswitch.
pub mod config;
pub mod expr;
pub mod model;
pub mod pipeline;
pub mod providers;
pub mod queue;
