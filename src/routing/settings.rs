//! What concerns the process rather than a route.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::config::{At, ByteSize, Place, Problem, Problems, Span, file};
use crate::model::Secret;

/// What concerns the process rather than a route.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where webhooks come in.
    pub listen: SocketAddr,
    /// Where metrics, health and control are.
    pub admin_listen: SocketAddr,
    /// The bearer token of the admin listener.
    pub admin_token: Option<Secret>,
    /// The embedded queue.
    pub queue: EmbeddedQueue,
    /// Bounds on what a client may cost.
    pub limits: Limits,
}

/// `queue.embedded:`, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddedQueue {
    /// The directory.
    pub path: PathBuf,
    /// About how many bytes the pending and the dead deliveries may take.
    pub max_bytes: Option<u64>,
    /// How old the oldest pending delivery may be.
    pub max_age: Option<Duration>,
    /// About how many bytes what was delivered may take.
    pub max_retained: u64,
}

/// The least that `max_bytes` may be.
const LEAST_QUEUE: u64 = 1 << 20;

/// The most that `max_body` may be, in bytes: bodies under way may take four times as much together.
const LARGEST_BODY: u64 = 64 << 20;

/// Bounds on what a client may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest body of a route that does not say its own, in bytes.
    pub max_body: u64,
    /// How long a client may take to send a request's head.
    pub header_timeout: Duration,
    /// How long a client may take to send a request's body.
    pub body_timeout: Duration,
    /// How many connections may be open at once.
    pub max_connections: u32,
    /// How long a stop waits for requests and attempts under way.
    pub shutdown_grace: Duration,
}

// === impl Settings ===

impl Settings {
    /// Compiles the settings of a file; problems come with defaults in their place.
    pub fn compile(file: &file::ConfigFile, problems: &mut Problems) -> Self {
        let listen = address(file.listen.as_ref(), SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 8080), problems);
        let admin_listen =
            address(file.admin.listen.as_ref(), SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 9090), problems);
        admin_token(&file.admin, admin_listen.ip(), problems);
        if listen == admin_listen && listen.port() != 0 {
            let place = file.admin.listen.as_ref().or(file.listen.as_ref()).map(|at| at.place).unwrap_or_default();
            problems.push(
                Problem::error(place, format!("`listen` and `admin.listen` are both {listen}"))
                    .expected("two addresses"),
            );
        }
        Self {
            listen,
            admin_listen,
            admin_token: file.admin.token.as_ref().map(|token| token.value.clone()),
            queue: EmbeddedQueue::compile(file.queue.as_ref(), problems),
            limits: Limits::compile(&file.limits, problems),
        }
    }

    /// The fields in which `other` differs that cannot change in a running process, as the file names them.
    #[must_use]
    pub fn fixed_fields_that_differ(&self, other: &Self) -> Vec<&'static str> {
        [
            ("listen", self.listen != other.listen),
            ("admin.listen", self.admin_listen != other.admin_listen),
            ("queue", self.queue != other.queue),
            ("limits.max_connections", self.limits.max_connections != other.limits.max_connections),
            ("limits.header_timeout", self.limits.header_timeout != other.limits.header_timeout),
        ]
        .into_iter()
        .filter_map(|(field, differs)| differs.then_some(field))
        .collect()
    }
}

fn address(given: Option<&At<String>>, default: SocketAddr, problems: &mut Problems) -> SocketAddr {
    let Some(given) = given else { return default };
    given.parse().unwrap_or_else(|_| {
        problems.push(
            Problem::error(given.place, "this is not an address to listen on")
                .expected("address and port such as 0.0.0.0:8080 or [::]:8080"),
        );
        default
    })
}

fn admin_token(admin: &file::Admin, ip: IpAddr, problems: &mut Problems) {
    match &admin.token {
        Some(token) if token.is_empty() => problems.push(Problem::error(token.place, "the admin token is empty")),
        None if !ip.is_loopback() => {
            let place = admin.listen.as_ref().map_or_else(Place::default, |listen| listen.place);
            problems.push(
                Problem::error(place, "the admin listener is open to other machines and has no token")
                    .expected("`admin.token`, or an `admin.listen` on 127.0.0.1"),
            );
        }
        _ => {}
    }
}

// === impl EmbeddedQueue ===

impl EmbeddedQueue {
    fn compile(queue: Option<&At<file::Queue>>, problems: &mut Problems) -> Self {
        let mut compiled =
            Self { path: PathBuf::from("./data"), max_bytes: None, max_age: None, max_retained: 1 << 30 };
        let Some(At { value: file::Queue::Embedded(embedded), .. }) = queue else { return compiled };
        if let Some(path) = &embedded.path {
            if path.is_empty() {
                problems.push(Problem::error(path.place, "the path is empty").expected("a directory such as ./data"));
            }
            compiled.path = PathBuf::from(&path.value);
        }
        if let Some(size) = &embedded.max_bytes {
            if size.value.0 < LEAST_QUEUE {
                let problem = Problem::error(size.place, "hardly an event fits into that");
                problems.push(problem.expected("a size from 1MiB, such as 10GiB"));
            }
            compiled.max_bytes = Some(size.value.0);
        }
        if let Some(age) = &embedded.max_age {
            if age.value.0.is_zero() {
                let problem = Problem::error(age.place, "nothing would ever be taken");
                problems.push(problem.expected("a duration such as 1d"));
            }
            compiled.max_age = Some(age.value.0);
        }
        compiled.max_retained = embedded.max_retained.as_ref().map_or(compiled.max_retained, |size| size.value.0);
        compiled
    }
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body: 10 << 20,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            max_connections: 10_000,
            shutdown_grace: Duration::from_secs(25),
        }
    }
}

impl Limits {
    fn compile(file: &file::Limits, problems: &mut Problems) -> Self {
        let default = Self::default();
        let mut span = |given: &Option<At<Span>>, default: Duration| {
            let Some(given) = given else { return default };
            if given.value.0.is_zero() {
                problems.push(Problem::error(given.place, "this is no time at all").expected("a duration such as 10s"));
            }
            given.value.0
        };
        let limits = Self {
            max_body: default.max_body,
            header_timeout: span(&file.header_timeout, default.header_timeout),
            body_timeout: span(&file.body_timeout, default.body_timeout),
            shutdown_grace: span(&file.shutdown_grace, default.shutdown_grace),
            max_connections: file.max_connections.as_ref().map_or(default.max_connections, |count| count.value),
        };
        if let Some(count) = &file.max_connections
            && count.value == 0
        {
            problems.push(Problem::error(count.place, "nobody could connect").expected("a number from 1"));
        }
        Self { max_body: file.max_body.as_ref().map_or(limits.max_body, |size| max_body(size, problems)), ..limits }
    }
}

/// A largest body, in bytes.
pub(super) fn max_body(given: &At<ByteSize>, problems: &mut Problems) -> u64 {
    let size = given.value.0;
    if size == 0 {
        problems.push(Problem::error(given.place, "no body fits into nothing").expected("a size such as 1MiB"));
    } else if size > LARGEST_BODY {
        problems.push(
            Problem::error(given.place, "a body of this size could not be kept")
                .expected(format!("at most {}MiB", LARGEST_BODY >> 20)),
        );
    }
    size
}
