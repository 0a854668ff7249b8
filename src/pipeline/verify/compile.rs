//! From a scheme as the file says it, and a route's secrets, to a verifier.

use std::sync::Arc;

use super::fetched::Certificates;
use super::keys::Keys;
use super::signed::{Description, Signed};
use super::{Scheme, Verifier, basic, jwt, sns, token};
use crate::config::file::Encoding;
use crate::config::{At, Problem, Problems, file};
use crate::expr::Choices;
use crate::model::NamedSecret;
use crate::pipeline::Hosts;
use crate::signing::{self, Context, Holes, PublicScheme, compile_selector};

/// What a scheme refers to outside of itself.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// Where the provider's event id is, for `{id}` in the signed content.
    pub id: &'a Choices,
    /// The address that the provider was given, for `{url}`.
    pub public_url: Option<&'a str>,
    /// The secrets that have a role of their own, and verify nothing.
    pub roles: &'a [At<NamedSecret>],
}

/// Where a provider's event id is, for `{id}` in signed content. What is wrong with it is the normalizer's to say.
#[must_use]
pub fn event_id(provider: Option<&file::Provider>) -> Choices {
    let id = provider.and_then(|provider| provider.event.as_ref()).and_then(|event| event.id.as_ref());
    let mut choices = Choices::none();
    for choice in id.map(|id| id.as_slice()).unwrap_or_default() {
        if let file::Choice::Select(text) = &choice.value {
            choices = choices.clone().or_select(text).unwrap_or(choices);
        }
    }
    choices
}

// === impl Verifier ===

impl Verifier {
    /// Compiles a scheme with a route's secrets.
    ///
    /// What is wrong is added to `problems`, each at its place; `None` where any of it is an error. No
    /// problem quotes a secret.
    pub fn compile(
        auth: &At<file::Auth>,
        secrets: &[At<NamedSecret>],
        surroundings: Surroundings<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let Surroundings { id, public_url, roles } = surroundings;
        let secrets_usable = check_secrets(auth, secrets, problems);
        let context = Context { place: auth.place, id, public_url, url: None, holes: Holes::default() };
        let scheme = match &auth.value {
            file::Auth::None => Some(Scheme::None),
            file::Auth::Token(token) => token::Token::compile(token, secrets, problems).map(Scheme::Token),
            file::Auth::Basic(basic) => basic::Basic::compile(basic, secrets, problems).map(Scheme::Basic),
            file::Auth::Sns(sns) => sns::Sns::compile(sns, secrets, problems).map(|sns| Scheme::Sns(Box::new(sns))),
            file::Auth::Jwt(jwt) => {
                jwt::Jwt::compile(jwt, secrets, roles, problems).map(|jwt| Scheme::Jwt(Box::new(jwt)))
            }
            signed => compile_signed(signed, secrets, &context, problems),
        };
        let scheme = scheme.filter(|_| secrets_usable)?;
        let secret_names = match scheme {
            Scheme::None => Vec::new(),
            _ => secrets.iter().map(|secret| Arc::clone(&secret.name)).collect(),
        };
        let credential_headers = scheme.credential_header().into_iter().collect();
        let first_secret = secrets.first().map(|secret| secret.value.clone());
        Some(Self { scheme, secret_names, credential_headers, first_secret })
    }
}

/// The schemes in which a signature covers what `content` says.
fn compile_signed(
    auth: &file::Auth,
    secrets: &[At<NamedSecret>],
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<Scheme> {
    let place = context.place;
    let (name, keys, description, secret_in_content) = match auth {
        file::Auth::Hmac(hmac) => {
            ("hmac", Keys::mac(hmac, secrets, place, problems), Description::of_hmac(hmac), false)
        }
        file::Auth::KeyedHash(file) => {
            let keys = Some(Keys::hash(file.hash, secrets));
            let description = Description::of(&file.signature, &file.timestamp, Some(&file.content), &file.url);
            ("keyed_hash", keys, description, true)
        }
        file::Auth::Ed25519(file) => {
            let keys = if file.seed {
                Keys::seeded(&file.key, secrets, place, problems)
            } else {
                Keys::public(PublicScheme::Ed25519, &file.key, Encoding::Hex, secrets, place, problems)
            };
            let description = Description::of(&file.signature, &file.timestamp, file.content.as_ref(), &file.url);
            ("ed25519", keys, description, false)
        }
        file::Auth::EcdsaP256(file) => {
            let scheme = PublicScheme::EcdsaP256(file.format);
            let keys = Keys::public(scheme, &file.key, Encoding::Base64, secrets, place, problems);
            let description = Description::of(&file.signature, &file.timestamp, file.content.as_ref(), &file.url);
            ("ecdsa_p256", keys, description, false)
        }
        file::Auth::Rsa(file) => {
            let keys = rsa_keys(file, secrets, context, problems);
            let description = Description::of(&file.signature, &file.timestamp, file.content.as_ref(), &file.url);
            ("rsa", keys, description, file.certificate.is_some())
        }
        file::Auth::None | file::Auth::Token(_) | file::Auth::Basic(_) | file::Auth::Sns(_) | file::Auth::Jwt(_) => {
            return None;
        }
    };
    let signed = Signed::compile(&description, keys, secret_in_content, context, problems)?;
    if let (file::Auth::KeyedHash(file), false) = (auth, signed.has_secret()) {
        problems.push(
            Problem::error(file.content.place, "`content` has no `{secret}`: anybody could make this hash")
                .expected("`{secret}` where the provider puts it, such as `{secret}{body}`"),
        );
        return None;
    }
    if let (file::Auth::Rsa(file::Rsa { certificate: Some(certificate), .. }), false) = (auth, signed.has_secret()) {
        problems.push(
            Problem::error(
                certificate.place,
                "`content` has no `{secret}`: whatever the provider signs for anybody would do",
            )
            .expected("`{secret}` in `content`, for what is yours alone, such as the id of the webhook"),
        );
        return None;
    }
    Some(Scheme::Signed(name, Box::new(signed)))
}

fn rsa_keys(
    file: &file::Rsa,
    secrets: &[At<NamedSecret>],
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<Keys> {
    let scheme = PublicScheme::Rsa(file.hash, file.padding);
    if !scheme.is_one() {
        problems.push(Problem::error(context.place, "`pss` is not taken with `sha1`").expected("`sha256`, or `pkcs1`"));
        return None;
    }
    let Some(certificate) = &file.certificate else {
        return Keys::public(scheme, &file::Key::default(), Encoding::Base64, secrets, context.place, problems);
    };
    let from = compile_selector(&certificate.url, problems);
    let hosts = Hosts::compile(&certificate.hosts, problems);
    Some(Keys::fetched(scheme, Certificates::source(from?, hosts?, vec![scheme]), secrets))
}

// === impl Description ===

impl<'f> Description<'f> {
    fn of_hmac(file: &'f file::Hmac) -> Self {
        let common = Self::of(&file.signature, &file.timestamp, file.content.as_ref(), &file.url);
        Self { body_hash: file.body_hash.as_ref(), each: file.each.as_ref(), ..common }
    }

    fn of(
        signature: &'f file::Signature,
        timestamp: &'f Option<At<file::TimestampRule>>,
        content: Option<&'f At<String>>,
        url: &'f Option<At<file::UrlRule>>,
    ) -> Self {
        Self { signature, timestamp: timestamp.as_ref(), content, url: url.as_ref(), body_hash: None, each: None }
    }
}

/// Whether there are the secrets that the scheme needs, each usable at all.
fn check_secrets(auth: &At<file::Auth>, secrets: &[At<NamedSecret>], problems: &mut Problems) -> bool {
    let needless = match &auth.value {
        file::Auth::None => Some("a secret is given, but `auth: none` believes whoever sends"),
        file::Auth::Jwt(jwt) if jwt.keys.is_some() => Some("a secret is given, but the keys are fetched"),
        _ => None,
    };
    if let Some(why) = needless {
        problems.extend(
            secrets
                .first()
                .map(|secret| Problem::warning(secret.place, why).expected("no secret, or a scheme that uses it")),
        );
        return true;
    }
    if secrets.is_empty() {
        problems.push(
            Problem::error(auth.place, "this auth scheme needs a secret")
                .expected("`secret` or `secrets` in the route"),
        );
    }
    signing::usable(secrets, problems) && !secrets.is_empty()
}
