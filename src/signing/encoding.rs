//! Bytes as text, canonical only: one value has one text, so that a signature cannot be varied.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

use crate::config::file::Encoding;

/// Reads bytes; `None` where the text is not canonical in this encoding (RFC 4648, sections 3.2 to 3.5).
#[must_use]
pub fn decode(encoding: Encoding, text: &str) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Text => Some(text.as_bytes().to_vec()),
        Encoding::Hex => {
            let mut bytes = vec![0; text.len() / 2];
            hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
        }
        Encoding::Base64 => STANDARD.decode(text).ok(),
        Encoding::Base64url if text.contains('=') => URL_SAFE.decode(text).ok(),
        Encoding::Base64url => URL_SAFE_NO_PAD.decode(text).ok(),
    }
}

/// Writes bytes as [`decode`] reads them. Under `text` they are written as hex: only keys are text.
#[must_use]
pub fn encode(encoding: Encoding, bytes: &[u8]) -> String {
    match encoding {
        Encoding::Text | Encoding::Hex => hex::encode(bytes),
        Encoding::Base64 => STANDARD.encode(bytes),
        Encoding::Base64url => URL_SAFE_NO_PAD.encode(bytes),
    }
}

/// The encoding as the file names it.
pub(super) const fn name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Text => "text",
        Encoding::Hex => "hex",
        Encoding::Base64 => "base64",
        Encoding::Base64url => "base64url",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_text_is_read() {
        assert_eq!(decode(Encoding::Base64, "+/8="), Some(vec![0xfb, 0xff]));
        // The last digit of the second has bits that say nothing.
        for other in ["+/8", "+/9=", "-_8=", " +/8=", "+/8=\n", "+/8=="] {
            assert_eq!(decode(Encoding::Base64, other), None, "{other:?}");
        }
        assert_eq!(decode(Encoding::Base64url, "-_8"), Some(vec![0xfb, 0xff]));
        assert_eq!(decode(Encoding::Base64url, "-_8="), Some(vec![0xfb, 0xff]));
        for other in ["-_9", "+/8", "-_8=="] {
            assert_eq!(decode(Encoding::Base64url, other), None, "{other:?}");
        }
        assert_eq!(decode(Encoding::Hex, "fBFf"), Some(vec![0xfb, 0xff]));
        for other in ["fbf", "0xfbff", "fb ff", "fg"] {
            assert_eq!(decode(Encoding::Hex, other), None, "{other:?}");
        }
    }
}
