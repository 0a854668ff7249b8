//! Packs: what was delivered and is kept, many events in one row.
//!
//! Most of what is kept is never looked at. An event all of whose deliveries were made before it got to the tables goes
//! there as part of a pack: a row of `packs` has the journal's own entries about them, one after the other, instead of some
//! rows and entries of indexes for each. They are read where they are. Whoever changes one of them opens its pack
//! first: what is in it is put in rows of its own, and the pack is gone. A pack whose last delivery has been kept long
//! enough goes whole.
//!
//! An event is in `events` or in a pack, never in both. Its key is in `keys`, as each event's is.

mod contents;
mod fill;
mod open;
mod packed;
mod salvage;
mod traffic;
mod view;

pub(super) use self::contents::{End, Member, Share, all_shares, first_to_end, has_event};
pub(super) use self::fill::{Filling, Kept};
pub(super) use self::open::{drop_whole, open, open_holding, open_next};
pub(super) use self::salvage::mend;
pub(super) use self::traffic::{PackedTraffic, Requests};
pub(super) use self::view::{Backward, PackedEvent, deliveries, delivery, event};
