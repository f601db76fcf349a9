use std::path::Path;

use super::*;
use crate::config::Loaded;

#[test]
fn what_goes_with_nothing_else_is_told_with_its_line() {
    for (rest, line, fault) in [
        (
            "next-hops = [{ interface = \"a\", via = \"2001:db8::1\" }]",
            3,
            "next hop 2001:db8::1 is IPv6, but its destination 0.0.0.0/0 is IPv4; use an IPv4 address",
        ),
        (
            "next-hops = \"auto\"\ntargets = [\"2001:db8::53\"]",
            4,
            "target 2001:db8::53 is IPv6, but its destination 0.0.0.0/0 is IPv4; use an IPv4 address",
        ),
        (
            "next-hops = [\n{ interface = \"a\", via = \"192.0.2.1\" },\n]\ntargets = [\"192.0.2.1\"]",
            6,
            "target 192.0.2.1 is next hop 192.0.2.1 on a itself, which is checked by probe; use a host beyond it, or remove it",
        ),
        (
            "next-hops = [\n{ interface = \"a\", via = \"192.0.2.1\" },\n{ interface = \"a\", via = \"192.0.2.1\", rank = 9 }]",
            5,
            "next hop 192.0.2.1 on a is listed twice; remove one",
        ),
        (
            "next-hops = \"auto\"\ntargets = [\"192.0.2.53\"]\nneed = 2",
            1,
            "[[route]] has need = 2, more than the number of targets (1); lower need, or add targets",
        ),
        (
            "next-hops = \"auto\"\nprobe = []",
            1,
            "[[route]] probes nothing: probe is empty and there are no targets; set one of them",
        ),
        (
            "next-hops = [{ interface = \"a\", vai = 1 }]",
            3,
            "unknown key vai in next-hops; did you mean via?",
        ),
        ("next-hops = [{ via = \"192.0.2.1\" }]", 3, "next-hops has no interface; add interface = \"eth0\""),
        (
            "next-hops = [3]",
            3,
            "next-hops = 3 is a whole number, not a table in braces such as { interface = \"eth0\" }; fix it",
        ),
        ("next-hops = \"auto\"\nloss = { bda = 1 }", 4, "unknown key bda in loss; did you mean bad?"),
        ("", 1, "[[route]] has no next hops; add next-hops = \"auto\", or a list"),
    ] {
        let found = faults(&format!("[[route]]\ndestination = \"default\"\n{rest}\n"));
        assert!(found.contains(&format!("f.toml: line {line}: {fault}")), "{rest}: {found:#?}");
        // A table without its one needed key complains of that as well.
        assert!(found.len() == 1 || rest.contains("bda"), "{found:#?}");
    }
}

#[test]
fn a_slip_in_a_prefix_is_told_with_what_was_meant() {
    let text = "[[route]]\nnext-hops = \"auto\"\ndestination = \"10.1.2.3/8\"\n";
    let fault = "line 3: destination = \"10.1.2.3/8\" has host bits set; write 10.0.0.0/8";
    assert_eq!(faults(text), [format!("f.toml: {fault}")]);
}

#[test]
fn one_destination_may_be_in_two_tables_and_not_in_one_twice() {
    let section = |destination: &str, table: &str| {
        format!("[[route]]\ndestination = \"{destination}\"\ntable = {table}\nnext-hops = \"auto\"\n")
    };
    let good = section("default", "100") + &section("default", "\"main\"") + &section("default6", "254");
    assert_eq!(load(&good).config.routes.len(), 3);
    let twice = section("default", "\"main\"") + &section("0.0.0.0/0", "254");
    let fault =
        "line 5: [[route]] 0.0.0.0/0 in table 254 is listed twice; put all next hops into one section";
    assert_eq!(faults(&twice), [format!("f.toml: {fault}")]);
}

#[test]
fn link_local_next_hops_are_for_ipv6_and_no_targets() {
    let text =
        "[[route]]\ndestination = \"default6\"\nnext-hops = [{ interface = \"a\", via = \"fe80::1\" }]\n";
    let route = &load(text).config.routes[0];
    assert_eq!(route.next_hops.listed()[0].via, Some("fe80::1".parse().unwrap()));
    let fault =
        "line 4: target fe80::2 is a link-local address, which routers do not forward; use a global one";
    assert_eq!(faults(&format!("{text}targets = [\"fe80::2\"]\n")), [format!("f.toml: {fault}")]);
}

#[test]
fn one_router_may_be_reached_by_two_interfaces_and_two_by_one() {
    let text = "[[route]]\ndestination = \"default\"\nnext-hops = [{ interface = \"a\", via = \"192.0.2.1\" }, \
                { interface = \"b\", via = \"192.0.2.1\" }, { interface = \"a\", via = \"192.0.2.2\" }]\n";
    assert_eq!(load(text).config.routes[0].next_hops.listed().len(), 3);
}

#[test]
fn there_are_sixteen_hops_and_targets_and_sixty_four_routes_at_most() {
    let list =
        |count: usize, item: &dyn Fn(usize) -> String| (1..=count).map(item).collect::<Vec<_>>().join(", ");
    let hops = |count| list(count, &|n| format!("{{ interface = \"a{n}\" }}"));
    let targets = |count| list(count, &|n| format!("\"192.0.2.{n}\""));
    let route = |hops: &str, targets: &str| {
        format!("[[route]]\ndestination = \"default\"\nnext-hops = [{hops}]\ntargets = [{targets}]\n")
    };
    let ranks = load(&route(&hops(16), &targets(16))).config.routes.remove(0).next_hops;
    assert!(ranks.listed().iter().map(|hop| hop.rank).eq(1..=16));
    for text in [route(&hops(17), ""), route(&hops(1), &targets(17))] {
        let found = faults(&text);
        assert!(
            found.len() == 1 && found[0].contains("has more than 16 elements; remove some"),
            "{found:#?}"
        );
    }
    let routes = |count| {
        let each = |n| format!("[[route]]\ndestination = \"10.0.{n}.0/24\"\nnext-hops = \"auto\"\n");
        (0..count).map(each).collect::<String>()
    };
    assert_eq!(load(&routes(64)).config.routes.len(), 64);
    assert!(faults(&routes(65))[0].contains("has more than 64 elements"));
}

#[test]
fn every_fault_is_told_at_once() {
    let text = "[[route]]\ndestination = \"default\"\nnext-hops = [\n{ interface = \"a\", via = \"fe80::1\" },\n{ rank = 0 },\n]\n\
                need = \"most\"\ntargets = [\"x y\", \"2001:db8::1\"]\n[[route]]\ndestination = \"default\"\nnext-hops = \"auto\"\n";
    let lines: Vec<String> =
        faults(text).iter().filter_map(|f| f.split(": ").nth(1)).map(str::to_owned).collect();
    let expected = ["line 4", "line 5", "line 5", "line 7", "line 8", "line 8", "line 9"];
    assert_eq!(lines, expected, "{:#?}", faults(text));
}

#[test]
fn a_next_hop_without_targets_is_a_warning() {
    let text = "[[route]]\ndestination = \"default\"\nnext-hops = [{ interface = \"ppp0\" }]\n";
    let expected = "next hop ppp0 of [[route]] 0.0.0.0/0 has no via and no targets, so only its carrier is \
                    monitored; add targets";
    assert_eq!(load(text).warnings, [expected]);
    assert_eq!(load(&format!("{text}targets = [\"192.0.2.53\"]\n")).warnings, Vec::<String>::new());
}

#[test]
fn next_hops_that_are_only_probed_as_peers_are_on_lans() {
    let route = "[[route]]\ndestination = \"default\"\nnext-hops = [\n{ interface = \"a\" },\n{ interface = \"b\" }]\n\
                 targets = [\"192.0.2.53\"]\n";
    let only = format!("{route}probe = [\"inq\"]\n[[lan]]\ninterface = \"a\"\n");
    let fault = "line 5: next hop on b is probed by INQ only, but b is not a LAN; add a [[lan]] for it, or another probe";
    assert_eq!(faults(&only), [format!("f.toml: {fault}")]);
    load(&format!("{only}[[lan]]\ninterface = \"b\"\n"));
    load(&format!("{route}probe = [\"inq\", \"arp\"]\n"));
    let mut flags = draft(&format!("{only}[[lan]]\ninterface = \"b\"\n"));
    flags.set_lans(&["a".to_owned(), "c".to_owned()]);
    assert_eq!(flags.finish().unwrap_err().list.len(), 1);
}

#[test]
fn a_next_hop_on_a_member_of_a_group_is_a_warning() {
    let route =
        "[[route]]\ndestination = \"default\"\nnext-hops = [{ interface = \"a\", via = \"192.0.2.1\" }]\n";
    let named = format!(
        "{route}[[group]]\nname = \"g\"\nmembers = [{{ interface = \"a\" }}, {{ interface = \"b\" }}]\n"
    );
    let expected = "next hop 192.0.2.1 on a of [[route]] 0.0.0.0/0 uses a member of a [[group]] and fails with it; leave \
                    the subnet's routes to the group, or add a next hop on each member";
    assert_eq!(load(&named).warnings, [expected]);
    let both =
        named.replace("\" }]\n[[group]]", "\" }, { interface = \"b\", via = \"192.0.2.1\" }]\n[[group]]");
    assert_ne!(both, named);
    assert_eq!(load(&both).warnings, Vec::<String>::new());
    let anonymous = format!("{route}[[group]]\nmembers = [{{ interface = \"a\" }}]\n");
    assert_eq!(load(&anonymous).warnings, Vec::<String>::new());
}

fn load(text: &str) -> Loaded {
    draft(text).finish().unwrap_or_else(|faults| panic!("{text}: {faults}"))
}

fn faults(text: &str) -> Vec<String> {
    draft(text).finish().unwrap_err().list.iter().map(ToString::to_string).collect()
}

fn draft(text: &str) -> Draft {
    Draft::from_text(Path::new("f.toml"), text)
}
