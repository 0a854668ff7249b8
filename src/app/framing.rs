//! Notices requests whose length can be read in two ways.
//!
//! A request with both `Content-Length` and `Transfer-Encoding` may have been passed on by a proxy that believed the
//! other one (RFC 9112, section 6.1: request smuggling). hyper drops the length and goes on, and by the time a service
//! sees the header fields there is nothing left to notice. So the bytes are looked at on their way in.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use memchr::memchr;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection whose request heads are looked at as they are read.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    scan: Scan,
    seen: Seen,
}

/// What was seen on a connection. Shared with the service that answers on it.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    ambiguous: Arc<AtomicBool>,
    unbounded: Arc<AtomicBool>,
}

/// Finds the heads in what a client sends.
#[derive(Debug, Default)]
struct Scan {
    at: At,
    /// The start of the line under way: as much as tells the two header fields and a length.
    line: Vec<u8>,
    length: Option<u64>,
    /// Whether there was a length at all, also one that stands too far behind its name to be kept.
    sized: bool,
    encoded: bool,
}

/// Where in what a client sends the next byte is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    #[default]
    Head,
    /// That many bytes before the next head.
    Body(u64),
    /// In a body whose end is not looked for: the connection is closed after it.
    Rest,
}

/// As much of a line as is kept.
const KEPT: usize = 64;

// === impl Watched ===

impl<S> Watched<S> {
    /// Watches a stream. What is seen is told by the second value.
    pub(super) fn new(stream: S) -> (Self, Seen) {
        let seen = Seen::default();
        (Self { stream, scan: Scan::default(), seen: seen.clone() }, seen)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let this = &mut *self;
        this.scan.feed(buffer.filled().get(before..).unwrap_or_default(), &this.seen);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
}

// === impl Seen ===

impl Seen {
    /// Whether a head had both lengths. It stays so: nothing on this connection is to be believed any more.
    pub(super) fn ambiguous(&self) -> bool {
        self.ambiguous.load(Ordering::Acquire)
    }

    /// Whether a head had a `Transfer-Encoding`, or a length that cannot be told: then the connection is to be closed after
    /// its answer, since where the next head begins is not known here.
    pub(super) fn unbounded(&self) -> bool {
        self.unbounded.load(Ordering::Acquire)
    }
}

// === impl Scan ===

impl Scan {
    fn feed(&mut self, mut bytes: &[u8], seen: &Seen) {
        while !bytes.is_empty() {
            match self.at {
                At::Rest => return,
                At::Body(left) => {
                    let skipped = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = bytes.get(skipped..).unwrap_or_default();
                    let left = left.saturating_sub(skipped as u64);
                    self.at = if left == 0 { At::Head } else { At::Body(left) };
                }
                At::Head => bytes = self.head(bytes, seen),
            }
        }
    }

    /// Takes one line of a head, or the start of one; answers with what comes after it.
    fn head<'b>(&mut self, bytes: &'b [u8], seen: &Seen) -> &'b [u8] {
        let end = memchr(b'\n', bytes);
        let (line, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        self.line.extend_from_slice(line.get(..KEPT.saturating_sub(self.line.len())).unwrap_or(line));
        if end.is_some() {
            self.line_ends(seen);
            self.line.clear();
        }
        rest.get(1..).unwrap_or_default()
    }

    fn line_ends(&mut self, seen: &Seen) {
        let line = self.line.trim_ascii();
        if line.is_empty() {
            return self.head_ends(seen);
        }
        let Some(colon) = memchr(b':', line) else { return };
        let (name, value) = line.split_at(colon);
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.encoded = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            self.sized = true;
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            // What is no length hyper refuses.
            self.length = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
        }
    }

    fn head_ends(&mut self, seen: &Seen) {
        let length = self.length.take();
        let (sized, encoded) = (std::mem::take(&mut self.sized), std::mem::take(&mut self.encoded));
        if encoded {
            seen.unbounded.store(true, Ordering::Release);
            seen.ambiguous.fetch_or(sized, Ordering::AcqRel);
        }
        self.at = match length {
            _ if encoded => At::Rest,
            // Where the next head begins is not known: as behind a `Transfer-Encoding`, the connection ends here.
            None if sized => {
                seen.unbounded.store(true, Ordering::Release);
                At::Rest
            }
            Some(length) if length > 0 => At::Body(length),
            _ => At::Head,
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(pieces: &[&[u8]]) -> (bool, bool) {
        let (mut scan, seen) = (Scan::default(), Seen::default());
        pieces.iter().for_each(|piece| scan.feed(piece, &seen));
        (seen.ambiguous(), seen.unbounded())
    }

    const PLAIN: &[u8] = b"POST / HTTP/1.1\r\nContent-Length: 40\r\n\r\nTransfer-Encoding: chunked\r\n0123456789\r\n";
    const CHUNKED: &[u8] = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    const BOTH: &[u8] = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\nCONTENT-LENGTH:5\r\n\r\n0\r\n\r\n";

    #[test]
    fn both_lengths_in_one_head_are_noticed_in_either_order() {
        let other = b"POST / HTTP/1.1\nContent-Length: 5\nHost: x\nTransfer-Encoding: chunked\n\n0\n\n";
        assert_eq!(seen(&[BOTH]), (true, true));
        assert_eq!(seen(&[other]), (true, true));
    }

    #[test]
    fn a_length_far_behind_its_name_is_a_length() {
        let far = |more: &str| format!("POST / HTTP/1.1\r\nContent-Length:{}5\r\n{more}\r\nhello", " ".repeat(100));
        assert_eq!(seen(&[far("Transfer-Encoding: chunked\r\n").as_bytes()]), (true, true));
        assert_eq!(seen(&[far("").as_bytes()]), (false, true), "the connection is closed after it");
    }

    #[test]
    fn a_body_that_looks_like_a_head_is_a_body() {
        assert_eq!(seen(&[PLAIN]), (false, false));
        assert_eq!(seen(&[PLAIN, PLAIN]), (false, false));
    }

    #[test]
    fn a_second_request_of_a_connection_is_looked_at_too() {
        assert_eq!(seen(&[PLAIN, b"\r\n", BOTH]), (true, true));
        assert_eq!(seen(&[PLAIN, CHUNKED]), (false, true));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn where_the_reads_end_makes_no_difference(cuts in prop::collection::vec(0_usize..140, 0..6)) {
            let whole = [PLAIN, BOTH].concat();
            let (mut scan, seen) = (Scan::default(), Seen::default());
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(whole.len())).collect();
            cuts.sort_unstable();
            let mut from = 0;
            for to in cuts.into_iter().chain([whole.len()]) {
                scan.feed(&whole[from..to], &seen);
                from = to;
            }
            prop_assert!(seen.ambiguous());
        }
    }
}
