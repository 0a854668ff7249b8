//! The URL, where it is signed: as the sender knows it, which need not be how it came in.

use http::HeaderMap;

use super::mutation::{Change, Mutation};
use super::trial::Trial;

/// A URL that may have been signed, by what is another than in the description.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Signed {
    scheme: String,
    host: String,
    port: Option<String>,
    /// What stands between host and path.
    base: String,
    path: String,
    query: String,
}

/// Every URL that may have been signed, those first that differ least.
pub(super) fn mutations(trial: &Trial) -> Vec<Mutation> {
    let content = trial.content().unwrap_or_default();
    let with_url = content.contains("{url}");
    if !with_url && !content.contains("{path}") {
        return Vec::new();
    }
    let headers = &trial.request.headers;
    // Where only the path is signed, any host will do.
    let base = trial.case.public_url.as_deref().or(if with_url { None } else { Some("https://any.invalid") });
    let described = base.and_then(|base| Signed::of(base, trial));
    let from_host = ["x-forwarded-host", "host", "x-original-host"]
        .iter()
        .filter_map(|name| host(headers, name))
        .filter_map(|host| Signed::of(&format!("https://{host}"), trial));
    let bases: Vec<Signed> = described.clone().into_iter().chain(from_host).collect();
    let mut found: Vec<Signed> = Vec::new();
    for signed in bases.iter().flat_map(Signed::variants) {
        if !found.contains(&signed) && Some(&signed) != described.as_ref() {
            found.push(signed);
        }
    }
    let mut mutations: Vec<Mutation> = found.into_iter().map(|signed| signed.mutation(described.as_ref())).collect();
    mutations.sort_by_key(|mutation| mutation.changes.len());
    mutations
}

fn host(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | ':' | '[' | ']');
    (!text.is_empty() && text.len() < 254 && text.chars().all(plain)).then(|| text.to_ascii_lowercase())
}

// === impl Signed ===

impl Signed {
    fn of(base: &str, trial: &Trial) -> Option<Self> {
        let (scheme, rest) = base.trim_end_matches('/').split_once("://")?;
        let (authority, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
                (host, Some(port.to_owned()))
            }
            _ => (authority, None),
        };
        Some(Self {
            scheme: scheme.to_owned(),
            host: host.to_owned(),
            port,
            base: path.to_owned(),
            path: trial.request.path.to_string(),
            query: trial.request.query.to_string(),
        })
    }

    fn variants(&self) -> Vec<Self> {
        let mut all = vec![self.clone()];
        let also = |all: &mut Vec<Self>, change: &dyn Fn(&Self) -> Option<Self>| {
            let more: Vec<Self> = all.iter().filter_map(change).collect();
            all.extend(more);
        };
        also(&mut all, &|url| {
            let scheme = if url.scheme == "https" { "http" } else { "https" };
            Some(Self { scheme: scheme.to_owned(), ..url.clone() })
        });
        also(&mut all, &|url| {
            let default = if url.scheme == "https" { "443" } else { "80" };
            let port = if url.port.is_some() { None } else { Some(default.to_owned()) };
            Some(Self { port, ..url.clone() })
        });
        also(&mut all, &|url| {
            let path = match url.path.strip_suffix('/') {
                Some(shorter) => shorter.to_owned(),
                None => format!("{}/", url.path),
            };
            Some(Self { path, ..url.clone() })
        });
        also(&mut all, &|url| (!url.query.is_empty()).then(|| Self { query: String::new(), ..url.clone() }));
        also(&mut all, &|url| (!url.base.is_empty()).then(|| Self { base: String::new(), ..url.clone() }));
        all
    }

    fn mutation(self, described: Option<&Self>) -> Mutation {
        let changes = self.changes(described);
        Mutation::several(changes, move |trial| {
            let port = self.port.as_ref().map(|port| format!(":{port}")).unwrap_or_default();
            trial.case.public_url = Some(format!("{}://{}{port}{}", self.scheme, self.host, self.base));
            trial.request.path = self.path.as_str().into();
            trial.request.query = self.query.as_str().into();
            true
        })
    }

    fn changes(&self, described: Option<&Self>) -> Vec<Change> {
        let Some(known) = described else {
            let words = format!(
                "the URL is signed, and `public_url` is not said: it was signed for `{}://{}`, so give that as `--public-url`",
                self.scheme, self.host
            );
            return vec![Change::new("url_unknown", words)];
        };
        let mut changes = Vec::new();
        if self.scheme != known.scheme {
            changes.push(Change::new(
                "url_scheme",
                format!(
                    "the URL was signed with `{}`, and `public_url` has `{}`: say there what the provider was given",
                    self.scheme, known.scheme
                ),
            ));
        }
        if self.host != known.host {
            changes.push(Change::new(
                "url_host",
                format!("the URL was signed for the host `{}`, and `public_url` has `{}`: say there what the provider was given", self.host, known.host),
            ));
        } else if self.port != known.port {
            let words = match &self.port {
                Some(port) => format!("the URL was signed with the port {port}, which `public_url` does not have: add it, or say `url: {{ ports: any }}`"),
                None => "the URL was signed without a port, and `public_url` has one: leave it out, or say `url: { ports: any }`".to_owned(),
            };
            changes.push(Change::new("url_port", words));
        }
        if self.base != known.base {
            changes.push(Change::new(
                "url_base",
                "the URL was signed without the path of `public_url`: leave it out there",
            ));
        }
        if self.path != known.path {
            let words = if self.path.ends_with('/') {
                "the URL was signed with a `/` at the end of its path, and came in without: give the provider the path as the route has it"
            } else {
                "the URL was signed without the `/` at the end of its path: give the provider the path as the route has it"
            };
            changes.push(Change::new("url_slash", words));
        }
        if self.query != known.query {
            changes.push(Change::new(
                "url_query",
                "the URL was signed without its query: something on the way added it, or the provider leaves it out",
            ));
        }
        changes
    }
}
