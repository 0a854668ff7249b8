//! How a token is asked for.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use url::{Host, Url, form_urlencoded};

use super::response::{self, Answered};
use super::{NoToken, Token};
use crate::config::file::AuthStyle;
use crate::config::{At, Problem, Problems, file};
use crate::model::{Reason, Secret, Timestamp};
use crate::pipeline::deliver::answer::retry_after;
use crate::pipeline::deliver::excerpt::one_line;
use crate::pipeline::deliver::failure::Failure;
use crate::pipeline::deliver::guard::Kind;

/// How a token is asked for (RFC 6749, section 4.4.2).
#[derive(Debug)]
pub(super) struct Grant {
    url: Url,
    client_id: Box<str>,
    client_secret: Secret,
    scope: Box<str>,
    audience: Option<Box<str>>,
    style: AuthStyle,
}

/// How long a request for a token may take, to the end of the response: it is part of no attempt's `timeout`, as many
/// attempts may wait for it.
const TIMEOUT: Duration = Duration::from_secs(10);

const EXPECTED_URL: &str = "an https URL such as https://login.example.com/oauth/token (http to this machine alone)";

// === impl Grant ===

impl Grant {
    /// Compiles it. `None` and a problem where it cannot be used.
    pub(super) fn compile(file: &file::OAuth2, public_only: bool, problems: &mut Problems) -> Option<Self> {
        let url = token_url(&file.token_url, public_only, problems);
        let mut sound = true;
        if file.client_id.is_empty() {
            sound = false;
            problems.push(Problem::error(file.client_id.place, "the client id is empty"));
        }
        if file.client_secret.is_empty() {
            sound = false;
            problems.push(Problem::error(file.client_secret.place, "the secret is empty"));
        }
        for scope in &file.scopes {
            // RFC 6749, section 3.3.
            let plain = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            if scope.is_empty() || !scope.bytes().all(plain) {
                sound = false;
                problems.push(
                    Problem::error(scope.place, "this is not a scope").expected(
                        "printable ASCII without spaces, quotes and backslashes: an entry of the list for each",
                    ),
                );
            }
        }
        if let Some(audience) = file.audience.as_ref().filter(|audience| audience.is_empty()) {
            sound = false;
            problems.push(Problem::error(audience.place, "the audience is empty").expected("a name, or no `audience`"));
        }
        let scopes: Vec<&str> = file.scopes.iter().map(|scope| scope.value.as_str()).collect();
        let url = url.filter(|_| sound)?;
        Some(Self {
            url,
            client_id: file.client_id.as_str().into(),
            client_secret: file.client_secret.value.clone(),
            scope: scopes.join(" ").into(),
            audience: file.audience.as_ref().map(|audience| audience.as_str().into()),
            style: file.auth_style,
        })
    }

    /// Asks for a token as of `now`.
    pub(super) async fn fetch(&self, http: &reqwest::Client, now: Timestamp) -> Result<Token, NoToken> {
        let response = http.execute(self.request()).await.map_err(|error| self.failed(error.into()))?;
        let (status, wait) = (response.status(), retry_after(response.headers(), now));
        let body = response::read(response).await.map_err(|error| self.failed(error.into()))?;
        match response::parse(status, &body) {
            Answered::Token { value, lifetime } => Token::new(value, now.after(lifetime))
                .ok_or_else(|| self.refused("answered a token that no header can carry", None)),
            Answered::Refused(why) => Err(self.refused(&why, wait)),
        }
    }

    fn request(&self) -> reqwest::Request {
        let mut request = reqwest::Request::new(http::Method::POST, self.url.clone());
        *request.timeout_mut() = Some(TIMEOUT);
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if self.style == AuthStyle::Basic
            && let Ok(mut value) = HeaderValue::try_from(self.basic())
        {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        *request.body_mut() = Some(self.form().into());
        request
    }

    fn form(&self) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if !self.scope.is_empty() {
            form.append_pair("scope", &self.scope);
        }
        if let Some(audience) = &self.audience {
            form.append_pair("audience", audience);
        }
        if self.style == AuthStyle::Body {
            form.append_pair("client_id", &self.client_id);
            form.append_pair("client_secret", self.client_secret.expose());
        }
        form.finish()
    }

    /// Id and secret are encoded as in a form before they are put together (RFC 6749, section 2.3.1), so that a colon in
    /// the id divides nothing.
    fn basic(&self) -> String {
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = Secret::new(format!("{}:{}", encode(&self.client_id), encode(self.client_secret.expose())));
        format!("Basic {}", BASE64.encode(pair.expose()))
    }

    fn failed(&self, failure: Failure) -> NoToken {
        let cause = failure.cause.map(|cause| format!(": {}", one_line(&cause))).unwrap_or_default();
        let (reason, what) = match failure.reason {
            Reason::RefusedAddress => (Reason::RefusedAddress, format!("the name is refused{cause}")),
            Reason::Timeout => (Reason::Oauth, format!("no answer within {TIMEOUT:?}")),
            Reason::Dns => (Reason::Oauth, format!("the name could not be resolved{cause}")),
            Reason::Tls => (Reason::Oauth, format!("no TLS{cause}")),
            Reason::Connect => (Reason::Oauth, format!("no connection{cause}")),
            _ => (Reason::Oauth, format!("no HTTP answer{cause}")),
        };
        NoToken { reason, ..self.refused(&what, None) }
    }

    fn refused(&self, why: &str, retry_after: Option<Duration>) -> NoToken {
        let host = self.url.host_str().unwrap_or_default();
        NoToken { reason: Reason::Oauth, detail: format!("no access token from {host}: {why}"), retry_after }
    }
}

impl PartialEq for Grant {
    fn eq(&self, other: &Self) -> bool {
        self.url == other.url
            && self.client_id == other.client_id
            && self.client_secret.expose() == other.client_secret.expose()
            && self.scope == other.scope
            && self.audience == other.audience
            && self.style == other.style
    }
}

// === impl Token ===

impl Token {
    fn new(value: Secret, until: Timestamp) -> Option<Self> {
        let mut header = HeaderValue::from_str(&format!("Bearer {}", value.expose())).ok()?;
        header.set_sensitive(true);
        Some(Self { header, secret: value, until })
    }
}

fn token_url(at: &At<String>, public_only: bool, problems: &mut Problems) -> Option<Url> {
    let mut refuse = |message: String| {
        problems.push(Problem::error(at.place, message).expected(EXPECTED_URL));
        None
    };
    let Ok(url) = Url::parse(at) else { return refuse("this is not a URL".to_owned()) };
    let local = match url.host() {
        None => return refuse("the url has no host".to_owned()),
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
    };
    match url.scheme() {
        "https" => {}
        "http" if local => {}
        "http" => return refuse("the client's secret would go over the network in clear".to_owned()),
        _ => return refuse("this is not an https URL".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse(
            "the url must not hold a user or a password: they are `client_id` and `client_secret`".to_owned(),
        );
    }
    if url.fragment().is_some() {
        return refuse("the url of a token endpoint has no fragment (RFC 6749, section 3.2)".to_owned());
    }
    if let Some(kind) = Kind::named_by(&url).filter(|_| public_only) {
        return refuse(format!("the url names {kind}, which `allow_private: false` refuses"));
    }
    Some(url)
}
