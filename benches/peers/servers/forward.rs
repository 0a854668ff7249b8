//! The least that the whole work costs with the same libraries, by hand and for this one event: what `fsync` does, a filter,
//! seven fields, a delivery over a kept connection, and a record that it was made. No configuration, no routes, no
//! duplicates, no retries, no limits, nothing that is read again after a crash: what Hookswitch costs beyond this is what
//! those cost.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;

use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use super::fsync::{self, Log};
use crate::event::WANTED;

/// Kept connections to the destination.
#[derive(Clone)]
struct Pool {
    to: SocketAddr,
    idle: Rc<RefCell<Vec<SendRequest<Full<Bytes>>>>>,
}

/// As much of an event as is looked at.
#[derive(Deserialize)]
struct Event<'t> {
    event_name: &'t str,
    #[serde(borrow)]
    object: Client<'t>,
}

#[derive(Deserialize)]
struct Client<'t> {
    id: u64,
    first_name: &'t str,
    last_name: &'t str,
    email: &'t str,
    language: &'t str,
    #[serde(borrow)]
    addresses: Vec<Address<'t>>,
    #[serde(borrow)]
    interests: Vec<&'t str>,
    updated_at: &'t str,
}

#[derive(Deserialize)]
struct Address<'t> {
    city: &'t str,
}

/// What the destination gets.
#[derive(Serialize)]
struct Reshaped<'t> {
    id: u64,
    name: String,
    email: &'t str,
    language: &'t str,
    city: Option<&'t str>,
    interests: &'t [&'t str],
    updated_at: &'t str,
}

/// Serves until it is killed; the log is a new file at `path`.
pub fn run(address: SocketAddr, path: &Path, destination: SocketAddr) {
    let log = Log::create(path);
    let pool = Pool { to: destination, idle: Rc::default() };
    super::serve(address, move |request| take(request, log.clone(), pool.clone()));
}

async fn take(mut request: Request<Incoming>, log: Log, pool: Pool) -> StatusCode {
    let id = request.headers_mut().remove("x-event-id");
    let record = match fsync::verified(request).await {
        Ok(record) => record,
        Err(refused) => return refused,
    };
    let (Some(id), Ok(event)) = (id, serde_json::from_slice::<Event>(fsync::body(&record))) else {
        return StatusCode::BAD_REQUEST;
    };
    if event.event_name != WANTED {
        return StatusCode::ACCEPTED;
    }
    let Ok(payload) = serde_json::to_vec(&event.object.reshape()) else { return StatusCode::BAD_REQUEST };
    let status = log.append(record).await;
    if status == StatusCode::ACCEPTED {
        tokio::task::spawn_local(async move {
            let mut made = fsync::empty();
            made.extend_from_slice(id.as_bytes());
            if pool.deliver(id, payload).await.is_ok() {
                log.note(fsync::sealed(made));
            }
        });
    }
    status
}

// === impl Client ===

impl<'t> Client<'t> {
    fn reshape(&'t self) -> Reshaped<'t> {
        Reshaped {
            id: self.id,
            name: format!("{} {}", self.first_name, self.last_name),
            email: self.email,
            language: self.language,
            city: self.addresses.first().map(|address| address.city),
            interests: &self.interests,
            updated_at: self.updated_at,
        }
    }
}

// === impl Pool ===

impl Pool {
    async fn deliver(&self, id: HeaderValue, payload: Vec<u8>) -> hyper::Result<()> {
        let mut request = Request::new(Full::new(Bytes::from(payload)));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = http::Uri::from_static("/d/0");
        request.headers_mut().insert(header::HOST, HeaderValue::from_static("destination"));
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.headers_mut().insert("x-event-id", id);
        let idle = self.idle.borrow_mut().pop();
        let mut sender = match idle {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let mut response = sender.send_request(request).await?;
        while let Some(frame) = response.frame().await {
            frame?;
        }
        self.idle.borrow_mut().push(sender);
        Ok(())
    }

    async fn connect(&self) -> hyper::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.to).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::task::spawn_local(connection);
        Ok(sender)
    }
}
