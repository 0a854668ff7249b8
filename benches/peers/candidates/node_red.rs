//! Node-RED: a flow that verifies, filters, reshapes and forwards.

use std::time::{Duration, Instant};

use super::peer::{Peer, fill, need, node, package, source};
use super::{Running, free};
use crate::support::http;

/// A flow of six nodes, without the editor.
pub const NODE_RED: Peer = Peer {
    name: "node-red",
    title: "Node-RED",
    acknowledges: "the destination's 2xx",
    start: |place| {
        let script = package("node-red").join("red.js");
        need(&[&script])?;
        let address = free();
        fill(place, "flows.json", address.port())?;
        let mut command = node(place, &script, address.port());
        command.arg("--userDir").arg(&place.directory).arg("--settings").arg(source("settings.js"));
        command.arg("flows.json").env("WORK", source("work.js"));
        let process = place.start("node-red", &command, address)?;
        // It listens before its flows are there.
        let deadline = Instant::now() + Duration::from_secs(30);
        let none: &[(&str, &str)] = &[];
        while http::try_send(address, "POST", "/hooks/bspk", none, b"{}").is_ok_and(|answer| answer.status == 404) {
            if Instant::now() > deadline {
                return Err("node-red listens, but its flow does not start".to_owned());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(Running::one(address, process))
    },
};
