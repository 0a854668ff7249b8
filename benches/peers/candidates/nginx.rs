//! nginx with njs: one worker that verifies, filters, reshapes and forwards.

use std::path::Path;
use std::process::Command;

use super::peer::{Peer, fill, need};
use super::{Running, free};

/// njs in front of `proxy_pass` with keep-alive connections.
pub const NGINX: Peer = Peer {
    name: "nginx",
    title: "nginx + njs",
    acknowledges: "the destination's 2xx",
    start: |place| {
        let binary = Path::new("/usr/sbin/nginx");
        need(&[binary, Path::new("/usr/lib/nginx/modules/ngx_http_js_module.so")])?;
        let address = free();
        fill(place, "nginx.js", address.port())?;
        let mut command = Command::new(binary);
        command.arg("-c").arg(fill(place, "nginx.conf", address.port())?).arg("-p").arg(&place.directory);
        Ok(Running::one(address, place.start("nginx", &command, address)?))
    },
};
