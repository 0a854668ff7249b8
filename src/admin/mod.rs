//! The admin listener: metrics, health and control.

mod token;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::json;

use crate::app::server::Handler;
use crate::app::{Gateway, reload::ReloadError};
use crate::config::render;

/// The admin listener's handler.
#[derive(Debug)]
pub struct Admin {
    gateway: Arc<Gateway>,
}

const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

// === impl Admin ===

impl Admin {
    /// A handler over a running gateway.
    #[must_use]
    pub const fn new(gateway: Arc<Gateway>) -> Self {
        Self { gateway }
    }

    async fn metrics(&self) -> Response<Full<Bytes>> {
        match self.gateway.metrics().await {
            Ok(text) => respond(StatusCode::OK, PROMETHEUS_TEXT, text),
            Err(error) => respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
        }
    }

    fn ready(&self) -> Response<Full<Bytes>> {
        match self.gateway.ready() {
            Ok(()) => respond(StatusCode::OK, TEXT, "ready\n"),
            Err(error) => respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{error}\n")),
        }
    }

    async fn reload(&self) -> Response<Full<Bytes>> {
        match self.gateway.reload().await {
            Ok(()) => respond(StatusCode::OK, JSON, json!({ "reloaded": true }).to_string()),
            Err(error) => {
                let problems = match &error {
                    ReloadError::Configuration(error) => render::render_json(&error.source, &error.problems),
                    ReloadError::Fixed { .. } => json!([]),
                };
                let body = json!({ "reloaded": false, "error": error.to_string(), "problems": problems });
                respond(StatusCode::UNPROCESSABLE_ENTITY, JSON, body.to_string())
            }
        }
    }
}

impl Handler for Admin {
    async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (method, path) = (request.method(), request.uri().path());
        match path {
            // Probes come from where no token is at hand, and say nothing worth hiding.
            "/healthz" if method == Method::GET => return respond(StatusCode::OK, TEXT, "alive\n"),
            "/readyz" if method == Method::GET => return self.ready(),
            _ => {}
        }
        if !token::allows(self.gateway.table().settings.admin_token.as_ref(), request.headers()) {
            let mut response = respond(StatusCode::UNAUTHORIZED, TEXT, "the admin token is missing or wrong\n");
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return response;
        }
        match (method, path) {
            (&Method::GET, "/metrics") => self.metrics().await,
            (&Method::POST, "/-/reload") => self.reload().await,
            (_, "/metrics" | "/healthz" | "/readyz") => method_not_allowed("GET"),
            (_, "/-/reload") => method_not_allowed("POST"),
            _ => respond(StatusCode::NOT_FOUND, TEXT, "here are /metrics, /healthz, /readyz and POST /-/reload\n"),
        }
    }
}

fn method_not_allowed(allowed: &'static str) -> Response<Full<Bytes>> {
    let mut response = respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, format!("{allowed} only\n"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

fn respond(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
