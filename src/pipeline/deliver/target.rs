//! A destination, compiled.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::RetryPolicy;
use super::address::Address;
use super::fields::Fields;
use crate::config::{At, Problem, Problems, file};
use crate::model::Secret;

/// A destination, compiled.
pub struct Target {
    /// Its name: a metric label.
    pub name: Arc<str>,
    /// How long one attempt may take, to the end of the response.
    pub timeout: Duration,
    /// How many attempts may be under way at once.
    pub concurrency: usize,
    /// When a failed attempt is made again.
    pub retry: RetryPolicy,
    pub(super) method: Method,
    pub(super) address: Address,
    pub(super) fields: Fields,
}

// === impl Target ===

impl Target {
    /// Compiles a destination. Every problem is collected; `None` where one of them keeps it from being a target.
    pub fn compile(name: &At<String>, file: &file::Destination, problems: &mut Problems) -> Option<Self> {
        let mut own = Problems::new();
        let address = Address::compile(&file.url, &mut own);
        let method = method(file.method.as_ref(), &mut own);
        let fields = Fields::compile(&file.headers, file.auth.as_ref(), &mut own);
        let timeout = timeout(file, &mut own);
        let concurrency = concurrency(file.concurrency.as_ref(), &mut own);
        let retry = RetryPolicy::compile(&file.retry, &mut own);
        let sound = !own.any_error();
        problems.extend(own.sorted());
        let (Some(address), Some(method), true) = (address, method, sound) else { return None };
        Some(Self { name: name.value.as_str().into(), timeout, concurrency, retry, method, address, fields })
    }

    /// Its host, and its port where that is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.address.authority()
    }

    /// What must not come back in the detail of an attempt.
    pub(super) fn secrets(&self) -> &[Secret] {
        self.fields.secrets()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("name", &self.name)
            .field("method", &self.method)
            .field("authority", &self.authority())
            .field("headers", &self.fields.names().collect::<Vec<_>>())
            .field("timeout", &self.timeout)
            .field("concurrency", &self.concurrency)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

fn method(given: Option<&At<String>>, problems: &mut Problems) -> Option<Method> {
    let Some(given) = given else { return Some(Method::POST) };
    let expected = "POST, PUT, PATCH, DELETE, or a method of the destination's own";
    let Ok(method) = Method::from_bytes(given.value.as_bytes()) else {
        problems.push(Problem::error(given.place, "this is not an HTTP method").expected(expected));
        return None;
    };
    let upper = method.as_str().to_ascii_uppercase();
    if ["GET", "HEAD", "OPTIONS", "TRACE", "CONNECT"].contains(&&*upper) {
        // RFC 9110, section 9.3: a body has no meaning in these, and intermediaries may answer or repeat them.
        problems.push(Problem::error(given.place, format!("{upper} carries no body")).expected(expected));
        return None;
    }
    let known = ["POST", "PUT", "PATCH", "DELETE"];
    if method.as_str() != upper && known.contains(&&*upper) {
        let problem = Problem::error(given.place, "methods are case-sensitive").expected(expected);
        problems.push(problem.suggest(&given.value, known));
        return None;
    }
    Some(method)
}

fn timeout(file: &file::Destination, problems: &mut Problems) -> Duration {
    let Some(given) = &file.timeout else { return Duration::from_secs(30) };
    if given.value.0.is_zero() {
        problems.push(
            Problem::error(given.place, "no attempt could succeed in no time").expected("a duration such as 30s"),
        );
    }
    given.value.0
}

fn concurrency(given: Option<&At<u32>>, problems: &mut Problems) -> usize {
    let Some(given) = given else { return 32 };
    if given.value == 0 {
        problems.push(Problem::error(given.place, "no attempt could ever be made").expected("1 or more"));
    }
    usize::try_from(given.value).unwrap_or(usize::MAX)
}
