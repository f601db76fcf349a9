use std::path::Path;

use super::*;
use crate::config::{Draft, FaultKind, Faults, Loaded};

const ROUTE: &str = "[[route]]\ndestination = \"default\"\nnext-hops = \"auto\"\n";
const ROUTE6: &str = "[[route]]\ndestination = \"default6\"\nnext-hops = \"auto\"\n";

#[test]
fn a_name_is_the_first_address_of_its_destinations_family() {
    let text = format!("{ROUTE}targets = [\"both.example\"]\n{ROUTE6}targets = [\"both.example\"]\n");
    let routes = load(&text).unwrap().config.routes;
    let found: Vec<_> = routes.iter().flat_map(|route| &route.judging.targets).collect();
    assert_eq!(found, [&target("both.example", "192.0.2.7"), &target("both.example", "2001:db8::7")]);
}

#[test]
fn what_a_name_may_not_stand_for_is_told_with_its_line() {
    for (targets, fault) in [
        (
            "\"nobody.example\"",
            "target nobody.example cannot be resolved: name not known; correct the name, or give its address",
        ),
        ("\"six.example\"", "target six.example has no IPv4 address; use a host that has one"),
        ("\"here.example\"", "target here.example has an address that is not a host address; use one"),
        (
            "\"192.0.2.7\", \"both.example\"",
            "targets 192.0.2.7 and both.example are both 192.0.2.7; remove one",
        ),
    ] {
        let faults = load(&format!("{ROUTE}targets = [{targets}]\n")).unwrap_err().list;
        let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, [format!("f.toml: line 4: {fault}")]);
    }
}

#[test]
fn a_name_server_that_is_silent_now_may_answer_later() {
    let kind = |name| load(&format!("{ROUTE}targets = [\"{name}\"]\n")).unwrap_err().list[0].kind;
    assert_eq!(kind("nobody.example"), FaultKind::Environment);
    assert_eq!(kind("1.2.3"), FaultKind::Setting);
}

#[test]
fn five_names_are_resolved_and_no_sixth() {
    let names = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("\"n{n}.many.example\"")).collect();
        load(&format!("{ROUTE}targets = [{}]\n", names.join(", ")))
    };
    assert_eq!(names(NAMES).unwrap().config.routes[0].judging.targets.len(), 5);
    let faults = names(NAMES + 1).unwrap_err().list;
    assert_eq!(faults.len(), 1);
    assert!(
        faults[0].text.starts_with("target n5.many.example exceeds the limit of 5 names"),
        "{}",
        faults[0]
    );
}

#[test]
fn while_it_runs_names_keep_their_addresses_and_nobody_is_asked() {
    let running = load(&format!("{ROUTE}targets = [\"both.example\"]\n")).unwrap().config;
    let again = |text: &str| {
        let mut draft = Draft::from_text(Path::new("f.toml"), text);
        draft.keep_names(&running);
        draft.finish()
    };
    let same = again(&format!("{ROUTE}targets = [\"203.0.113.1\", \"both.example\"]\n")).unwrap();
    let targets = &same.config.routes[0].judging.targets;
    assert_eq!(targets[..], [target("203.0.113.1", "203.0.113.1"), target("both.example", "192.0.2.7")]);
    let new = "is new, and names are resolved only at startup; give its address, or restart faild";
    for (text, name) in [
        (format!("{ROUTE}targets = [\"localhost\"]\n"), "localhost"),
        // Known, but not for IPv6.
        (format!("{ROUTE6}targets = [\"both.example\"]\n"), "both.example"),
    ] {
        let faults = again(&text).unwrap_err().list;
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].to_string(), format!("f.toml: line 4: target {name} {new}"));
    }
}

#[test]
fn names_of_groups_are_kept_as_well() {
    let text = "[[group]]\nmembers = [{ interface = \"a\", test-address = \"192.0.2.1\" }]\ntargets = [\"both.example\"]\n";
    let running = load(text).unwrap().config;
    assert_eq!(running.groups[0].targets, [target("both.example", "192.0.2.7")]);
    let mut draft = Draft::from_text(Path::new("f.toml"), text);
    draft.keep_names(&running);
    assert_eq!(draft.finish().unwrap().config, running);
}

#[test]
fn the_system_knows_localhost() {
    assert!(ask_system("localhost").unwrap().iter().all(IpAddr::is_loopback));
}

fn load(text: &str) -> Result<Loaded, Faults> {
    let mut draft = Draft::from_text(Path::new("f.toml"), text);
    draft.names = Names::of_resolver(ask_table);
    draft.finish()
}

fn ask_table(name: &str) -> io::Result<Vec<IpAddr>> {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    match name {
        "both.example" => Ok(vec![address("2001:db8::7"), address("192.0.2.7"), address("192.0.2.8")]),
        "six.example" => Ok(vec![address("2001:db8::7")]),
        "here.example" => Ok(vec![address("127.0.0.1")]),
        _ if name.ends_with(".many.example") => {
            Ok(vec![address(&format!("192.0.2.{}", &name[1..2].parse::<u8>().unwrap() + 10))])
        }
        _ => Err(io::Error::other("name not known")),
    }
}

fn target(name: &str, address: &str) -> TargetConfig {
    TargetConfig { name: name.to_owned(), address: address.parse().unwrap() }
}
