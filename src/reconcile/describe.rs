//! An operation as the command of iproute2 that does the same: for the log, `--dry-run`, and people who want to undo.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::interface::{Family, InterfaceAddress, InterfaceIndex, KEPT_ADDRESS_FLAGS};
use crate::operation::{Operation, Place};
use crate::route::{Leg, MAIN_TABLE, ONLINK, Route};
use crate::words::shell_word;

/// The command line, for a shell; `names` tells an interface's name, whatever is in it. Attributes that only a template holds (metrics, realms) are
/// not shown: nobody decides by them.
pub fn describe(operation: &Operation, names: &dyn Fn(InterfaceIndex) -> String) -> String {
    let names: &dyn Fn(InterfaceIndex) -> String = &|index| shell_word(&names(index)).into_owned();
    match operation {
        Operation::AddRoute { route, place: Place::Alone } => add_route("add", route, names),
        Operation::AddRoute { route, place: Place::Before } => add_route("prepend", route, names),
        Operation::AddRoute { route, place: Place::Behind } => add_route("append", route, names),
        Operation::DeleteRoute(route) => delete_route(route, names),
        Operation::AddAddress { interface, address } => add_address(address, &names(*interface)),
        Operation::DeleteAddress { interface, address } => {
            format!("{} addr del {} dev {}", ip(&address.prefix), address.prefix, names(*interface))
        }
        Operation::SetUp(interface) => format!("ip link set {} up", names(*interface)),
        Operation::DeleteNeighbour { interface, address } => {
            format!("{} neigh del {address} dev {}", ip_of(Family::of(address)), names(*interface))
        }
    }
}

fn add_route(verb: &str, route: &Route, names: &dyn Fn(InterfaceIndex) -> String) -> String {
    let mut words = key(verb, route);
    if let [only] = route.legs.as_slice() {
        words.extend(hop(route, only, names));
    }
    words.push(format!("proto {}", route.protocol));
    words.extend(scope(route.scope));
    words.extend(route.source.map(|source| format!("src {source}")));
    words.extend(metric(route));
    if route.flags & ONLINK != 0 {
        words.push("onlink".to_owned());
    }
    words.extend(nexthops(route, names));
    words.join(" ")
}

fn delete_route(route: &Route, names: &dyn Fn(InterfaceIndex) -> String) -> String {
    let mut words = key("del", route);
    match (route.nexthop_id, route.legs.as_slice()) {
        (Some(id), _) => words.push(format!("nhid {id}")),
        (None, [only]) => words.extend(hop(route, only, names)),
        (None, _) => {}
    }
    words.push(format!("proto {}", route.protocol));
    if route.key.destination.addr().is_ipv4() {
        words.extend(route.source.map(|source| format!("src {source}")));
    }
    words.extend(metric(route));
    if route.nexthop_id.is_none() {
        words.extend(nexthops(route, names));
    }
    words.join(" ")
}

fn add_address(address: &InterfaceAddress, interface: &str) -> String {
    let mut words = vec![format!("{} addr add {}", ip(&address.prefix), address.prefix)];
    words.extend(address.peer.map(|_| format!("peer {}", address.network())));
    words.extend(address.broadcast.map(|broadcast| format!("broadcast {broadcast}")));
    words.push(format!("dev {interface}"));
    words.extend(address.label.as_deref().map(|label| format!("label {}", shell_word(label))));
    words.extend(scope(address.scope));
    words.extend((address.metric != 0).then(|| format!("metric {}", address.metric)));
    if address.protocol != 0 {
        words.push(format!("proto {}", address.protocol));
    }
    if address.prefix.addr().is_ipv6() {
        words.push("nodad".to_owned());
    }
    if address.no_prefix_route {
        words.push("noprefixroute".to_owned());
    }
    let kept = KEPT_ADDRESS_FLAGS.iter().filter(|(flag, _)| address.flags & flag != 0);
    words.extend(kept.map(|(_, word)| (*word).to_owned()));
    if address.deprecated {
        words.push("preferred_lft 0".to_owned());
    }
    words.join(" ")
}

/// `ip route VERB DESTINATION`, with type of service and table if they are not the usual ones.
fn key(verb: &str, route: &Route) -> Vec<String> {
    let destination = match route.key.destination.prefix_len() {
        0 => "default".to_owned(),
        _ => route.key.destination.trunc().to_string(),
    };
    let mut words = vec![format!("{} route {verb} {destination}", ip(&route.key.destination))];
    if route.key.tos != 0 {
        words.push(format!("tos {:#04x}", route.key.tos));
    }
    if route.key.table != MAIN_TABLE {
        words.push(format!("table {}", route.key.table));
    }
    words
}

fn hop(route: &Route, leg: &Leg, names: &dyn Fn(InterfaceIndex) -> String) -> Vec<String> {
    let family = Family::of(&route.key.destination.addr());
    let via = |gateway: IpAddr| match Family::of(&gateway) == family {
        true => format!("via {gateway}"),
        false => format!("via inet6 {gateway}"),
    };
    leg.gateway.map(via).into_iter().chain([format!("dev {}", names(leg.interface))]).collect()
}

fn nexthops(route: &Route, names: &dyn Fn(InterfaceIndex) -> String) -> Vec<String> {
    match route.legs.as_slice() {
        [] | [_] => Vec::new(),
        legs => legs.iter().map(|leg| nexthop(route, leg, names)).collect(),
    }
}

fn nexthop(route: &Route, leg: &Leg, names: &dyn Fn(InterfaceIndex) -> String) -> String {
    let weight = if leg.weight == 1 { String::new() } else { format!(" weight {}", leg.weight) };
    format!("nexthop {}{weight}", hop(route, leg, names).join(" "))
}

fn metric(route: &Route) -> Option<String> {
    (route.key.metric != 0).then(|| format!("metric {}", route.key.metric))
}

fn scope(scope: u8) -> Option<String> {
    match scope {
        0 => None,
        253 => Some("scope link".to_owned()),
        254 => Some("scope host".to_owned()),
        other => Some(format!("scope {other}")),
    }
}

fn ip(prefix: &IpNet) -> &'static str {
    ip_of(Family::of(&prefix.addr()))
}

fn ip_of(family: Family) -> &'static str {
    match family {
        Family::V4 => "ip",
        Family::V6 => "ip -6",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::RouteKey;

    #[test]
    fn host_overlay_reads_as_it_would_be_typed() {
        let mut route = route("10.1.1.2/32", &[("10.2.2.2", 2)]);
        route.source = Some("10.1.1.1".parse().unwrap());
        route.key.metric = 5;
        let text = "ip route add 10.1.1.2/32 via 10.2.2.2 dev if2 proto 250 src 10.1.1.1 metric 5";
        assert_eq!(text_of(&Operation::AddRoute { route, place: Place::Alone }), text);
    }

    #[test]
    fn default_route_in_another_table_is_prepended() {
        let mut route = route("0.0.0.0/0", &[("fe80::1", 2)]);
        (route.key.table, route.key.tos, route.flags) = (100, 0x10, ONLINK);
        let text = "ip route prepend default tos 0x10 table 100 via inet6 fe80::1 dev if2 proto 250 onlink";
        assert_eq!(text_of(&Operation::AddRoute { route, place: Place::Before }), text);
    }

    #[test]
    fn multipath_route_names_each_hop() {
        let mut route = route("fd00:1::/64", &[("fe80::1", 1), ("fe80::2", 2)]);
        route.legs[1].weight = 3;
        let text = "ip -6 route del fd00:1::/64 proto 250 nexthop via fe80::1 dev if1 nexthop via fe80::2 dev if2 weight 3";
        assert_eq!(text_of(&Operation::DeleteRoute(route)), text);
    }

    #[test]
    fn addresses_and_neighbours() {
        let address =
            InterfaceAddress { protocol: 250, ..InterfaceAddress::new("fd00::1/128".parse().unwrap()) };
        let interface = InterfaceIndex(1);
        let add = Operation::AddAddress { interface, address: address.clone() };
        assert_eq!(text_of(&add), "ip -6 addr add fd00::1/128 dev if1 proto 250 nodad");
        let delete = Operation::DeleteAddress { interface, address };
        assert_eq!(text_of(&delete), "ip -6 addr del fd00::1/128 dev if1");
        let neighbour = Operation::DeleteNeighbour { interface, address: "10.1.1.2".parse().unwrap() };
        assert_eq!(text_of(&neighbour), "ip neigh del 10.1.1.2 dev if1");
    }

    #[test]
    fn all_that_an_address_has() {
        let address = InterfaceAddress {
            peer: Some("10.0.0.2".parse().unwrap()),
            metric: 77,
            label: Some("eth0:my db".to_owned()),
            ..InterfaceAddress::new("10.0.0.1/24".parse().unwrap())
        };
        let add = Operation::AddAddress { interface: InterfaceIndex(1), address };
        assert_eq!(
            text_of(&add),
            "ip addr add 10.0.0.1/24 peer 10.0.0.2/24 dev if1 label 'eth0:my db' metric 77"
        );
        let address = InterfaceAddress {
            deprecated: true,
            flags: 0x100,
            ..InterfaceAddress::new("fd00::1/64".parse().unwrap())
        };
        let add = Operation::AddAddress { interface: InterfaceIndex(1), address };
        assert_eq!(text_of(&add), "ip -6 addr add fd00::1/64 dev if1 nodad mngtmpaddr preferred_lft 0");
    }

    #[test]
    fn test_addresses_and_links() {
        let address = InterfaceAddress {
            protocol: 250,
            scope: 253,
            no_prefix_route: true,
            ..InterfaceAddress::new("10.0.0.77/32".parse().unwrap())
        };
        let interface = InterfaceIndex(1);
        let add = Operation::AddAddress { interface, address };
        assert_eq!(text_of(&add), "ip addr add 10.0.0.77/32 dev if1 scope link proto 250 noprefixroute");
        assert_eq!(text_of(&Operation::SetUp(interface)), "ip link set if1 up");
    }

    #[test]
    fn a_name_is_no_command_of_a_shell() {
        let up = |name: &str| describe(&Operation::SetUp(InterfaceIndex(1)), &|_| name.to_owned());
        assert_eq!(up("$(reboot)"), "ip link set '$(reboot)' up");
        assert_eq!(up("a;b"), "ip link set 'a;b' up");
        let route = route("10.1.1.2/32", &[("10.2.2.2", 2)]);
        let text = describe(&Operation::DeleteRoute(route), &|_| "a\"b".to_owned());
        assert_eq!(text, "ip route del 10.1.1.2/32 via 10.2.2.2 dev $'a\\042b' proto 250");
    }

    fn text_of(operation: &Operation) -> String {
        describe(operation, &|index| format!("if{index}"))
    }

    fn route(destination: &str, legs: &[(&str, u32)]) -> Route {
        let leg = |(gateway, interface): &(&str, u32)| Leg {
            gateway: Some(gateway.parse().unwrap()),
            interface: InterfaceIndex(*interface),
            weight: 1,
        };
        Route {
            kind: crate::route::RouteType::Unicast,
            key: RouteKey { table: MAIN_TABLE, destination: destination.parse().unwrap(), tos: 0, metric: 0 },
            protocol: 250,
            scope: 0,
            source: None,
            legs: legs.iter().map(leg).collect(),
            nexthop_id: None,
            encapsulated: false,
            linkdown: false,
            attributes: Vec::new(),
            flags: 0,
        }
    }
}
