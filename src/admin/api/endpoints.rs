//! What the API answers: paths, methods, parameters and keys as data, for the dispatcher and for the test that holds
//! the description against it.

use http::Method;

use super::problem::Problem;

/// One method of one path.
#[derive(Debug)]
#[non_exhaustive]
pub struct Endpoint {
    /// The method.
    pub method: Method,
    /// The path, in which `{id}` stands for one segment.
    pub path: &'static str,
    /// The parameters of its query.
    pub query: &'static [&'static str],
    /// The keys of its body.
    pub body: &'static [&'static str],
    pub(super) operation: Operation,
}

/// What an endpoint does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Events,
    Event,
    EventBody,
    ReplayEvent,
    Requests,
    Deliveries,
    Delivery,
    ReplayDelivery,
    DeadLetters,
    DeadLetter,
    ReplayDeadLetter,
    PurgeDeadLetter,
    Jobs,
    BeginJob,
    Job,
    StopJob,
    ResumeJob,
    Keys,
    ReleaseKey,
    Destinations,
    Secrets,
    Ledger,
    Audit,
    OpenApi,
}

/// The parameters of a list of deliveries.
const FILTERS: &[&str] =
    &["state", "route", "delivery", "type", "reason", "order_key", "since", "until", "limit", "cursor"];
/// The same where the state is known.
const DEAD_FILTERS: &[&str] =
    &["route", "delivery", "type", "reason", "order_key", "since", "until", "limit", "cursor"];
const JOB: &[&str] = &["action", "all", "state", "route", "delivery", "type", "reason", "order_key", "since", "until"];

/// Everything that is answered under `/api/v1`.
pub static ENDPOINTS: &[Endpoint] = &[
    get("/api/v1/events", FILTERS, Operation::Events),
    get("/api/v1/events/{id}", &[], Operation::Event),
    get("/api/v1/events/{id}/body", &["number"], Operation::EventBody),
    post("/api/v1/events/{id}/replay", &["delivery", "number"], Operation::ReplayEvent),
    get("/api/v1/requests", FILTERS, Operation::Requests),
    get("/api/v1/deliveries", FILTERS, Operation::Deliveries),
    get("/api/v1/deliveries/{id}", &[], Operation::Delivery),
    post("/api/v1/deliveries/{id}/replay", &[], Operation::ReplayDelivery),
    get("/api/v1/dead-letters", DEAD_FILTERS, Operation::DeadLetters),
    get("/api/v1/dead-letters/{id}", &[], Operation::DeadLetter),
    post("/api/v1/dead-letters/{id}/replay", &[], Operation::ReplayDeadLetter),
    endpoint(Method::DELETE, "/api/v1/dead-letters/{id}", &[], &[], Operation::PurgeDeadLetter),
    get("/api/v1/jobs", &[], Operation::Jobs),
    post("/api/v1/jobs", JOB, Operation::BeginJob),
    get("/api/v1/jobs/{id}", &[], Operation::Job),
    post("/api/v1/jobs/{id}/stop", &[], Operation::StopJob),
    post("/api/v1/jobs/{id}/resume", &[], Operation::ResumeJob),
    get("/api/v1/keys", &["limit", "cursor"], Operation::Keys),
    post("/api/v1/keys/release", &["route", "delivery", "key", "behind", "replay"], Operation::ReleaseKey),
    get("/api/v1/destinations", &[], Operation::Destinations),
    get("/api/v1/secrets", &["route"], Operation::Secrets),
    get("/api/v1/ledger", &[], Operation::Ledger),
    get("/api/v1/audit", &[], Operation::Audit),
    get("/api/v1/openapi.json", &[], Operation::OpenApi),
];

/// The endpoint of a request, and what stands in its path for `{id}`.
pub(super) fn find<'p>(path: &'p str, method: &Method) -> Result<(&'static Endpoint, &'p str), Problem> {
    let mut allowed = Vec::new();
    for endpoint in ENDPOINTS {
        let Some(id) = matched(endpoint.path, path) else { continue };
        if endpoint.method == *method {
            return Ok((endpoint, id));
        }
        allowed.push(endpoint.method.as_str());
    }
    Err(if allowed.is_empty() { Problem::no_such_path(path) } else { Problem::method(&allowed) })
}

/// What stands for `{id}`, empty where nothing does; `None` where the path is another one.
fn matched<'p>(template: &str, path: &'p str) -> Option<&'p str> {
    let mut id = "";
    let mut given = path.split('/');
    for part in template.split('/') {
        let segment = given.next()?;
        if part == "{id}" && !segment.is_empty() {
            id = segment;
        } else if part != segment {
            return None;
        }
    }
    given.next().is_none().then_some(id)
}

const fn get(path: &'static str, query: &'static [&'static str], operation: Operation) -> Endpoint {
    endpoint(Method::GET, path, query, &[], operation)
}

const fn post(path: &'static str, body: &'static [&'static str], operation: Operation) -> Endpoint {
    endpoint(Method::POST, path, &[], body, operation)
}

const fn endpoint(
    method: Method,
    path: &'static str,
    query: &'static [&'static str],
    body: &'static [&'static str],
    operation: Operation,
) -> Endpoint {
    Endpoint { method, path, query, body, operation }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_segment_by_segment() {
        let found = |path, method| find(path, &method).map(|(endpoint, id)| (endpoint.operation, id));
        assert_eq!(found("/api/v1/events", Method::GET), Ok((Operation::Events, "")));
        assert_eq!(found("/api/v1/events/a%2Fb/body", Method::GET), Ok((Operation::EventBody, "a%2Fb")));
        assert_eq!(found("/api/v1/dead-letters/1", Method::DELETE), Ok((Operation::PurgeDeadLetter, "1")));
        for path in ["/api/v1/events/", "/api/v1/events/1/", "/api/v1/events/1/2/3", "/api/v1", "/api/v1//events"] {
            assert_eq!(found(path, Method::GET), Err(Problem::no_such_path(path)));
        }
        assert_eq!(found("/api/v1/dead-letters/1", Method::PUT), Err(Problem::method(&["GET", "DELETE"])));
    }
}
