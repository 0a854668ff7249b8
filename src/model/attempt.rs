//! One HTTP try of a delivery.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Outcome, Timestamp};

/// One HTTP try of a delivery, with how it ended. A bounded number of the last ones is kept with
/// each delivery that did not succeed at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which one: the first is 1.
    pub number: u32,
    /// When it began; milliseconds since the Unix epoch in storage.
    #[serde(with = "millis")]
    pub at: Timestamp,
    /// How long it took; milliseconds in storage.
    #[serde(with = "duration_millis")]
    pub duration: Duration,
    /// The status, where there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How it ended.
    pub outcome: Outcome,
    /// What happened, in a sentence for a person, with the start of the response where there was
    /// one: at most [`Attempt::DETAIL_LIMIT`] bytes. Never a header, a body or a secret that we sent.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub detail: Box<str>,
}

impl Attempt {
    /// The most that is kept of [`Attempt::detail`], in bytes.
    pub const DETAIL_LIMIT: usize = 1024;
    /// How many of the last attempts are kept with a delivery.
    pub const KEPT: usize = 10;
}

mod millis {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::Timestamp;

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.as_millis())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_millis)
    }
}

mod duration_millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
