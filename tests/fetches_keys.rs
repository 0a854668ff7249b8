//! Keys that are not in the configuration: they are fetched once, from where the provider says they are, and nobody waits
//! longer for them than has to.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use hookswitch::app::{Assembly, Fetch, FetchError, Gateway};
use hookswitch::config::Problems;
use hookswitch::config::file::{HashFunction, Padding};
use hookswitch::config::load::{self, FixedSurroundings};
use hookswitch::model::{Clock, ManualClock, Timestamp};
use hookswitch::pipeline::verify::KeyRequest;
use hookswitch::queue::embedded::{Embedded, Options};
use hookswitch::signing::{PrivateKey, PublicScheme};
use hookswitch::{routing, telemetry};
use tokio::net::TcpListener;
use url::Url;

const SHA256: PublicScheme = PublicScheme::Rsa(HashFunction::Sha256, Padding::Pkcs1);
const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:orders";

/// The network, as a test has it: what was asked of whom, and the one answer that there is.
#[derive(Debug)]
struct Net {
    answer: Mutex<Result<Bytes, FetchError>>,
    asked: Mutex<Vec<String>>,
}

impl Fetch for Net {
    fn key<'f>(&'f self, request: &'f KeyRequest) -> BoxFuture<'f, Result<Bytes, FetchError>> {
        Box::pin(async {
            self.asked.lock().unwrap().push(request.url.to_string());
            // Whoever comes meanwhile waits for this one.
            tokio::task::yield_now().await;
            self.answer.lock().unwrap().clone()
        })
    }

    fn visit<'f>(&'f self, address: &'f Url) -> BoxFuture<'f, Result<(), FetchError>> {
        Box::pin(async move {
            self.asked.lock().unwrap().push(format!("visit {address}"));
            self.answer.lock().unwrap().clone().map(|_| ())
        })
    }
}

struct Played {
    gateway: Gateway,
    url: String,
    net: Arc<Net>,
    key: PrivateKey,
    certificate: Bytes,
    _data: tempfile::TempDir,
}

impl Played {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let text = format!(
            "destinations: {{ d: {{ url: 'http://127.0.0.1:9' }} }}\nroutes:\n  \
             - {{ name: paypal, path: /paypal, provider: paypal, secret: WEBHOOK-1, deliver: [{{ to: d }}] }}\n  \
             - {{ name: sns, path: /sns, provider: aws-sns, secret: '{TOPIC}', deliver: [{{ to: d }}] }}\n"
        );
        let surroundings = FixedSurroundings::new();
        let loaded = load::parse("routes.yaml", &text, &surroundings);
        let mut problems = Problems::new();
        let table = routing::compile(&loaded.file.unwrap(), &loaded.given, &mut problems);
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp::from_seconds(1_800_000_000)));
        let registry = telemetry::new_registry().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (key, certificate) = certified();
        let answer = Mutex::new(Err(FetchError::Status(503)));
        let net = Arc::new(Net { answer, asked: Mutex::default() });
        let assembly = Assembly {
            table: table.unwrap_or_else(|| panic!("{:#?}", problems.sorted())),
            path: Path::new("routes.yaml").to_owned(),
            surroundings: Box::new(FixedSurroundings::new()),
            listener,
            queue: Embedded::open(Options::new(data.path()), Arc::clone(&clock)).unwrap(),
            clock,
            dice: || 0.5,
            registry,
            fetch: Arc::<Net>::clone(&net),
            open_files: None,
        };
        let gateway = assembly.start().await.unwrap();
        Self { gateway, url, net, key, certificate, _data: data }
    }

    fn answer(&self, answer: Result<Bytes, FetchError>) {
        *self.net.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.net.asked.lock().unwrap())
    }

    async fn paypal(&self, id: &str, host: &str) -> (u16, bool) {
        let body = format!(r#"{{"id":"{id}","event_type":"PAYMENT.SALE.COMPLETED"}}"#);
        let time = "2027-01-15T08:00:00Z";
        let signed = format!("t-1|{time}|WEBHOOK-1|{}", crc32fast::hash(body.as_bytes()));
        let signature = STANDARD.encode(self.key.sign(&[signed.into_bytes().into()]).unwrap());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(format!("{}/paypal", self.url)).header("Content-Type", "application/json");
        let request = request.header("Paypal-Transmission-Id", "t-1").header("Paypal-Transmission-Time", time);
        let request =
            request.header("Paypal-Transmission-Sig", signature).header("Paypal-Cert-Url", format!("https://{host}/c"));
        let answer = request.body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.headers().contains_key("retry-after"))
    }

    async fn sns(&self, topic: &str) -> u16 {
        let mut message = serde_json::json!({
            "Type": "SubscriptionConfirmation", "MessageId": "1", "Token": "t", "TopicArn": topic, "Message": "m",
            "SubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=t",
            "Timestamp": "2027-01-15T08:00:00Z", "SignatureVersion": "2",
            "SigningCertURL": "https://sns.us-east-1.amazonaws.com/c.pem",
        });
        let text: String = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
            .iter()
            .map(|name| format!("{name}\n{}\n", message[name].as_str().unwrap()))
            .collect();
        let signature = self.key.sign(&[text.into_bytes().into()]).unwrap();
        message["Signature"] = STANDARD.encode(signature).into();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(format!("{}/sns", self.url)).header("Content-Type", "text/plain; charset=UTF-8");
        request.body(message.to_string()).send().await.unwrap().status().as_u16()
    }
}

/// A key, and a certificate of it, in PEM.
fn certified() -> (PrivateKey, Bytes) {
    let pem =
        |label: &str, der: &[u8]| format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der));
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["keys.test".into()]).unwrap().self_signed(&pair).unwrap();
    let key = PrivateKey::from_pem(SHA256, &pem("PRIVATE KEY", pair.serialized_der())).unwrap();
    (key, pem("CERTIFICATE", certificate.der()).into())
}

#[tokio::test]
async fn a_certificate_is_fetched_once_for_all_who_come_and_what_cannot_be_had_is_not_the_senders_fault() {
    let played = Played::start().await;
    assert_eq!(played.paypal("WH-1", "api.paypal.com").await, (503, true), "PayPal is asked to send it again");
    assert_eq!(played.asked(), ["https://api.paypal.com/c"]);
    // Nobody is asked at the word of the request alone.
    assert_eq!(played.paypal("WH-1", "api.paypal.com.evil.example").await, (401, false));
    assert_eq!(played.asked(), [""; 0]);
    played.answer(Ok(played.certificate.clone()));
    let other = "api.sandbox.paypal.com";
    let all = futures_util::future::join_all((0..20).map(|n| {
        let played = &played;
        async move { played.paypal(&format!("WH-{n}"), other).await }
    }));
    assert!(all.await.into_iter().all(|answer| answer == (202, false) || answer == (200, false)));
    assert_eq!(played.asked(), ["https://api.sandbox.paypal.com/c"]);
    // What it was fetched for does not hold for another's signature.
    let forger = Played { key: certified().0, ..played };
    assert_eq!(forger.paypal("WH-99", other).await, (401, false));
    forger.gateway.stop(std::time::Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn a_subscription_is_confirmed_by_a_visit_and_only_for_our_topic() {
    let played = Played::start().await;
    assert_eq!(played.sns("arn:aws:sns:us-east-1:999999999999:theirs").await, 401);
    assert_eq!(played.asked(), [""; 0], "nobody is asked for somebody else's topic");
    played.answer(Ok(played.certificate.clone()));
    assert_eq!(played.sns(TOPIC).await, 200);
    assert_eq!(
        played.asked(),
        [
            "https://sns.us-east-1.amazonaws.com/c.pem",
            "visit https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
        ]
    );
    played.answer(Err(FetchError::Status(500)));
    assert_eq!(played.sns(TOPIC).await, 503, "Amazon is asked to ask again");
    played.gateway.stop(std::time::Duration::from_secs(5)).await.unwrap();
}
