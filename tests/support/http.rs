//! A plain HTTP/1.1 client on a socket: it sends what it is told to, also what no library would.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::DEADLINE;
use super::sign::Headers;

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: Headers,
    pub body: Vec<u8>,
}

/// An open connection.
pub struct Connection {
    write: TcpStream,
    read: BufReader<TcpStream>,
}

/// Sends one request on a connection of its own. `Content-Type: application/json` unless `headers` say otherwise.
pub fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(impl AsRef<str>, impl AsRef<str>)],
    body: &[u8],
) -> Response {
    try_send(address, method, path, headers, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

/// The same for where the other side may die on the way.
pub fn try_send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(impl AsRef<str>, impl AsRef<str>)],
    body: &[u8],
) -> io::Result<Response> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    let mut has_type = false;
    for (name, value) in headers {
        has_type |= name.as_ref().eq_ignore_ascii_case("content-type");
        head.push_str(&format!("{}: {}\r\n", name.as_ref(), value.as_ref()));
    }
    if !body.is_empty() && !has_type {
        head.push_str("Content-Type: application/json\r\n");
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    let mut connection = Connection::open(address)?;
    connection.write(head.as_bytes())?;
    // A server that refuses early may close while we still write; what counts is its answer.
    let written = connection.write(body);
    match connection.response() {
        Ok(Some(response)) => Ok(response),
        Ok(None) => written.and(Err(io::ErrorKind::UnexpectedEof.into())),
        Err(error) => Err(error),
    }
}

// === impl Response ===

impl Response {
    /// A header field's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body, parsed.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {:?}", self.text()))
    }
}

// === impl Connection ===

impl Connection {
    /// Opens one.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let write = TcpStream::connect(address)?;
        write.set_read_timeout(Some(DEADLINE))?;
        write.set_write_timeout(Some(DEADLINE))?;
        write.set_nodelay(true)?;
        let read = BufReader::new(write.try_clone()?);
        Ok(Self { write, read })
    }

    /// Sends bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write.write_all(bytes)
    }

    /// A second hand for writing, while this one reads.
    pub fn writer(&self) -> io::Result<TcpStream> {
        self.write.try_clone()
    }

    /// Reads a response; `None` where the other side closed without one.
    pub fn response(&mut self) -> io::Result<Option<Response>> {
        loop {
            let Some((status, headers)) = self.head()? else { return Ok(None) };
            if status == 100 {
                continue;
            }
            let body = self.body(status, &headers)?;
            return Ok(Some(Response { status, headers, body }));
        }
    }

    fn head(&mut self) -> io::Result<Option<(u16, Headers)>> {
        let Some(first) = self.line()? else { return Ok(None) };
        let status = first.split(' ').nth(1).and_then(|text| text.parse().ok()).ok_or_else(|| broken(&first))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if line.is_empty() {
                return Ok(Some((status, headers)));
            }
            let (name, value) = line.split_once(':').ok_or_else(|| broken(&line))?;
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
    }

    fn body(&mut self, status: u16, headers: &[(String, String)]) -> io::Result<Vec<u8>> {
        let value = |name: &str| headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
        let mut body = Vec::new();
        if status == 204 || status == 304 {
            return Ok(body);
        }
        if value("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            loop {
                let size = self.line()?.ok_or(io::ErrorKind::UnexpectedEof)?;
                let size = usize::from_str_radix(&size, 16).map_err(|_| broken(&size))?;
                let start = body.len();
                body.resize(start + size, 0);
                self.read.read_exact(&mut body[start..])?;
                self.line()?;
                if size == 0 {
                    return Ok(body);
                }
            }
        }
        match value("content-length") {
            Some(length) => {
                body.resize(length.parse().map_err(|_| broken(length))?, 0);
                self.read.read_exact(&mut body)?;
            }
            None => {
                self.read.read_to_end(&mut body)?;
            }
        }
        Ok(body)
    }

    fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        if self.read.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        Ok(Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned()))
    }
}

fn broken(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP: {text:?}"))
}
