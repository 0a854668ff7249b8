//! adnanh/webhook: verifies and filters, and runs curl for each event.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::peer::{Peer, fill, need};
use super::{Running, free};

/// A shell and curl for each event; the answer waits for them.
pub const WEBHOOK: Peer = Peer {
    name: "webhook",
    title: "adnanh/webhook + curl",
    acknowledges: "the command's exit",
    start: |place| {
        let binary = Path::new("/usr/bin/webhook");
        need(&[binary, Path::new("/usr/bin/curl")])?;
        let address = free();
        let script = fill(place, "deliver.sh", address.port())?;
        fs::set_permissions(&script, Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
        let hooks = fill(place, "hooks.json", address.port())?;
        let mut command = Command::new(binary);
        command.args(["-ip", "127.0.0.1", "-port", &address.port().to_string(), "-hooks"]).arg(hooks);
        Ok(Running::one(address, place.start("webhook", &command, address)?))
    },
};
