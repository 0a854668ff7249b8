//! Hookswitch: the binary of this build, with its defaults.

use std::process::Command;

use super::{Candidate, Place, Running, free};
use crate::event::SECRET;

/// The release binary on some routes.
pub struct Hookswitch {
    name: String,
    title: String,
    /// `providers:`, `destinations:` and `routes:`, where `DESTINATION` is the destination's address.
    routes: String,
    path: String,
    count: u64,
    deliveries: u64,
}

/// The provider of one route.
pub const PROVIDER: &str = "bspk-signed";

/// The filter and the seven fields, as what stands in `deliver` beside `to`.
pub const WORK: &str = "filter: \"$.type == 'client.updated'\", transform: { id: $.data.id, \
     name: '{$.data.first_name} {$.data.last_name}', email: $.data.email, language: $.data.language, \
     city: '$.data.addresses[0].city', interests: '$.data.interests[*]', updated_at: $.data.updated_at }";

// === impl Hookswitch ===

impl Hookswitch {
    /// One route to so many destinations.
    pub fn fan_out(count: u64) -> Self {
        let destinations: String = (0..count).map(|number| destination(&format!("d{number}"), number)).collect();
        let deliver: String = (0..count).map(|number| format!("      - {{ to: d{number}, {WORK} }}\n")).collect();
        let routes = format!(
            "providers:\n{}destinations:\n{destinations}routes:\n{}{deliver}",
            provider(PROVIDER),
            route("bspk", "/hooks/bspk", PROVIDER)
        );
        let (name, title) = match count {
            1 => ("hookswitch".to_owned(), "Hookswitch".to_owned()),
            _ => (format!("fan-out-{count}"), format!("Hookswitch, fan-out {count} (deliveries)")),
        };
        Self { name, title, routes, path: "/hooks/bspk".to_owned(), count: 1, deliveries: count }
    }

    /// On routes of one's own; `path` may have a run of `#` for the number of one of `count`.
    pub fn on(title: &str, routes: String, path: &str, count: u64, deliveries: u64) -> Self {
        Self { name: title.to_owned(), title: title.to_owned(), routes, path: path.to_owned(), count, deliveries }
    }
}

/// An entry of `destinations:` that the destination counts as `/d/NUMBER`.
pub fn destination(name: &str, number: u64) -> String {
    format!("  {name}: {{ url: 'http://DESTINATION/d/{number}', headers: {{ X-Event-Id: '{{$.id}}' }} }}\n")
}

/// An entry of `providers:`: BSPK's events under a signature, with the event's id in a header. BSPK itself has neither.
pub fn provider(name: &str) -> String {
    format!(
        "  {name}:
    auth: {{ hmac: {{ hash: sha256, signature: {{ from: 'header:X-Signature', prefix: 'sha256=' }} }} }}
    event:
      type: $.event_name
      id: 'header:X-Event-Id'
      time: [$.object.updated_at, $.object.finished_at]
      subject: $.object.id
      data: $.object
      require: [$.object]
"
    )
}

/// The head of an entry of `routes:`; the lines of its `deliver` follow.
pub fn route(name: &str, path: &str, provider: &str) -> String {
    format!(
        "  - name: {name}
    path: {path}
    provider: {provider}
    secret: {SECRET}
    max_body: 4MiB
    deliver:
"
    )
}

impl Candidate for Hookswitch {
    fn name(&self) -> &str {
        &self.name
    }

    fn title(&self) -> &str {
        &self.title
    }

    fn acknowledges(&self) -> &str {
        "fsync"
    }

    fn deliveries(&self) -> u64 {
        self.deliveries
    }

    fn path(&self) -> String {
        self.path.clone()
    }

    fn routes(&self) -> u64 {
        self.count
    }

    fn start(&self, place: &Place) -> Result<Running, String> {
        let (address, admin) = (free(), free());
        let text = format!(
            "listen: {address}\nadmin: {{ listen: '{admin}' }}\nqueue: {{ embedded: {{ path: '{}' }} }}\n{}",
            place.directory.join("data").display(),
            self.routes.replace("DESTINATION", &place.destination.to_string()),
        );
        let routes = place.write("routes.yaml", &text)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookswitch"));
        command.args(["serve", "--config"]).arg(routes).current_dir(&place.directory).env("NO_COLOR", "1");
        let process = place.start("hookswitch", &command, address)?;
        Ok(Running { admin: Some(admin), ..Running::one(address, process) })
    }
}
