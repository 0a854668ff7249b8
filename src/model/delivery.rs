//! The unit of the queue: one event for one entry of a route's `deliver`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// Names one delivery, the same on each attempt and after each restart: the first 16 bytes of
/// SHA-256 over event key, route and delivery name. It is the outbound `Idempotency-Key`, in
/// lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId([u8; 16]);

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

// === impl DeliveryId ===

impl DeliveryId {
    /// The id of the delivery of the event known as `event_key` in `lane`.
    #[must_use]
    pub fn new(event_key: &str, lane: &Lane) -> Self {
        let mut hash = Sha256::new();
        for part in [event_key, &*lane.route, &*lane.delivery] {
            // The length in front keeps ("ab", "c") and ("a", "bc") apart.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest: [u8; 32] = hash.finalize().into();
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(digest) {
            *to = from;
        }
        Self(id)
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
}
