//! A keep-alive connection: a write and a read for each request, no more.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http;

/// Bytes of an answer.
const ANSWER: usize = 4096;

/// A connection, and room for an answer.
pub struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

// === impl Connection ===

impl Connection {
    /// Opens one. Where that fails, its next exchange tries again.
    pub async fn open(address: SocketAddr) -> Self {
        let mut connection = Self { address, stream: None, buffer: vec![0; ANSWER] };
        connection.reopen().await;
        connection
    }

    async fn reopen(&mut self) {
        let address = self.address;
        let mut stream = TcpStream::connect(address).await;
        for _ in 0..20 {
            if stream.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            stream = TcpStream::connect(address).await;
        }
        self.stream = stream.ok();
        if let Some(stream) = &self.stream {
            let _ = stream.set_nodelay(true);
        }
    }

    /// Sends a request; gives the answer's status.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<u16> {
        if self.stream.is_none() {
            self.reopen().await;
        }
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        stream.write_all(request).await?;
        let mut filled = 0;
        loop {
            let count = stream.read(&mut self.buffer[filled..]).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += count;
            let bytes = &self.buffer[..filled];
            let Some(head) = http::head(bytes) else { continue };
            let body = head.body.or_else(|| http::chunked(&bytes[head.length..]));
            if body.is_none_or(|body| head.length + body > filled) {
                if filled == self.buffer.len() {
                    self.buffer.resize(filled * 2, 0);
                }
                continue;
            }
            let status = std::str::from_utf8(&bytes[9..12]).ok().and_then(|text| text.parse().ok());
            if head.close {
                self.stream = None;
            }
            return status.ok_or_else(|| io::ErrorKind::InvalidData.into());
        }
    }
}
