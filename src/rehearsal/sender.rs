//! Whoever plays a provider: requests of a configuration's routes, signed as their senders would, and what a forger does to
//! them.

use std::collections::HashMap;
use std::path::Path;

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use url::form_urlencoded::byte_serialize;

use super::suite::{Report, spoil_secrets};
use super::{NotStaged, Staged, stage};
use crate::config::file::ConfigFile;
use crate::config::load::{self, Loaded, Surroundings};
use crate::config::{At, Named, Problems, nearest};
use crate::model::{Secret, Timestamp};
use crate::pipeline::verify::{SignError, Signing, Tampering, Unsigned};
use crate::providers::{self, HandshakeSample, Sample, Samples};
use crate::routing::{self, Route, RouteTable};

/// A configuration, as its senders see it. It holds their secrets: it has no `Debug`.
pub struct Sender {
    /// The secrets of each route in it are a forger's.
    file: ConfigFile,
    table: RouteTable,
    /// The secrets with names, by route.
    secrets: HashMap<String, Named<At<Secret>>>,
    /// The table with other secrets.
    forger: Option<RouteTable>,
}

/// A request that cannot be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotSent {
    /// It has no route.
    #[error(transparent)]
    NotStaged(#[from] NotStaged),
    /// It cannot be signed.
    #[error("cannot sign the request: {0}")]
    Sign(#[from] SignError),
    /// The provider has no samples.
    #[error("there are no samples of the route `{route}`: its provider is not a built-in one")]
    NoSamples {
        /// The route.
        route: String,
    },
    /// The provider has no sample of that name.
    #[error("there is no sample `{name}`: there are {}{}", .known.join(", "), .meant.as_ref().map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default())]
    NoSample {
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
        /// The one that was probably meant.
        meant: Option<String>,
    },
    /// The key is none of the scheme's.
    #[error("this is no private key of the scheme `{scheme}`: PKCS #8 in PEM is one, `-----BEGIN PRIVATE KEY-----`")]
    NoKey {
        /// The scheme.
        scheme: &'static str,
    },
    /// That cannot be done to a request of this scheme.
    #[error("the scheme `{scheme}` signs no time, so a request cannot be stale")]
    NoTime {
        /// The scheme.
        scheme: &'static str,
    },
}

// === impl Sender ===

impl Sender {
    /// Reads a configuration.
    ///
    /// # Errors
    /// Where it has problems.
    pub fn load(path: &Path, surroundings: &dyn Surroundings) -> Result<Self, Report> {
        let Loaded { file, mut problems, source, given } = load::load(path, surroundings);
        let compiled = file.and_then(|file| {
            let table = routing::compile(&file, &given, &mut problems)?;
            Some((file, table))
        });
        let Some((mut file, table)) = compiled else {
            return Err(Report { problems: problems.sorted(), source });
        };
        let named = file.routes.iter().filter_map(|route| {
            let secrets = route.secrets.as_ref()?;
            Some((route.name.value.clone(), secrets.value.clone()))
        });
        let secrets = named.collect();
        spoil_secrets(&mut file);
        let forger = routing::compile(&file, &given, &mut Problems::new());
        file.tests.clear();
        Ok(Self { file, table, secrets, forger })
    }

    /// The configuration that runs.
    #[must_use]
    pub const fn table(&self) -> &RouteTable {
        &self.table
    }

    /// The samples of a route's provider.
    ///
    /// # Errors
    /// Where there is no such route, or its provider has none.
    pub fn samples(&self, route: &str) -> Result<Samples, NotSent> {
        let staged = self.table.route(route).ok_or_else(|| NotStaged::unknown(&self.table, route))?;
        let written = self.file.routes.iter().find(|written| *written.name.value == *staged.name);
        let provider = written.and_then(|written| written.provider.as_ref());
        let own = provider.is_some_and(|provider| self.file.providers.get(provider).is_some());
        let samples = provider.filter(|_| !own).and_then(|provider| providers::samples(provider)?.ok());
        samples.ok_or_else(|| NotSent::NoSamples { route: route.to_owned() })
    }

    /// A sample of a route's provider as a request of the route.
    ///
    /// # Errors
    /// Where there is none of that name.
    pub fn sample(&self, route: &str, name: &str) -> Result<Unsigned, NotSent> {
        let samples = self.samples(route)?.samples;
        match samples.iter().find(|sample| sample.name == name) {
            Some(sample) => Ok(self.request(route, sample)),
            None => {
                let known: Vec<String> = samples.into_iter().map(|sample| sample.name).collect();
                let meant = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
                Err(NotSent::NoSample { name: name.to_owned(), known, meant })
            }
        }
    }

    /// The handshakes of a route's provider as requests of the route. Where a sample has a secret in it that has a role of its
    /// own, it is the route's.
    ///
    /// # Errors
    /// Where there are none.
    pub fn handshakes(&self, route: &str) -> Result<Vec<(HandshakeSample, Unsigned)>, NotSent> {
        let samples = self.samples(route)?;
        let played = samples.handshakes.into_iter().map(|handshake| {
            let mut request = self.request(route, &handshake.request);
            for (role, theirs) in &samples.roles {
                if let Some(ours) = self.role(route, role) {
                    let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                    request.query = request.query.replace(&encode(theirs), &encode(&ours)).into();
                }
            }
            (handshake, request)
        });
        Ok(played.collect())
    }

    /// Signs a request of a route, and does something to it. `key` is a private key in PEM, where the route has the public one.
    ///
    /// # Errors
    /// Where it has no route, or cannot be signed, or that cannot be done to it.
    pub fn sign(
        &self,
        route: Option<&str>,
        request: Unsigned,
        key: Option<&str>,
        tampering: Option<Tampering>,
        now: Timestamp,
    ) -> Result<Unsigned, NotSent> {
        let table = match (tampering, &self.forger) {
            (Some(Tampering::Secret), Some(forger)) => forger,
            _ => &self.table,
        };
        let Staged { route, mut request, .. } = stage(table, request, route)?;
        let verifier = &route.verifier;
        let private = match key {
            None => None,
            Some(pem) => {
                let none = NotSent::NoKey { scheme: verifier.scheme() };
                let key = verifier.read_private_key(pem).ok_or(none)?;
                let another = tampering == Some(Tampering::Secret);
                Some(if another { verifier.another_private_key().unwrap_or(key) } else { key })
            }
        };
        let now = match (tampering, verifier.tolerance()) {
            (Some(Tampering::Timestamp), None) => return Err(NotSent::NoTime { scheme: verifier.scheme() }),
            (Some(Tampering::Timestamp), Some(tolerance)) => now.before(tolerance * 2),
            _ => now,
        };
        let forged = tampering == Some(Tampering::Signature);
        verifier.sign_as(&mut request, &Signing { now, private: private.as_ref(), forged })?;
        if tampering == Some(Tampering::Body) {
            // One more byte than was signed, and the same JSON.
            request.body = [&request.body[..], b"\n"].concat().into();
        }
        Ok(request)
    }

    fn request(&self, route: &str, sample: &Sample) -> Unsigned {
        let path = self.table.route(route).map(|route| path_of(route, sample)).unwrap_or_default();
        Unsigned {
            method: sample.method.parse().unwrap_or(Method::POST),
            path: path.into(),
            query: sample.query.as_str().into(),
            path_params: Vec::new(),
            headers: headers_of(sample),
            body: sample.body.clone(),
        }
    }

    fn role(&self, route: &str, role: &str) -> Option<String> {
        Some(self.secrets.get(route)?.get(role)?.expose().to_owned())
    }
}

/// The path of a route with the parameters of a sample.
pub(super) fn path_of(route: &Route, sample: &Sample) -> String {
    let fill = |path: String, (name, value): &(Box<str>, Box<str>)| path.replace(&format!("{{{name}}}"), value);
    sample.path_params.iter().fold(String::from(&*route.path), fill)
}

/// The header fields of a sample.
pub(super) fn headers_of(sample: &Sample) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &sample.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    headers
}
