//! Bare hyper: reads the body, answers 200. The most that anything on hyper can do.

use std::net::SocketAddr;

use http::StatusCode;
use http_body_util::BodyExt;

/// Serves until it is killed.
pub fn run(address: SocketAddr) {
    super::serve(address, async |mut request: http::Request<hyper::body::Incoming>| {
        while let Some(frame) = request.body_mut().frame().await {
            if frame.is_err() {
                return StatusCode::BAD_REQUEST;
            }
        }
        StatusCode::OK
    });
}
