//! How an attempt ended, and why: a closed set, whose words are the metric labels.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How one attempt ended, or what became of a delivery that could not be attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The destination answered 2xx.
    Delivered,
    /// It failed, and another attempt may do better.
    Retry(Reason),
    /// It failed for good: the delivery waits among the dead letters for a person.
    DeadLetter(Reason),
}

/// Why an attempt failed. Closed: each is a value of the `reason` label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The destination's name could not be resolved.
    Dns,
    /// No connection: refused, unreachable, or not in time.
    Connect,
    /// The TLS handshake failed: certificate or protocol.
    Tls,
    /// The name leads only to addresses that `allow_private: false` refuses.
    RefusedAddress,
    /// No access token could be had for the destination, or it refused one that the next attempt replaces.
    Oauth,
    /// The destination did not answer in time.
    Timeout,
    /// The connection broke, or what came back is not HTTP.
    BrokenResponse,
    /// A 2xx that `success` does not take for one.
    Unsuccessful,
    /// 429.
    RateLimited,
    /// A 5xx.
    ServerError,
    /// A 4xx that is worth another attempt.
    ClientError,
    /// A status that `give_up_on` names.
    Rejected,
    /// A 3xx: redirects are never followed.
    Redirect,
    /// A status outside of 200 to 599.
    UnexpectedStatus,
    /// The transform, or the URL's or a header's template, asked for what the event does not have.
    Transform,
    /// The request lacks something that `sign.content` names.
    Sign,
    /// What was rendered is not a request: a URL that does not parse, a header that may not be sent.
    InvalidRequest,
    /// `retry.max_attempts` were made.
    AttemptsExhausted,
    /// Older than `retry.max_age`.
    Expired,
    /// The route is no longer in the configuration.
    RouteRemoved,
    /// The delivery is no longer in its route.
    DeliveryRemoved,
    /// The stored record cannot be read.
    Corrupt,
}

// === impl Reason ===

impl Reason {
    /// Every reason, for a metric that shows its zeroes.
    pub const ALL: [Self; 22] = [
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::RefusedAddress,
        Self::Oauth,
        Self::Timeout,
        Self::BrokenResponse,
        Self::Unsuccessful,
        Self::RateLimited,
        Self::ServerError,
        Self::ClientError,
        Self::Rejected,
        Self::Redirect,
        Self::UnexpectedStatus,
        Self::Transform,
        Self::Sign,
        Self::InvalidRequest,
        Self::AttemptsExhausted,
        Self::Expired,
        Self::RouteRemoved,
        Self::DeliveryRemoved,
        Self::Corrupt,
    ];

    /// The word: in metrics, logs and the queue.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::RefusedAddress => "refused_address",
            Self::Oauth => "oauth",
            Self::Timeout => "timeout",
            Self::BrokenResponse => "broken_response",
            Self::Unsuccessful => "unsuccessful",
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::ClientError => "client_error",
            Self::Rejected => "rejected",
            Self::Redirect => "redirect",
            Self::UnexpectedStatus => "unexpected_status",
            Self::Transform => "transform",
            Self::Sign => "sign",
            Self::InvalidRequest => "invalid_request",
            Self::AttemptsExhausted => "attempts_exhausted",
            Self::Expired => "expired",
            Self::RouteRemoved => "route_removed",
            Self::DeliveryRemoved => "delivery_removed",
            Self::Corrupt => "corrupt",
        }
    }

    /// What the person on call can do about a delivery that ended like this.
    #[must_use]
    pub const fn next_step(self) -> &'static str {
        match self {
            Self::Dns => "check the host name in the destination's url",
            Self::Connect => "check that the destination is up and reachable from here",
            Self::Tls => {
                "check the destination's certificate and the CA it is signed by, and whether it asks for one of ours (`tls`)"
            }
            Self::RefusedAddress => {
                "the name leads to an address that is not public: check it in DNS; if that is meant, drop `allow_private: false`"
            }
            Self::Oauth => "check `auth.oauth2`: the token endpoint's url, the client's id and secret, and its own log",
            Self::Timeout => "check the destination's load, or raise its `timeout`",
            Self::BrokenResponse => {
                "check what answers at the destination's url: it does not speak HTTP to the end, or asks for a certificate of ours (`tls`)"
            }
            Self::Unsuccessful => {
                "the destination took the request and says that it failed: see its response, and compare it with `success`"
            }
            Self::RateLimited => "lower the destination's `rate` or `concurrency`",
            Self::ServerError => "look into the destination's own log",
            Self::ClientError | Self::Rejected => {
                "compare the request with what the destination accepts; mend the transform; the dead letter is kept"
            }
            Self::Redirect => "put the final address into the destination's `url`: redirects are not followed",
            Self::UnexpectedStatus => "check what answers at the destination's url",
            Self::Transform => "mend the transform (or give the path a `$default`) and reload; the dead letter is kept",
            Self::Sign => {
                "give the request what `sign.content` names (or take it out there) and reload; the dead letter is kept"
            }
            Self::InvalidRequest => "mend the destination's url or headers and reload; the dead letter is kept",
            Self::AttemptsExhausted | Self::Expired => "the last attempts have the cause; the dead letter is kept",
            Self::RouteRemoved | Self::DeliveryRemoved => {
                "put the route's delivery back if it was not meant to go; the dead letter is kept"
            }
            Self::Corrupt => "the record on disk cannot be read: check the disk; the provider may send the event again",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Outcome ===

impl Outcome {
    /// The word under which an attempt is counted: `delivered`, or its reason.
    #[must_use]
    pub const fn reason_label(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry(reason) | Self::DeadLetter(reason) => reason.as_str(),
        }
    }
}
