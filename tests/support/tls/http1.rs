//! HTTP/1.1 (RFC 9112).

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::{Ending, Line};

/// Answers until the client leaves.
pub(super) async fn serve(line: Line, stream: TlsStream<TcpStream>) {
    let service = service_fn(|request: Request<Incoming>| {
        let line = line.clone();
        async move {
            let (head, mut body) = request.into_parts();
            let mut bytes = Vec::new();
            while let Some(Ok(frame)) = body.frame().await {
                bytes.extend(frame.into_data().unwrap_or_default());
            }
            let ending = line.keep(head, bytes).await;
            assert_eq!(ending, Ending::Whole, "the others are HTTP/2's");
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    // How it ended is the client's to judge.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
