//! Compares two configurations: which settings differ, and which of those only a start can change.

use super::Config;

/// The keys (faild.toml(5)) and sections in which the two differ.
pub fn differences(one: &Config, other: &Config) -> Vec<&'static str> {
    LIVE.iter().filter(|(_, differs)| differs(one, other)).map(|(name, _)| *name).collect()
}

/// Restores in `new` the settings that only a start can change, and returns their names.
pub fn keep_fixed(running: &Config, new: &mut Config) -> Vec<&'static str> {
    let mut kept = Vec::new();
    let mut keep = |name, differs: bool| kept.extend(differs.then_some(name));
    keep("state-dir", (&running.state_dir, &running.runtime_dir) != (&new.state_dir, &new.runtime_dir));
    keep("daemon", running.daemon != new.daemon);
    keep("pid-file", running.pid_file != new.pid_file);
    keep("dry-run", running.dry_run != new.dry_run);
    keep("user", running.user != new.user);
    keep("control-group", running.control_group != new.control_group);
    // The privilege to open a low port is dropped at startup, unless it was needed then.
    let is_out_of_reach = new.port < PRIVILEGED && running.port >= PRIVILEGED;
    keep("port", is_out_of_reach);
    if is_out_of_reach {
        new.port = running.port;
    }
    new.user.clone_from(&running.user);
    new.control_group.clone_from(&running.control_group);
    new.state_dir.clone_from(&running.state_dir);
    new.runtime_dir.clone_from(&running.runtime_dir);
    new.pid_file.clone_from(&running.pid_file);
    (new.daemon, new.dry_run) = (running.daemon, running.dry_run);
    kept
}

/// A key or section, and whether the two differ in it.
type Live = (&'static str, fn(&Config, &Config) -> bool);

const LIVE: &[Live] = &[
    ("requestor", |a, b| a.requestor != b.requestor),
    ("interval", |a, b| a.interval != b.interval),
    ("missed", |a, b| a.missed != b.missed),
    ("good", |a, b| a.good != b.good),
    ("port", |a, b| a.port != b.port),
    ("log", |a, b| a.log != b.log),
    ("verbosity", |a, b| a.verbosity != b.verbosity),
    ("exclude", |a, b| a.exclude != b.exclude),
    ("route-protocols", |a, b| a.route_protocols != b.route_protocols),
    ("packet-budget", |a, b| a.packet_budget != b.packet_budget),
    ("realtime", |a, b| a.realtime != b.realtime),
    ("exit", |a, b| a.exit != b.exit),
    ("lan", |a, b| a.lans != b.lans),
    ("peer", |a, b| a.peers != b.peers),
    ("hook", |a, b| a.hooks != b.hooks),
    ("auth", |a, b| (&a.keys, &a.key_file) != (&b.keys, &b.key_file)),
    ("damping", |a, b| a.damping != b.damping),
    ("failback", |a, b| a.failback != b.failback),
    ("route", |a, b| a.routes != b.routes),
    ("group", |a, b| a.groups != b.groups),
];

/// Ports below this require CAP_NET_BIND_SERVICE.
const PRIVILEGED: u16 = 1024;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::{Failback, KeyName, LanConfig, keys};

    #[test]
    fn every_key_is_live_except_those_of_dropped_privileges() {
        let section = |key: KeyName| key.section.split('.').next().filter(|section| !section.is_empty());
        let mut named: BTreeSet<&str> = keys().map(|key| section(key).unwrap_or(key.name)).collect();
        assert!(named.remove("user") && named.remove("control-group"), "only a start can change the user");
        assert_eq!(LIVE.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), named);
    }

    #[test]
    fn what_differs_is_named_and_nothing_else() {
        let one = Config::default();
        assert!(differences(&one, &one).is_empty());
        let other = Config {
            port: 7777,
            lans: vec![LanConfig::new("a")],
            failback: Failback::Manual,
            ..Config::default()
        };
        assert_eq!(differences(&one, &other), ["port", "lan", "failback"]);
    }

    #[test]
    fn what_only_a_start_can_change_stays_and_is_named() {
        let running = Config::default();
        let mut new = Config {
            dry_run: true,
            state_dir: "/x".into(),
            user: "root".into(),
            port: 7777,
            ..Config::default()
        };
        assert_eq!(keep_fixed(&running, &mut new), ["state-dir", "dry-run", "user"]);
        assert_eq!(new, Config { port: 7777, ..Config::default() });
        assert!(keep_fixed(&running, &mut new).is_empty());
        new.port = 1023;
        assert_eq!(keep_fixed(&running, &mut new), ["port"]);
        assert_eq!(new, running);
    }
}
