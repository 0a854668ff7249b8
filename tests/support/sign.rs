//! The four providers' signatures, written from their documents and not from our code.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Header fields, in order.
pub type Headers = Vec<(String, String)>;

/// HMAC-SHA256 (RFC 2104).
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// SHA-256 in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Base 64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// BSPK: the secret itself.
pub fn bspk(secret: &str) -> Headers {
    headers(&[("X-Bspk-Secret", secret)])
}

/// Sparkbox: `sha256=` and the hex HMAC of the whole body.
pub fn sparkbox(secret: &str, body: &[u8]) -> Headers {
    headers(&[("X-Sparkbox-Signature", &format!("sha256={}", hex::encode(hmac_sha256(secret.as_bytes(), body))))])
}

/// Orderspace: the base64 HMAC of the body under the signing key as text.
pub fn orderspace(signing_key: &str, body: &[u8]) -> Headers {
    headers(&[("X-Orderspace-Signature", &base64(&hmac_sha256(signing_key.as_bytes(), body)))])
}

/// Bubblehouse: a bearer token that is good for ten minutes.
pub fn bubblehouse(secret: &str) -> Headers {
    bearer(&jwt("HS256", secret, &json!({ "iat": unix_time(), "exp": unix_time() + 600 })))
}

/// `Authorization: Bearer`.
pub fn bearer(token: &str) -> Headers {
    headers(&[("Authorization", &format!("Bearer {token}"))])
}

/// A JWT (RFC 7519) whose header says `alg`, signed with HMAC-SHA256 whatever it says.
pub fn jwt(alg: &str, secret: &str, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({ "alg": alg, "typ": "JWT" })), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(hmac_sha256(secret.as_bytes(), signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// Seconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "here we are the provider, who has a clock of its own")]
pub fn unix_time() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

/// Owned header fields.
pub fn headers(fields: &[(&str, &str)]) -> Headers {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
