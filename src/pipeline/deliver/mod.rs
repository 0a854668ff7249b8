//! The last stage: one HTTP try of a delivery, and what follows from how it ended.
//!
//! A [`Target`] is a destination, compiled. With an event and its payload it makes an [`Outbound`], the request to the
//! byte, which a rehearsal shows and [`Client::attempt`] sends. What comes back is an [`Answer`], and
//! [`RetryPolicy::decide`] says what follows from it.
//!
//! `link` is how it is connected to (`tls` and `guard`: with whom, and at which addresses), `exchange` a request and its
//! answer by either of two clients: `direct`, which speaks plain HTTP/1.1, and reqwest, which speaks all else. `oauth` is
//! where its access tokens come from, `sign` how its requests are signed, `judge` what its 2xx have to say.
//!
//! Deliberately absent: redirects are not followed, proxies of the environment not used, cookies not kept, and
//! compressed responses not unpacked.

mod address;
mod answer;
mod attempt;
mod direct;
mod excerpt;
mod exchange;
mod failure;
mod fields;
mod guard;
mod judge;
mod limits;
mod link;
mod oauth;
mod outbound;
mod retry;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod scripted;
mod sign;
mod target;
mod tls;

pub use address::{AddressError, RenderedUrl};
pub use answer::Answer;
pub use attempt::{Client, ClientError};
pub use limits::{BreakerPolicy, FailureRate};
pub use outbound::{Outbound, OutboundError};
pub use retry::{RetryPolicy, Verdict};
pub use target::Target;
