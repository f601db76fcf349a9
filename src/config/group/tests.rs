use std::path::Path;

use super::*;
use crate::config::Loaded;

#[test]
fn what_goes_with_nothing_else_is_told_with_its_line() {
    for (rest, line, fault) in [
        (
            "members = [{ interface = \"a\" },\n{ interface = \"a\" }]",
            4,
            "interface a is listed twice in its group; remove one",
        ),
        (
            "members = [{ interface = \"a\" }]\n[[group]]\nmembers = [{ interface = \"a\" }]",
            5,
            "interface a is in two groups; remove it from one",
        ),
        (
            "members = [{ interface = \"a\" }]\n[[group]]\nname = \"lan0\"\nmembers = [{ interface = \"b\" }]",
            4,
            "group name lan0 is used twice; rename one",
        ),
        (
            "members = [{ interface = \"a\", standby = true }, { interface = \"b\", standby = true }]",
            1,
            "group lan0 has only standbys; set standby = false for at least one member",
        ),
        (
            "members = [{ interface = \"c\" }]\n[[group]]\nmembers = [{ interface = \"a\" },\n\
             { interface = \"b\", standby = true }]",
            6,
            "b is a standby in an anonymous group, where nothing takes over; name the group",
        ),
        (
            "members = [{ interface = \"a\", test-address = \"192.0.2.1\" }]\n[[group]]\n\
             members = [{ interface = \"b\", test-address = \"192.0.2.1\" }]",
            5,
            "test address 192.0.2.1 is used by both a and b; give each its own",
        ),
        (
            "members = [{ interface = \"a\", test-address = \"192.0.2.1\" }]\ntargets = [\"192.0.2.1\"]",
            4,
            "target 192.0.2.1 is the test address of a; use another host",
        ),
        (
            "members = [{ interface = \"a\" }]\ntargets = [\"192.0.2.1\"]",
            4,
            "target 192.0.2.1 is IPv4, but no member has a test address to probe it from; add test-address",
        ),
        (
            "members = [{ interface = \"a\", ipv6 = false }]\ntargets = [\"fe80::1\"]",
            4,
            "target fe80::1 is IPv6, but every member has ipv6 = false; use an IPv4 target",
        ),
        (
            "members = [{ interface = \"a\", test-address = \"fd00::1\" }]",
            3,
            "test-address = \"fd00::1\" is IPv6, where probes always use the link-local address; use an \
             IPv4 address, or remove it",
        ),
        (
            "members = [{ interface = \"a\" }]\ndetection-time = \"99ms\"",
            4,
            "detection-time = \"99ms\" is below 100ms; raise it, or remove the line to use 10s",
        ),
        (
            "members = [{ interface = \"a\", via = 1 }]",
            3,
            "unknown key via in members; it belongs in [route.next-hops]",
        ),
        ("members = []", 3, "members = [] is empty; list at least one interface"),
        (
            "",
            1,
            "[[group]] has no members; add members = [{ interface = \"eth0\" }, { interface = \"eth1\" }]",
        ),
    ] {
        let found = faults(&format!("[[group]]\nname = \"lan0\"\n{rest}\n"));
        assert_eq!(found, [format!("f.toml: line {line}: {fault}")], "{rest}");
    }
}

#[test]
fn a_member_is_neither_a_lan_nor_excluded_wherever_that_was_said() {
    let group = "[[group]]\nname = \"lan0\"\nmembers = [\n{ interface = \"a\" },\n{ interface = \"b\" }]\n";
    let file = draft(&format!("exclude = [\"b\"]\n{group}[[lan]]\ninterface = \"a\"\n"));
    let lan = "interface a is both a LAN and in a [[group]]; remove it from one of them";
    let excluded = "interface b is both excluded and in a [[group]]; remove it from one of them";
    assert_eq!(texts(file), [format!("f.toml: line 5: {lan}"), format!("f.toml: line 6: {excluded}")]);
    let mut flags = draft(group);
    flags.set_lans(&["a".to_owned(), "c".to_owned()]);
    flags.add_exclude(&["b".to_owned()]);
    assert_eq!(texts(flags), [format!("f.toml: line 4: {lan}"), format!("f.toml: line 5: {excluded}")]);
}

#[test]
fn anonymous_groups_may_be_many_and_named_ones_alone() {
    let text = "[[group]]\nmembers = [{ interface = \"a\" }]\n[[group]]\nmembers = [{ interface = \"b\" }]\n";
    let loaded = load(text);
    assert_eq!((loaded.config.groups.len(), loaded.warnings), (2, Vec::new()));
    let alone = load("[[group]]\nname = \"lan0\"\nmembers = [{ interface = \"a\" }]\n");
    let warning = "a is the only member of group lan0, so nothing can take over for it; add another";
    assert_eq!(alone.warnings, [warning]);
}

#[test]
fn targets_are_of_a_family_that_somebody_probes() {
    let text = "[[group]]\nname = \"lan0\"\ntargets = [\"192.0.2.9\", \"fe80::9\"]\n\
                members = [{ interface = \"a\", test-address = \"192.0.2.1\", ipv6 = false }, { interface = \"b\" }]\n";
    assert_eq!(load(text).config.groups[0].targets.len(), 2);
}

#[test]
fn there_are_sixteen_members_and_targets_and_thirty_two_groups_at_most() {
    let members = |count: usize| {
        let each = |n| format!("{{ interface = \"a{n}\", test-address = \"192.0.2.{}\" }}", n + 100);
        (0..count).map(each).collect::<Vec<_>>().join(", ")
    };
    let targets = |count| (1..=count).map(|n| format!("\"192.0.2.{n}\"")).collect::<Vec<_>>().join(", ");
    let group =
        |members: &str, targets: &str| format!("[[group]]\nmembers = [{members}]\ntargets = [{targets}]\n");
    assert_eq!(load(&group(&members(16), &targets(16))).config.groups[0].members.len(), 16);
    for text in [group(&members(17), ""), group(&members(1), &targets(17))] {
        let found = faults(&text);
        assert!(
            found.len() == 1 && found[0].contains("has more than 16 elements; remove some"),
            "{found:#?}"
        );
    }
    let groups = |count: usize| {
        (0..count).map(|n| format!("[[group]]\nmembers = [{{ interface = \"a{n}\" }}]\n")).collect::<String>()
    };
    assert_eq!(load(&groups(32)).config.groups.len(), 32);
    assert!(faults(&groups(33))[0].contains("has more than 32 elements"));
}

fn load(text: &str) -> Loaded {
    draft(text).finish().unwrap_or_else(|faults| panic!("{text}: {faults}"))
}

fn faults(text: &str) -> Vec<String> {
    texts(draft(text))
}

fn texts(draft: Draft) -> Vec<String> {
    draft.finish().unwrap_err().list.iter().map(ToString::to_string).collect()
}

fn draft(text: &str) -> Draft {
    Draft::from_text(Path::new("f.toml"), text)
}
