//! The admin listener: metrics, health, reload, and the [`api`] through which people look at what is stored and act on it.

mod answer;
pub mod api;
mod token;

use std::sync::Arc;

use http::header::{ALLOW, WWW_AUTHENTICATE};
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::json;

use self::answer::{Answer, JSON, TEXT, respond, with};
use self::api::{Api, Problem};
use crate::app::server::Handler;
use crate::app::{Gateway, reload::ReloadError};
use crate::config::render;

/// The admin listener's handler.
#[derive(Debug)]
pub struct Admin {
    gateway: Arc<Gateway>,
    api: Api,
}

const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

// === impl Admin ===

impl Admin {
    /// A handler over a running gateway.
    #[must_use]
    pub fn new(gateway: Arc<Gateway>) -> Self {
        Self { api: Api::new(Arc::clone(&gateway)), gateway }
    }

    async fn metrics(&self) -> Answer {
        match self.gateway.metrics().await {
            Ok(text) => respond(StatusCode::OK, PROMETHEUS_TEXT, text),
            Err(error) => respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
        }
    }

    fn ready(&self) -> Answer {
        match self.gateway.ready() {
            Ok(()) => respond(StatusCode::OK, TEXT, "ready\n"),
            Err(error) => respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{error}\n")),
        }
    }

    async fn reload(&self) -> Answer {
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
    async fn handle(&self, request: Request<Incoming>) -> Answer {
        let (method, path) = (request.method(), request.uri().path());
        match path {
            // Probes come from where no token is at hand, and say nothing worth hiding.
            "/healthz" if method == Method::GET => return respond(StatusCode::OK, TEXT, "alive\n"),
            "/readyz" if method == Method::GET => return self.ready(),
            _ => {}
        }
        let of_api = path.starts_with("/api/");
        if !token::allows(self.gateway.table().settings.admin_token.as_ref(), request.headers()) {
            if of_api {
                return Problem::unauthorized().answer();
            }
            let answer = respond(StatusCode::UNAUTHORIZED, TEXT, "the admin token is missing or wrong\n");
            return with(answer, WWW_AUTHENTICATE, "Bearer");
        }
        if of_api {
            return self.api.handle(request).await;
        }
        match (method, path) {
            (&Method::GET, "/metrics") => self.metrics().await,
            (&Method::POST, "/-/reload") => self.reload().await,
            (_, "/metrics" | "/healthz" | "/readyz") => method_not_allowed("GET"),
            (_, "/-/reload") => method_not_allowed("POST"),
            _ => respond(
                StatusCode::NOT_FOUND,
                TEXT,
                "here are /metrics, /healthz, /readyz, POST /-/reload and /api/v1\n",
            ),
        }
    }
}

fn method_not_allowed(allowed: &'static str) -> Answer {
    with(respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, format!("{allowed} only\n")), ALLOW, allowed)
}
