//! The least that an acknowledged webhook costs: HMAC-SHA256 over the body, an append and an fdatasync before the 202.
//! One thread writes: it takes whatever waits, writes it at once, syncs once, and answers all. Nothing is delivered.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use aws_lc_rs::hmac;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::oneshot;

use crate::event::SECRET;

/// A file that is appended to in groups.
#[derive(Clone)]
pub struct Log(Sender<Waiting>);

/// A record, and who waits for it. Where nobody does it goes with the next one for which somebody does.
type Waiting = (Vec<u8>, Option<oneshot::Sender<()>>);

/// Bytes before a record: its length.
const PREFIX: usize = 4;

static KEY: LazyLock<hmac::Key> = LazyLock::new(|| hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()));

/// Serves until it is killed; the log is a new file at `path`.
pub fn run(address: SocketAddr, path: &Path) {
    let log = Log::create(path);
    super::serve(address, move |request| take(request, log.clone()));
}

async fn take(request: Request<Incoming>, log: Log) -> StatusCode {
    match verified(request).await {
        Ok(record) => log.append(record).await,
        Err(refused) => refused,
    }
}

/// A body whose signature is right, as a record.
pub async fn verified(mut request: Request<Incoming>) -> Result<Vec<u8>, StatusCode> {
    let mut record = empty();
    while let Some(frame) = request.body_mut().frame().await {
        let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
        if let Some(data) = frame.data_ref() {
            record.extend_from_slice(data);
        }
    }
    let signature = request.headers().get("x-signature").and_then(|value| value.as_bytes().strip_prefix(b"sha256="));
    let signature = signature.and_then(|text| hex::decode(text).ok()).unwrap_or_default();
    hmac::verify(&KEY, body(&record), &signature).map_err(|_| StatusCode::UNAUTHORIZED)?;
    Ok(sealed(record))
}

/// A record that is to be filled, then sealed.
pub fn empty() -> Vec<u8> {
    vec![0; PREFIX]
}

/// A record with its length.
pub fn sealed(mut record: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(body(&record).len()).unwrap_or_default();
    record[..PREFIX].copy_from_slice(&length.to_le_bytes());
    record
}

/// What is in a record.
pub fn body(record: &[u8]) -> &[u8] {
    &record[PREFIX..]
}

// === impl Log ===

impl Log {
    /// A new file, and the thread that writes it.
    pub fn create(path: &Path) -> Self {
        let file = File::create(path).unwrap();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || write(file, &receiver));
        Self(sender)
    }

    /// 202 once the record is on the disk.
    pub async fn append(&self, record: Vec<u8>) -> StatusCode {
        let (written, wait) = oneshot::channel();
        if self.0.send((record, Some(written))).is_err() || wait.await.is_err() {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        StatusCode::ACCEPTED
    }

    /// Appends a record for which nobody waits.
    pub fn note(&self, record: Vec<u8>) {
        let _ = self.0.send((record, None));
    }
}

fn write(mut file: File, receiver: &Receiver<Waiting>) {
    let (mut group, mut answers) = (Vec::new(), Vec::new());
    while let Ok(first) = receiver.recv() {
        for (record, written) in std::iter::once(first).chain(receiver.try_iter()) {
            group.extend_from_slice(&record);
            answers.extend(written);
        }
        if answers.is_empty() {
            continue;
        }
        file.write_all(&group).unwrap();
        file.sync_data().unwrap();
        group.clear();
        for written in answers.drain(..) {
            let _ = written.send(());
        }
    }
}
