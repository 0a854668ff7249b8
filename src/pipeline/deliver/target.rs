//! A destination, compiled.

use std::sync::Arc;
use std::time::Duration;

use super::RetryPolicy;
use crate::config::{At, Problems, file};

/// A destination, compiled.
#[derive(Debug)]
pub struct Target {
    /// Its name: a metric label.
    pub name: Arc<str>,
    /// How long one attempt may take, to the end of the response.
    pub timeout: Duration,
    /// How many attempts may be under way at once.
    pub concurrency: usize,
    /// When a failed attempt is made again.
    pub retry: RetryPolicy,
}

impl Target {
    /// Compiles a destination.
    pub fn compile(_name: &At<String>, _file: &file::Destination, _problems: &mut Problems) -> Option<Self> {
        todo!()
    }
}
