//! HTTP/2 (RFC 9113), frame by frame where a response is to break off.

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_rustls::server::TlsStream;

use super::{Ending, Line};

/// A response that has begun, and how it is to end.
type Begun = (Ending, SendStream<Bytes>);

/// Answers until either side leaves.
pub(super) async fn serve(line: Line, stream: TlsStream<TcpStream>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    let (begun, mut ending) = unbounded_channel();
    // A stream that is let go of is reset: these are to stay half sent.
    let mut half_sent = Vec::new();
    loop {
        tokio::select! {
            // In this order: `accept` also writes what is queued, so what has begun is on its way before it ends.
            biased;
            accepted = connection.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    tokio::spawn(answer(line.clone(), request, respond, begun.clone()));
                }
                Some(Err(_)) | None => return,
            },
            Some((ending, mut response)) = ending.recv() => match ending {
                Ending::Whole => {}
                Ending::LastOfConnection => connection.graceful_shutdown(),
                Ending::Reset => response.send_reset(Reason::INTERNAL_ERROR),
                Ending::GoAway => {
                    connection.abrupt_shutdown(Reason::INTERNAL_ERROR);
                    half_sent.push(response);
                }
                Ending::Cut => return,
            },
        }
    }
}

async fn answer(
    line: Line,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    begun: UnboundedSender<Begun>,
) {
    let (head, mut body) = request.into_parts();
    let mut bytes = Vec::new();
    while let Some(Ok(chunk)) = body.data().await {
        let _ = body.flow_control().release_capacity(chunk.len());
        bytes.extend(chunk);
    }
    let ending = line.keep(head, bytes).await;
    // Each fails only where the client has left.
    let Ok(mut response) = respond.send_response(Response::new(()), false) else { return };
    let whole = matches!(ending, Ending::Whole | Ending::LastOfConnection);
    let _ = response.send_data(Bytes::from_static(b"half"), whole);
    let _ = begun.send((ending, response));
}
