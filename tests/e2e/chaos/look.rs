//! What the kernel of a host has, in a form that can be compared.

use std::process::Command;

use super::model::{Switch, flag};
use crate::lab::{Family, Host};

/// Routes that somebody else than the kernel and faild has made.
pub(super) fn routes(host: &Host) -> Vec<String> {
    let list = |flag: &str| {
        let lines = host.ip(&format!("-N {flag} -d route show table main"));
        let others = lines
            .lines()
            .filter(|line| !["proto 250", "proto 2 ", "proto 9 "].iter().any(|p| line.contains(p)));
        others.map(|line| normal(line, flag)).collect::<Vec<_>>()
    };
    [list("-4"), list("-6")].concat()
}

/// A route as `ip` shows or takes it, without what the kernel adds and the state of the link.
pub(super) fn normal(route: &str, flag: &str) -> String {
    let mut words: Vec<&str> = route.split_whitespace().collect();
    // The type: by number, as protocols are asked for, or by name.
    let kind = match words.first() {
        Some(&"prohibit" | &"8") => Some("prohibit"),
        Some(&"unreachable" | &"7") => Some("unreachable"),
        _ => None,
    };
    let refuses = kind.is_some();
    if refuses || matches!(words.first(), Some(&"unicast" | &"1")) {
        words.remove(0);
    }
    let prefix = words.first().copied().unwrap_or_default();
    let mut normal = kind.map_or_else(|| prefix.to_owned(), |kind| format!("{kind} {prefix}"));
    for key in ["via", "dev", "src", "metric"] {
        let value = words.iter().skip_while(|word| **word != key).nth(1);
        // What the kernel takes by itself.
        let default = matches!((key, value, flag), ("metric", Some(&"1024"), "-6"));
        if let Some(value) = value
            && !default
            && !(refuses && key == "dev")
        {
            normal.push_str(&format!(" {key} {value}"));
        }
    }
    normal
}

/// A route of a kill switch in the same form.
pub(super) fn refusal(family: Family, prefix: &str, switch: Switch) -> String {
    normal(&switch.route(prefix), flag(family))
}

/// Addresses but those that the kernel makes: "lo 192.0.2.1".
pub(super) fn addresses(host: &Host) -> Vec<String> {
    let lines = host.ip("-o addr show");
    let address = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let interface = words.get(1)?;
        Some(format!("{interface} {}", words.get(3)?.split('/').next()?))
    };
    let own = |line: &String| [" 127.0.0.1", " ::1", " fe80:"].iter().any(|own| line.contains(own));
    lines.lines().filter_map(address).filter(|line| !own(line)).collect()
}

/// faild's routes.
pub(super) fn overlays(host: &Host) -> Vec<String> {
    host.overlays().into_iter().map(|line| format!("{} has {line}", host.name())).collect()
}

/// What runs there.
pub(super) fn processes(host: &Host) -> Vec<String> {
    let output = Command::new("ip").args(["netns", "pids", host.netns()]).output().expect("cannot run ip");
    let pids = String::from_utf8_lossy(&output.stdout).into_owned();
    pids.split_whitespace().map(|pid| format!("{} has process {pid}", host.name())).collect()
}

/// What is missing of `needed`, and what is none of `known`.
pub(super) fn compare(host: &Host, there: &[String], needed: &[String], known: &[String]) -> Vec<String> {
    let missing = needed.iter().filter(|line| !there.contains(line));
    let strange = there.iter().filter(|line| !known.contains(line));
    let missing = missing.map(|line| format!("{} lacks {line}", host.name()));
    missing.chain(strange.map(|line| format!("{} should not have {line}", host.name()))).collect()
}
