//! `[[route]]`: a host with two providers, whose routers run no faild (`lab/uplinks.rs` draws it).

mod automatic;
mod commands;
mod dead_router;
mod examples;
mod in_front;
mod leases;
mod link;
mod networkd;
mod places;
mod quality;
mod reload;
mod restart;
mod targets;

use crate::lab::{OTHER_TARGET, TARGET, TARGET_V6};

/// How quickly all of these tests judge, if they do not say otherwise. Silence is found in 0.1 to 0.15 s.
const QUICK: &str = "interval = \"50ms\"\nmissed = 2\ngood = 10\n";

/// The two next hops of IPv4, as a list.
const LISTED: &str =
    r#"[{ interface = "wan0", via = "192.0.2.1" }, { interface = "wan1", via = "198.51.100.1" }]"#;

/// The two of IPv6.
const LISTED_V6: &str =
    r#"[{ interface = "wan0", via = "fe80::1" }, { interface = "wan1", via = "fe80::1" }]"#;

/// A section for the default route of IPv4, with these next hops and further keys.
fn route(next_hops: &str, more: &str) -> String {
    section("default", next_hops, more)
}

/// Both families by listed next hops, each with a target beyond.
fn both() -> String {
    let targets = format!("targets = [\"{TARGET}\", \"{OTHER_TARGET}\"]\n{QUICK}");
    let targets_v6 = format!("targets = [\"{TARGET_V6}\"]\n{QUICK}");
    section("default", LISTED, &targets) + &section("default6", LISTED_V6, &targets_v6)
}

fn section(destination: &str, next_hops: &str, more: &str) -> String {
    let next_hops = if next_hops == "auto" { "\"auto\"" } else { next_hops };
    format!("[[route]]\ndestination = \"{destination}\"\nnext-hops = {next_hops}\n{more}\n")
}

/// Quickly, with one target beyond.
fn with_target() -> String {
    format!("targets = [\"{TARGET}\"]\n{QUICK}")
}
