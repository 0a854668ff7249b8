//! The line itself, a stage a file, in the order in which an event goes through them.
//!
//! No stage imports another. What one hands to the next is a type that only it can make, so the type is
//! the proof that the stage ran: only [`receive`] makes a [`Received`], only [`verify`] a [`Verified`].

pub mod deliver;
pub mod receive;
pub mod transform;
pub mod verify;

pub use receive::Received;
pub use transform::Payload;
pub use verify::Verified;
