//! What is in a pack.

use super::super::codec::CodecError;
use super::super::entry::{self, AppendEntry, Entry, EventEntry, MadeEntry};
use super::super::tables::{event_of, slots};
use crate::model::{Attempt, DeliveryId};

/// A request in a pack, with what is kept of it.
#[derive(Debug)]
pub(super) struct PackedRequest<'a> {
    /// It as it came; not each of its events need be kept.
    pub(super) append: AppendEntry<'a>,
    kept: Vec<PackedDelivery>,
}

/// A delivery that was made and is kept.
#[derive(Debug)]
pub(super) struct PackedDelivery {
    pub(super) id: DeliveryId,
    pub(super) made: MadeEntry,
    /// The attempts that failed before.
    pub(super) history: Vec<Attempt>,
}

/// The requests in a pack, in order.
pub(super) fn decode(entries: &[u8]) -> Result<Vec<PackedRequest<'_>>, CodecError> {
    let altered = || CodecError::Altered("pack");
    let mut requests: Vec<PackedRequest<'_>> = Vec::new();
    let mut history = Vec::new();
    for (_, entry) in entry::decode(entries).map_err(|_| altered())? {
        match entry {
            Entry::Append(append) | Entry::AppendRead(_, append) => {
                requests.push(PackedRequest { append, kept: Vec::new() })
            }
            // It is kept for people, and must not hold up what it belongs to.
            Entry::Again(again) => history.extend(serde_json::from_str::<Attempt>(again.attempt)),
            Entry::Made(made) => {
                let request = requests.last_mut().ok_or_else(altered)?;
                let id = request.id(made.row).ok_or_else(altered)?;
                request.kept.push(PackedDelivery { id, made, history: std::mem::take(&mut history) });
            }
            Entry::Count(_) => return Err(altered()),
        }
    }
    Ok(requests)
}

// === impl PackedRequest ===

impl<'a> PackedRequest<'a> {
    /// The row of the request.
    pub(super) fn row(&self) -> Option<i64> {
        self.append.events.first().map(|event| event.number)
    }

    /// The events that are kept, with their deliveries.
    pub(super) fn events(&self) -> impl Iterator<Item = (&EventEntry<'a>, Vec<&PackedDelivery>)> {
        self.append.events.iter().filter_map(|event| {
            let is_its = |delivery: &&PackedDelivery| event_of(delivery.made.row) == event.number;
            let deliveries: Vec<_> = self.kept.iter().filter(is_its).collect();
            (!deliveries.is_empty()).then_some((event, deliveries))
        })
    }

    fn id(&self, row: i64) -> Option<DeliveryId> {
        let event = self.append.events.iter().find(|event| event.number == event_of(row))?;
        let slot = usize::try_from(row - slots(event.number).0).ok()?;
        event.deliveries.get(slot).map(|delivery| DeliveryId::from_bytes(delivery.id))
    }
}
