//! The unit of the queue: one event for one entry of a route's `deliver`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// What makes an event the same as another of its route: the first 16 bytes of SHA-256 over the route and what the
/// provider calls the event. Of one size, however long that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventKey([u8; 16]);

/// Names one delivery, the same on each attempt and after each restart: the first 11 bytes of its event's [`EventKey`],
/// then the first 5 of SHA-256 over the delivery's name. So a store finds a delivery through its event, without an
/// index of its own. It is the outbound `Idempotency-Key`, in lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId([u8; 16]);

/// What a delivery's name makes of its id: the first bytes of SHA-256 over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryMark([u8; 16 - DeliveryId::EVENT_BYTES]);

/// One entry of a route's `deliver`, by name: the line in which its deliveries wait.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    /// The route's name.
    pub route: Arc<str>,
    /// The delivery's name, unique in its route.
    pub delivery: Arc<str>,
}

/// A text that is not a delivery id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a delivery id is 32 hex digits")]
pub struct ParseDeliveryIdError;

// === impl EventKey ===

impl EventKey {
    /// The key of the event that is known as `key` on `route`.
    #[must_use]
    pub fn new(route: &str, key: &str) -> Self {
        Self::hash(&[route, key])
    }

    /// The key under which an event is found by its id where it is known by something else. No [`EventKey::new`] is
    /// the same.
    #[must_use]
    pub fn alias(route: &str, id: &str) -> Self {
        Self::hash(&[route, "id", id])
    }

    /// From stored bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// As bytes, to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    fn hash(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            // The length in front keeps ("ab", "c") and ("a", "bc") apart.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        Self(first_bytes(hash.finalize()))
    }
}

// === impl DeliveryMark ===

impl DeliveryMark {
    /// The mark of a name.
    #[must_use]
    pub fn of(delivery: &str) -> Self {
        Self(first_bytes(Sha256::digest(delivery)))
    }
}

fn first_bytes<const N: usize>(hash: impl IntoIterator<Item = u8>) -> [u8; N] {
    let mut first = [0; N];
    for (to, from) in first.iter_mut().zip(hash) {
        *to = from;
    }
    first
}

// === impl DeliveryId ===

impl DeliveryId {
    /// How many bytes of it come from the event's key.
    pub const EVENT_BYTES: usize = 11;

    /// The id of the delivery of the event known as `event_key` in `lane`.
    #[must_use]
    pub fn new(event_key: &str, lane: &Lane) -> Self {
        Self::of(EventKey::new(&lane.route, event_key), &lane.delivery)
    }

    /// The id of an event's delivery of this name.
    #[must_use]
    pub fn of(event: EventKey, delivery: &str) -> Self {
        Self::marked(event, DeliveryMark::of(delivery))
    }

    /// The same where the mark of the name is known.
    #[must_use]
    pub fn marked(event: EventKey, mark: DeliveryMark) -> Self {
        let mut id = event.0;
        for (to, from) in id.iter_mut().skip(Self::EVENT_BYTES).zip(mark.0) {
            *to = from;
        }
        Self(id)
    }

    /// The least and the greatest key that its event can have.
    #[must_use]
    pub fn event_keys(&self) -> (EventKey, EventKey) {
        let with = |filler: u8| {
            let mut key = self.0;
            key.iter_mut().skip(Self::EVENT_BYTES).for_each(|byte| *byte = filler);
            EventKey(key)
        };
        (with(0), with(u8::MAX))
    }

    /// From stored bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// As bytes, to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeliveryId({self})")
    }
}

impl FromStr for DeliveryId {
    type Err = ParseDeliveryIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).map_err(|_| ParseDeliveryIdError)?;
        Ok(Self(id))
    }
}

// === impl Lane ===

impl Lane {
    /// The lane of `delivery` in `route`.
    #[must_use]
    pub fn new(route: impl Into<Arc<str>>, delivery: impl Into<Arc<str>>) -> Self {
        Self { route: route.into(), delivery: delivery.into() }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.route, self.delivery)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_depends_on_each_part_and_on_where_it_ends() {
        let id = DeliveryId::new("evt_1", &Lane::new("orders", "crm"));
        assert_eq!(id, DeliveryId::new("evt_1", &Lane::new("orders", "crm")));
        for other in [
            DeliveryId::new("evt_2", &Lane::new("orders", "crm")),
            DeliveryId::new("evt_1", &Lane::new("orders", "erp")),
            DeliveryId::new("evt_1o", &Lane::new("rders", "crm")),
        ] {
            assert_ne!(id, other);
        }
    }

    #[test]
    fn text_and_bytes_say_the_same() {
        let id = DeliveryId::new("evt_1", &Lane::new("orders", "crm"));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().len(), 32);
        assert_eq!("zz".parse::<DeliveryId>(), Err(ParseDeliveryIdError));
    }

    #[test]
    fn an_event_is_found_by_its_deliverys_id() {
        let (key, other) = (EventKey::new("orders", "evt_1"), EventKey::new("orders", "evt_2"));
        let (least, greatest) = DeliveryId::of(key, "crm").event_keys();
        assert!((least..=greatest).contains(&key) && !(least..=greatest).contains(&other));
        assert_ne!(EventKey::alias("orders", "evt_1"), key);
    }
}
