//! The words of the line as plain data: what an event, a delivery, an attempt and a secret are.
//!
//! Pure: nothing here reads a clock, a socket, a file or a configuration, and nothing here imports
//! another module of the crate.

mod attempt;
mod delivery;
mod event;
mod excerpt;
mod headers;
mod needs;
mod outcome;
mod reading;
mod request;
#[cfg(test)]
pub(crate) mod sample;
mod secret;
mod time;

pub use attempt::Attempt;
pub use delivery::{DeliveryId, DeliveryMark, EventKey, Lane, ParseDeliveryIdError};
pub use event::{Attributes, Event};
pub use excerpt::Excerpt;
pub use headers::Headers;
pub use needs::Needs;
pub use outcome::{Outcome, Reason};
pub use reading::Reading;
pub use request::{Evidence, Request, RequestId};
pub use secret::{NamedSecret, Secret};
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
