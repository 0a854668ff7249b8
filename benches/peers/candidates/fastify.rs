//! Fastify: as a forwarder, and in front of BullMQ on Redis.

use std::path::Path;
use std::process::Command;

use super::peer::{Peer, need, node, package, source};
use super::{Place, Running, free};

/// Verifies, filters, reshapes and forwards by undici; keeps nothing.
pub const FASTIFY: Peer = Peer {
    name: "fastify",
    title: "Fastify, no store",
    acknowledges: "the destination's 2xx",
    start: |place| {
        need(&[&package("fastify"), &package("undici")])?;
        let address = free();
        let process = place.start("fastify", &node(place, &source("fastify.js"), address.port()), address)?;
        Ok(Running::one(address, process))
    },
};

/// The same with a job queue; Redis syncs before it answers.
pub const BULLMQ: Peer = Peer {
    name: "bullmq",
    title: "Fastify + BullMQ, Redis appendfsync always",
    acknowledges: "fsync",
    start: start_bullmq,
};

fn start_bullmq(place: &Place) -> Result<Running, String> {
    let server = Path::new("/usr/bin/redis-server");
    need(&[server, &package("bullmq"), &package("fastify")])?;
    let (redis, address) = (free(), free());
    let mut command = Command::new(server);
    command.args(["--bind", "127.0.0.1", "--port", &redis.port().to_string(), "--save", ""]);
    command.args(["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"]);
    command.arg("--dir").arg(&place.directory);
    let store = place.start("redis", &command, redis)?;
    let mut command = node(place, &source("bullmq.js"), address.port());
    command.env("REDIS_PORT", redis.port().to_string());
    // The first goes first: the queue before its store.
    let processes = vec![place.start("bullmq", &command, address)?, store];
    Ok(Running { address, processes, admin: None })
}
