//! Destinations that do not keep to the protocol, or to any.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// What it does once it has a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Says nothing.
    Hang,
    /// The head of its answer comes a byte a second.
    DripHead,
    /// The body does.
    DripBody,
    /// Breaks the connection off before it answers.
    Reset,
    /// In the middle of its answer.
    ResetMidBody,
    /// Takes connections, and closes each at once.
    CloseAfterAccept,
    /// Answers 200, and 10 GB.
    Endless,
    /// Answers 500, and 10 GB in pieces.
    EndlessError,
    /// Speaks another protocol.
    Nonsense,
    /// Header field after header field.
    HeadersForEver,
    /// One of 8 MiB.
    HugeHeader,
    /// Interim answers (1xx) without end.
    InterimFlood,
    /// A piece of a body that is larger than there are bytes.
    HugeChunk,
    /// A piece whose extension does not end.
    ChunkExtension,
    /// Trailer field after trailer field.
    Trailers,
}

/// A destination of bad manners. It stays until the test ends.
pub struct Hostile {
    address: SocketAddr,
    written: Arc<AtomicU64>,
}

/// The most it writes on one connection: "10 GB" that a test can wait for where nobody hangs up.
const MOST: u64 = 10_000_000_000;

// === impl Manner ===

impl Manner {
    pub const ALL: [Self; 15] = [
        Self::Hang,
        Self::DripHead,
        Self::DripBody,
        Self::Reset,
        Self::ResetMidBody,
        Self::CloseAfterAccept,
        Self::Endless,
        Self::EndlessError,
        Self::Nonsense,
        Self::HeadersForEver,
        Self::HugeHeader,
        Self::InterimFlood,
        Self::HugeChunk,
        Self::ChunkExtension,
        Self::Trailers,
    ];

    /// A name for a destination.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

// === impl Hostile ===

impl Hostile {
    /// Starts one.
    pub fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let written = Arc::new(AtomicU64::new(0));
        let counting = Arc::clone(&written);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let counting = Arc::clone(&counting);
                thread::spawn(move || drop(serve(stream, manner, &counting)));
            }
        });
        Self { address, written }
    }

    /// A URL on it.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// How many bytes went out, into sockets that somebody reads or does not.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, manner: Manner, written: &AtomicU64) -> std::io::Result<()> {
    if manner == Manner::CloseAfterAccept {
        return Ok(());
    }
    if manner == Manner::Reset {
        // What is not read when it is closed makes it a reset.
        return stream.read_exact(&mut [0]);
    }
    let mut request = [0; 64 * 1024];
    let _ = stream.read(&mut request)?;
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut send = |bytes: &[u8]| {
        written.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        stream.write_all(bytes)
    };
    match manner {
        Manner::Hang | Manner::Reset | Manner::CloseAfterAccept => {}
        Manner::DripHead => return drip(send, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        Manner::DripBody => {
            send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")?;
            return drip(send, &[b'x'; 1000]);
        }
        Manner::ResetMidBody => {
            send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")?;
            return stream.shutdown(std::net::Shutdown::Both);
        }
        Manner::Endless => {
            send(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")?;
            return flood(send, &[b'x'; 64 * 1024]);
        }
        Manner::EndlessError => {
            send(b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            let piece = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
            return flood(send, &piece);
        }
        Manner::Nonsense => return flood_to(send, b"\x16\x03\x01 SSH-2.0-nonsense \0\xff\r\n\r\n", 100_000),
        Manner::HeadersForEver => {
            send(b"HTTP/1.1 200 OK\r\n")?;
            return flood(send, b"X-More: and more\r\n");
        }
        Manner::HugeHeader => {
            send(b"HTTP/1.1 200 OK\r\nX-Huge: ")?;
            return flood_to(send, &[b'x'; 64 * 1024], 8 << 20).and_then(|()| stream.write_all(b"\r\n\r\n"));
        }
        Manner::InterimFlood => return flood(send, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        Manner::HugeChunk => send(&[chunked.as_slice(), b"fffffffffffffffff\r\n"].concat())?,
        Manner::ChunkExtension => {
            send(&[chunked.as_slice(), b"1;"].concat())?;
            return flood(send, &[b'x'; 64 * 1024]);
        }
        Manner::Trailers => {
            send(&[chunked.as_slice(), b"0\r\n"].concat())?;
            return flood(send, b"X-More: and more\r\n");
        }
    }
    // Until the other side hangs up.
    stream.read(&mut request).map(|_| ())
}

fn drip(mut send: impl FnMut(&[u8]) -> std::io::Result<()>, bytes: &[u8]) -> std::io::Result<()> {
    for byte in bytes.chunks(1) {
        send(byte)?;
        thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

fn flood(send: impl FnMut(&[u8]) -> std::io::Result<()>, bytes: &[u8]) -> std::io::Result<()> {
    flood_to(send, bytes, MOST)
}

fn flood_to(mut send: impl FnMut(&[u8]) -> std::io::Result<()>, bytes: &[u8], most: u64) -> std::io::Result<()> {
    let mut left = most;
    while left > 0 {
        send(bytes)?;
        left = left.saturating_sub(bytes.len() as u64);
    }
    Ok(())
}
