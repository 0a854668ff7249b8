//! What the candidates are held against, and what they deliver to: processes of their own, from this same binary.

pub mod bare;
pub mod destination;
pub mod forward;
pub mod fsync;

use std::convert::Infallible;
use std::net::SocketAddr;

use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::task::LocalSet;

/// Runs a future and what it starts on one thread.
pub fn on_one_thread<T>(work: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, work)
}

/// Serves with hyper, on one thread, until it is killed.
fn serve<F, A>(address: SocketAddr, answer: F)
where
    F: Fn(Request<Incoming>) -> A + Clone + 'static,
    A: Future<Output = StatusCode> + 'static,
{
    on_one_thread(async {
        let listener = TcpListener::bind(address).await.unwrap();
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            let answer = answer.clone();
            let service = service_fn(move |request| {
                let answered = answer(request);
                async move {
                    let mut response = Response::new(Full::<Bytes>::default());
                    *response.status_mut() = answered.await;
                    Ok::<_, Infallible>(response)
                }
            });
            tokio::task::spawn_local(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
}
