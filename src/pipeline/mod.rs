//! The line itself, a stage a file, in the order in which an event goes through them:
//!
//! | stage | makes |
//! | --- | --- |
//! | [`receive`] | a [`Received`]: a request, read to its end within its bounds |
//! | [`handshake`] | the answer to a request that is not about events |
//! | [`verify`] | a [`Verified`], or the reason why not |
//! | [`normalize`] | the events, from wherever the provider put them |
//! | [`filter`] | for each event the lanes that want it |
//! | [`enqueue`] | leases of deliveries that are on stable storage |
//! | [`respond`] | what the provider hears |
//! | [`transform`] | the [`Payload`] that goes out |
//! | [`deliver`] | one HTTP try, and what follows from it |
//!
//! Beside them stand `refusal`, the one place where an error becomes a status, and `told`, the answer to the byte.
//!
//! No stage imports another. What one hands to the next is a type that only it can make, so the type is
//! the proof that the stage ran.

pub mod deliver;
pub mod enqueue;
pub mod filter;
pub mod handshake;
mod hosts;
pub mod normalize;
pub mod receive;
mod refusal;
pub mod respond;
mod told;
pub mod transform;
pub mod verify;

pub use hosts::Hosts;
pub use receive::Received;
pub use refusal::Refusal;
pub use respond::Answer;
pub use told::Told;
pub use transform::Payload;
pub use verify::Verified;

#[cfg(test)]
mod tests;
