//! The work: a signed BSPK `client.updated` and the request that carries it.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// The key of every candidate.
pub const SECRET: &str = "bench-secret";
/// Bytes of a body where nothing else is asked for.
pub const SIZE: usize = 1600;
/// The type that is wanted, and one that the filter has to drop.
pub const WANTED: &str = "client.updated";
pub const UNWANTED: &str = "client.deleted";

/// Digits of an event id.
const DIGITS: usize = 12;
const SAMPLE: &str = include_str!("../../fixtures/providers/bspk/client.updated.json");

/// A request whose event id, and number of a route, are written in place.
#[derive(Clone)]
pub struct Request {
    bytes: Vec<u8>,
    id_at: usize,
    route: Option<(usize, usize)>,
    routes: u64,
}

/// A body of about `size` bytes: the sample without its white space, and a note that fills it up.
pub fn body(kind: &str, size: usize) -> Vec<u8> {
    let mut event: Value = serde_json::from_str(SAMPLE).unwrap();
    event["event_name"] = json!(kind);
    event["object"]["notes"] = json!("");
    let length = event.to_string().len();
    event["object"]["notes"] = json!("Prefers the morning. ".repeat(size / 20)[..size.saturating_sub(length)]);
    event.to_string().into_bytes()
}

/// What a destination has to get: seven fields.
pub fn reshaped() -> Value {
    json!({
        "id": 123, "name": "Mark Desmound", "email": "mark.d@email.com", "language": "FR", "city": "Shawnee",
        "interests": ["Surf", "Golfing"], "updated_at": "2021-07-23T09:00:00Z",
    })
}

/// `sha256=` and the HMAC-SHA256 of the body in hex.
pub fn signature(key: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

// === impl Request ===

impl Request {
    /// A POST of a body, signed with `key`. A run of `#` in the path is the number of one of `routes`, in turn.
    pub fn new(path: &str, key: &str, body: &[u8], routes: u64) -> Self {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nX-Signature: {}\r\n\
             Content-Length: {}\r\nX-Event-Id: {}\r\n\r\n",
            signature(key, body),
            body.len(),
            "0".repeat(DIGITS)
        );
        let id_at = head.len() - 4 - DIGITS;
        let route = path.find('#').map(|at| (at + "POST ".len(), path.matches('#').count()));
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        Self { bytes, id_at, route, routes: routes.max(1) }
    }

    /// The bytes of the request for this event.
    pub fn with_id(&mut self, id: u64) -> &[u8] {
        write_digits(&mut self.bytes[self.id_at..self.id_at + DIGITS], id);
        if let Some((at, digits)) = self.route {
            write_digits(&mut self.bytes[at..at + digits], id % self.routes);
        }
        &self.bytes
    }
}

fn write_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
