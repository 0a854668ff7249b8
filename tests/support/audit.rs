//! Whether the gateway's books are in order.

use super::gateway::Gateway;
use super::metrics;

impl Gateway {
    /// Waits until nothing is pending, and fails where the books do not add up: per lane, accepted = delivered + dead.
    ///
    /// INTEGRATOR: this is a stand-in until `hookswitch audit` is there; replace its body by that command on the running
    /// gateway, exit code 0. The counters that it reads begin anew with each process, so after a restart it says nothing
    /// but that nothing is pending; and it takes every event of a route to go to each of its deliveries, so it is for
    /// routes without filters.
    pub fn audit_is_clean(&self) {
        self.wait_until_drained();
        if self.was_restarted() {
            return;
        }
        let text = self.metrics();
        for (labels, _) in metrics::samples(&text, "hookswitch_queue_pending") {
            let label = |name: &str| {
                let start = labels.find(&format!("{name}=\"")).unwrap() + name.len() + 2;
                labels[start..].split('"').next().unwrap().to_owned()
            };
            let (route, delivery) = (label("route"), label("delivery"));
            let accepted =
                super::metric(&text, "hookswitch_events_total", &[("route", &route), ("outcome", "accepted")]);
            let ended = ["delivered", "dead"].map(|outcome| {
                let lane = [("route", &*route), ("delivery", &*delivery), ("outcome", outcome)];
                super::metric(&text, "hookswitch_deliveries_total", &lane)
            });
            assert_eq!(accepted, ended.iter().sum::<f64>(), "{route}/{delivery}: delivered and dead are {ended:?}");
        }
    }
}
