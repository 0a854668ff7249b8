//! The least that an acknowledged webhook costs: HMAC-SHA256 over the body, an append and an fdatasync before the 202.
//! One thread writes: it takes whatever waits, writes it at once, syncs once, and answers all. Nothing is delivered.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use hmac::{Hmac, KeyInit, Mac};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use sha2::Sha256;
use tokio::sync::oneshot;

use crate::event::SECRET;

/// A record, and who waits for it.
type Waiting = (Vec<u8>, oneshot::Sender<()>);

/// Serves until it is killed; the log is a new file at `path`.
pub fn run(address: SocketAddr, path: &Path) {
    let file = File::create(path).unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || write(file, &receiver));
    super::serve(address, move |request| take(request, sender.clone()));
}

async fn take(mut request: Request<Incoming>, writer: Sender<Waiting>) -> StatusCode {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()) else { return StatusCode::BAD_REQUEST };
    // The record is its length and the body.
    let mut record = vec![0; 4];
    while let Some(frame) = request.body_mut().frame().await {
        let Ok(frame) = frame else { return StatusCode::BAD_REQUEST };
        if let Some(data) = frame.data_ref() {
            mac.update(data);
            record.extend_from_slice(data);
        }
    }
    let signature = request.headers().get("x-signature").and_then(|value| value.as_bytes().strip_prefix(b"sha256="));
    let signature = signature.and_then(|text| hex::decode(text).ok()).unwrap_or_default();
    if mac.verify_slice(&signature).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    let length = u32::try_from(record.len() - 4).unwrap_or_default();
    record[..4].copy_from_slice(&length.to_le_bytes());
    let (written, wait) = oneshot::channel();
    if writer.send((record, written)).is_err() || wait.await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    StatusCode::ACCEPTED
}

fn write(mut file: File, receiver: &Receiver<Waiting>) {
    let (mut group, mut answers) = (Vec::new(), Vec::new());
    while let Ok(first) = receiver.recv() {
        for (record, written) in std::iter::once(first).chain(receiver.try_iter()) {
            group.extend_from_slice(&record);
            answers.push(written);
        }
        file.write_all(&group).unwrap();
        file.sync_data().unwrap();
        group.clear();
        for written in answers.drain(..) {
            let _ = written.send(());
        }
    }
}
