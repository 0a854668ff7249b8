//! The least of HTTP/1.1 that the load and the destination need: where a message's head ends, and what it says of the body.

/// A head that has arrived whole.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// Its bytes, with the empty line.
    pub length: usize,
    /// Bytes of the body that follows; `None` where it is in chunks.
    pub body: Option<usize>,
    /// Whether the connection ends with this message.
    pub close: bool,
}

/// The head at the start of `bytes`, where it is whole.
pub fn head(bytes: &[u8]) -> Option<Head> {
    let length = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let mut head = Head { length, body: Some(0), close: false };
    for line in lines(&bytes[..length]) {
        if let Some(value) = field(line, b"content-length") {
            head.body = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        } else if field(line, b"transfer-encoding").is_some() {
            head.body = None;
        } else if let Some(value) = field(line, b"connection") {
            head.close = value.eq_ignore_ascii_case(b"close");
        }
    }
    Some(head)
}

/// The value of a field of a head, by its name in lower case.
pub fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    lines(head).find_map(|line| field(line, name))
}

/// The length of a chunked body (RFC 9112, section 7.1) at the start of `bytes`, where it is whole.
pub fn chunked(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = bytes.get(at..)?.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[at..at + line]).ok()?.trim(), 16).ok()?;
        at += line + 2 + size + 2;
        if at > bytes.len() {
            return None;
        }
        if size == 0 {
            return Some(at);
        }
    }
}

fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|byte| *byte == b'\n').skip(1).map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    // Most lines are another's: their length and first letter say so.
    let (found, value) = (line.get(..name.len())?, line.get(name.len()..)?.strip_prefix(b":")?);
    found.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}
