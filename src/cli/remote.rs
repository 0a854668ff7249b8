//! The admin API of a running gateway, as the commands use it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use clap::Args;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, StatusCode};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Map, Value};
use url::Url;

use super::{ConfigFile, Exit, say};
use crate::app::{ConfigurationError, configure_settings};
use crate::config::load::ProcessSurroundings;
use crate::model::Secret;
use crate::routing::Settings;

/// Which gateway is meant.
#[derive(Debug, Args)]
pub(super) struct Which {
    #[command(flatten)]
    file: ConfigFile,
    /// Where the gateway's admin listener is; else what the configuration says.
    #[arg(long, global = true, value_name = "URL")]
    pub(super) admin: Option<String>,
    /// The admin token; else what the configuration says. Others on this machine can see arguments: rather set the variable.
    #[arg(long, global = true, env = "HOOKSWITCH_ADMIN_TOKEN", hide_env_values = true, value_name = "TOKEN", value_parser = secret)]
    token: Option<Secret>,
}

/// A gateway's admin API.
#[derive(Debug)]
pub(super) struct Remote {
    base: Url,
    token: Option<Secret>,
    client: Client,
}

/// Why a command could not have from a gateway what it wanted.
#[derive(Debug, thiserror::Error)]
pub(super) enum RemoteError {
    /// The command line, or the request that it became, is wrong.
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Configuration(#[from] Box<ConfigurationError>),
    #[error("nothing answers at {base}: is the gateway running? `--admin` or `--config` says where it is")]
    NothingAnswers { base: Url },
    #[error("the gateway says {status}: {detail}")]
    Refused { status: StatusCode, detail: String },
    #[error("{0}")]
    Broken(String),
}

/// How long a gateway may take to take a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// The most bytes of an answer.
const MOST: usize = 256 << 20;

/// Runs what asks a gateway, and tells of what went wrong.
pub(super) fn ask(which: &Which, act: impl AsyncFnOnce(&Remote) -> Result<Exit, RemoteError>) -> Exit {
    block_on(async { act(&which.remote()?).await })
}

/// Runs it on this thread.
pub(super) fn block_on(act: impl Future<Output = Result<Exit, RemoteError>>) -> Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("hookswitch: cannot start: {error}"));
            return Exit::Failed;
        }
    };
    runtime.block_on(act).unwrap_or_else(|error| {
        say(&format!("hookswitch: {error}"));
        error.exit()
    })
}

// === impl Which ===

impl Which {
    /// The gateway's API.
    pub(super) fn remote(&self) -> Result<Remote, RemoteError> {
        if let Some(admin) = &self.admin {
            return Remote::new(admin, self.token.clone());
        }
        let settings = self.settings()?;
        let address = reachable(settings.admin_listen);
        if address.port() == 0 {
            let why = "the configuration leaves the admin listener's port open: `--admin` says where it is";
            return Err(RemoteError::Usage(why.to_owned()));
        }
        Remote::new(&format!("http://{address}"), self.token.clone().or(settings.admin_token))
    }

    /// The configuration's file.
    pub(super) fn config(&self) -> &Path {
        &self.file.config
    }

    /// What the configuration says of the process.
    pub(super) fn settings(&self) -> Result<Settings, RemoteError> {
        Ok(configure_settings(&self.file.config, &ProcessSurroundings)?)
    }
}

/// Where a listener on every address is reached from this machine.
pub(super) fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

#[expect(clippy::unnecessary_wraps, reason = "clap takes a parser that may fail")]
fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text.to_owned()))
}

// === impl Remote ===

impl Remote {
    fn new(admin: &str, token: Option<Secret>) -> Result<Self, RemoteError> {
        let wrong = || RemoteError::Usage(format!("`{admin}` is no address such as http://127.0.0.1:9090"));
        let base = Url::parse(admin).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let client = Client::builder().no_proxy().redirect(Policy::none()).connect_timeout(CONNECT).build();
        let client = client.map_err(|error| RemoteError::Broken(format!("no HTTP client: {error}")))?;
        Ok(Self { base: base.ok_or_else(wrong)?, token, client })
    }

    /// Reads a resource.
    pub(super) async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Value, RemoteError> {
        let mut url = self.url(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        json(&self.send(self.client.get(url)).await?.1)
    }

    /// Reads bytes as they are, with the header fields of the answer.
    pub(super) async fn bytes(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<(HeaderMap, Vec<u8>), RemoteError> {
        let mut url = self.url(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.send(self.client.get(url)).await
    }

    /// Acts on a resource.
    pub(super) async fn post(&self, path: &[&str], body: Map<String, Value>) -> Result<Value, RemoteError> {
        let request = self.client.request(Method::POST, self.url(path)?);
        let request = request.header(CONTENT_TYPE, "application/json").body(Value::Object(body).to_string());
        json(&self.send(request).await?.1)
    }

    /// Removes a resource.
    pub(super) async fn delete(&self, path: &[&str]) -> Result<(), RemoteError> {
        self.send(self.client.delete(self.url(path)?)).await.map(drop)
    }

    fn url(&self, path: &[&str]) -> Result<Url, RemoteError> {
        // The one that makes URLs resolves these, and another path would be meant.
        if let Some(id) = path.iter().find(|segment| matches!(**segment, "" | "." | "..")) {
            return Err(RemoteError::Usage(format!("`{id}` is no id that can be asked for")));
        }
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        Ok(url)
    }

    async fn send(&self, mut request: RequestBuilder) -> Result<(HeaderMap, Vec<u8>), RemoteError> {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        let response = request.send().await.map_err(|error| self.broken(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.read(response).await?;
        if status.is_success() {
            return Ok((headers, body));
        }
        let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
        let detail = problem.get("detail").and_then(Value::as_str);
        let detail = detail.unwrap_or("and nothing of why: is it a gateway of this version that answers there?");
        if status == StatusCode::BAD_REQUEST {
            return Err(RemoteError::Usage(detail.to_owned()));
        }
        Err(RemoteError::Refused { status, detail: detail.to_owned() })
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, RemoteError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MOST {
                return Err(RemoteError::Broken(format!("{} answers without an end", self.base)));
            }
        }
        Ok(body)
    }

    fn broken(&self, error: &reqwest::Error) -> RemoteError {
        if error.is_connect() {
            return RemoteError::NothingAnswers { base: self.base.clone() };
        }
        RemoteError::Broken(format!("the answer of {} broke off: {error}", self.base))
    }
}

fn json(body: &[u8]) -> Result<Value, RemoteError> {
    serde_json::from_slice(body).map_err(|_| {
        RemoteError::Broken("the answer is not JSON: is it a gateway of this version that answers there?".to_owned())
    })
}

// === impl RemoteError ===

impl RemoteError {
    pub(super) const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            _ => Exit::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_segment_whatever_is_in_it() {
        let remote = Remote::new("http://127.0.0.1:9090/behind/a/proxy/", None).unwrap();
        let url = remote.url(&["events", "a/b?c%2F", "body"]).unwrap();
        assert_eq!(url.as_str(), "http://127.0.0.1:9090/behind/a/proxy/api/v1/events/a%2Fb%3Fc%252F/body");
        for id in ["", ".", ".."] {
            assert!(matches!(remote.url(&["events", id]), Err(RemoteError::Usage(_))), "{id}");
        }
        for wrong in ["127.0.0.1:9090", "ftp://host", "http://"] {
            assert!(matches!(Remote::new(wrong, None), Err(RemoteError::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn a_listener_on_every_address_is_asked_on_this_machine() {
        for (listener, asked) in [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:2", "[::1]:2"), ("192.0.2.1:3", "192.0.2.1:3")] {
            assert_eq!(reachable(listener.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
