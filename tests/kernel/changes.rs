//! Batches, refusals, addresses and neighbours.

use std::net::IpAddr;

use faild::interface::{InterfaceAddress, InterfaceIndex};
use faild::kernel::{Kernel, Netlink};
use faild::operation::{Operation, Refusal};
use faild::route::{MAIN_TABLE, Route};
use ipnet::IpNet;
use nix::libc;

use crate::world::{World, add, address, in_world, ip};

#[test]
fn refusals_bear_the_kernels_words() {
    in_world(|world| {
        let good = world.route("10.80.0.0/24", "10.2.0.2", "lanB");
        world.apply(add(&good)).unwrap();
        assert_eq!(world.apply(add(&good)).unwrap_err().errno, libc::EEXIST);
        let unreachable = world.route("10.80.1.0/24", "192.0.2.1", "lanB");
        let refusal = Refusal { errno: libc::ENETUNREACH, text: "Nexthop has invalid gateway".to_owned() };
        assert_eq!(world.apply(add(&unreachable)), Err(refusal));
        let mut foreign_source = world.route("10.80.2.0/24", "10.2.0.2", "lanB");
        foreign_source.source = Some("192.0.2.2".parse().unwrap());
        assert_eq!(world.apply(add(&foreign_source)).unwrap_err().errno, libc::EINVAL);
        world.apply(Operation::DeleteRoute(good.clone())).unwrap();
        let refusal = Refusal { errno: libc::ESRCH, text: "No such process".to_owned() };
        assert_eq!(world.apply(Operation::DeleteRoute(good)), Err(refusal));
    });
}

#[test]
fn results_stand_where_their_operations_stand() {
    in_world(|world| {
        let mut routes: Vec<Route> =
            (0..150).map(|n| world.route(&format!("10.81.{n}.0/24"), "10.2.0.2", "lanB")).collect();
        for bad in [0, 33, 63, 64, 149] {
            routes[bad].legs[0].gateway = Some("192.0.2.1".parse().unwrap());
        }
        routes[40].encapsulated = true;
        let operations: Vec<Operation> = routes.iter().map(add).collect();
        let results = world.kernel.apply(&operations);
        let refused: Vec<(usize, i32)> =
            results.iter().enumerate().filter_map(|(n, r)| Some((n, r.as_ref().err()?.errno))).collect();
        let unreachable = libc::ENETUNREACH;
        let expected = [
            (0, unreachable),
            (33, unreachable),
            (40, libc::EOPNOTSUPP),
            (63, unreachable),
            (64, unreachable),
        ];
        assert_eq!(refused[..5], expected);
        assert_eq!(refused[5..], [(149, unreachable)]);
        assert_eq!(world.kernel.own_routes().unwrap().len(), 144);
        assert!(world.kernel.apply(&[]).is_empty());
    });
}

#[test]
fn ten_thousand_routes_are_added_listed_and_deleted() {
    in_world(|world| {
        let pattern = world.route("10.0.0.0/32", "10.2.0.2", "lanB");
        let routes: Vec<Route> = (0..10_000_u32)
            .map(|n| {
                let mut route = pattern.clone();
                let host = IpAddr::from((0x0b00_0000 + n).to_be_bytes());
                route.key.destination = ipnet::IpNet::from(host);
                route
            })
            .collect();
        let adds: Vec<Operation> = routes.iter().map(add).collect();
        assert!(world.kernel.apply(&adds).iter().all(Result::is_ok));
        assert_eq!(world.kernel.own_routes().unwrap().len(), 10_000);
        let lan = world.index("lanB");
        assert!(world.kernel.routes_over(&[lan], &[MAIN_TABLE]).unwrap().len() >= 10_000);
        let deletes: Vec<Operation> = routes.into_iter().map(Operation::DeleteRoute).collect();
        assert!(world.kernel.apply(&deletes).iter().all(Result::is_ok));
        assert!(world.kernel.own_routes().unwrap().is_empty());
        assert_eq!(world.kernel.malformed(), 0);
    });
}

#[test]
fn lost_answers_make_the_outcome_unknown() {
    in_world(|world| {
        let mut unreachable = world.route("10.82.0.0/24", "192.0.2.1", "lanB");
        unreachable.key.metric = 1;
        let mut small = Netlink::open(0).unwrap();
        let port = small.port();
        let results = small.apply(&vec![add(&unreachable); 64]);
        assert_eq!(results.len(), 64);
        assert!(results.iter().all(Result::is_err));
        assert!(results.iter().flat_map(|r| r.as_ref().err()).any(Refusal::is_unknown), "{results:?}");
        // The socket was opened anew under its number, and what comes after is not taken for what was.
        assert_eq!(small.port(), port);
        let good = world.route("10.82.1.0/24", "10.2.0.2", "lanB");
        assert_eq!(small.apply(&[add(&good)]), [Ok(())]);
        assert_eq!(small.apply(&[add(&good)])[0].as_ref().unwrap_err().errno, libc::EEXIST);
    });
}

#[test]
fn ipv6_address_waits_on_the_loopback_and_works_at_once() {
    in_world(|world| {
        let interface = world.index("lo");
        let operation = || Operation::AddAddress { interface, address: address("fd00:1::5/128") };
        world.apply(operation()).unwrap();
        let lo = world.interface("lo");
        let found = lo.addresses.iter().find(|a| a.address() == address("fd00:1::5/128").address()).unwrap();
        assert_eq!(*found, address("fd00:1::5/128"));
        assert!(ip("-6 addr show lo").contains("nodad"));
        assert_eq!(world.apply(operation()).unwrap_err().errno, libc::EEXIST);
        let delete = || Operation::DeleteAddress { interface, address: address("fd00:1::5/128") };
        world.apply(delete()).unwrap();
        assert_eq!(world.apply(delete()).unwrap_err().errno, libc::EADDRNOTAVAIL);
    });
}

#[test]
fn ipv4_address_keeps_scope_broadcast_and_flags() {
    in_world(|world| {
        let interface = world.index("lanB");
        let mut wanted = address("10.83.0.7/24");
        wanted.scope = 253;
        wanted.no_prefix_route = true;
        wanted.broadcast = Some("10.83.0.255".parse().unwrap());
        world.apply(Operation::AddAddress { interface, address: wanted.clone() }).unwrap();
        // The same address with another length is another one.
        let other = address("10.83.0.7/32");
        world.apply(Operation::AddAddress { interface, address: other.clone() }).unwrap();
        assert!(world.interface("lanB").addresses.contains(&wanted));
        assert!(!ip("route show 10.83.0.0/24").contains("lanB"));
        world.apply(Operation::DeleteAddress { interface, address: other }).unwrap();
        assert!(world.interface("lanB").addresses.contains(&wanted));
        world.apply(Operation::DeleteAddress { interface, address: wanted }).unwrap();
        assert!(!ip("addr show lanB").contains("10.83"));
    });
}

/// What is read of an address, and added again after somebody has flushed it, is the same address.
#[test]
fn an_address_that_is_added_again_is_as_it_was() {
    in_world(|world| {
        let interface = world.index("lanB");
        ip("addr add 10.84.0.1 peer 10.84.0.2/32 dev lanB label lanB:x metric 77");
        ip("addr add 10.85.0.1/24 brd 10.85.0.255 dev lanB label lanB:y metric 78 noprefixroute");
        ip("addr add fd00:84::1/64 dev lanB preferred_lft 0 metric 79 mngtmpaddr home nodad");
        ip("addr add fd00:85::1 peer fd00:85::2/64 dev lanB nodad");
        let routes = || ["route show dev lanB", "-6 route show dev lanB"].map(ip).concat();
        let listed = |world: &mut World, prefix: &str| {
            let own: IpNet = prefix.parse().unwrap();
            let all = world.interface("lanB").addresses;
            all.iter().find(|a| a.prefix == own).unwrap_or_else(|| panic!("no {prefix}: {all:?}")).clone()
        };
        let before = routes();
        let texts = ["10.84.0.1/32", "10.85.0.1/24", "fd00:84::1/64", "fd00:85::1/64"];
        let was = texts.map(|text| listed(world, text));
        assert_eq!(was.each_ref().map(|a| a.metric), [77, 78, 79, 0]);
        let labels = was.each_ref().map(|a| a.label.as_deref());
        assert_eq!(labels, [Some("lanB:x"), Some("lanB:y"), None, None]);
        for address in &was {
            world.apply(Operation::DeleteAddress { interface, address: address.clone() }).unwrap();
        }
        assert!(!ip("addr show lanB").contains("fd00:8"), "{}", ip("addr show lanB"));
        for address in &was {
            world.apply(Operation::AddAddress { interface, address: address.clone() }).unwrap();
        }
        assert_eq!(texts.map(|text| listed(world, text)), was);
        assert_eq!(routes(), before);
    });
}

#[test]
fn test_address_bears_its_mark_and_makes_no_route() {
    in_world(|world| {
        let interface = world.index("lanB");
        let test = InterfaceAddress { scope: 253, no_prefix_route: true, ..address("10.2.0.77/32") };
        world.apply(Operation::AddAddress { interface, address: test.clone() }).unwrap();
        assert!(world.interface("lanB").addresses.contains(&test), "{:?}", world.interface("lanB").addresses);
        ip("addr del 10.2.0.1/24 dev lanB");
        ip("route add 192.0.2.0/24 via 10.2.0.2 dev lanB onlink");
        assert!(
            !ip("route get 192.0.2.1 oif lanB").contains("10.2.0.77"),
            "no source for what goes anywhere"
        );
        world.apply(Operation::DeleteAddress { interface, address: test }).unwrap();
        assert!(!ip("addr show lanB").contains("10.2.0.77"));
    });
}

#[test]
fn link_that_is_down_is_set_up_and_nothing_else_of_it_changes() {
    in_world(|world| {
        ip("link set lanB down");
        ip("link set lanB arp off");
        let interface = world.index("lanB");
        world.apply(Operation::SetUp(interface)).unwrap();
        assert!(world.interface("lanB").up);
        assert!(ip("link show lanB").contains("NOARP"));
        world.apply(Operation::SetUp(interface)).unwrap();
        assert_eq!(world.apply(Operation::SetUp(InterfaceIndex(4711))).unwrap_err().errno, libc::ENODEV);
    });
}

#[test]
fn learned_neighbours_go_and_permanent_ones_stay() {
    in_world(|world| {
        ip("neigh add 10.1.0.2 lladdr 02:00:00:00:00:02 nud reachable dev lanA");
        ip("neigh add 10.1.0.3 lladdr 02:00:00:00:00:03 nud permanent dev lanA");
        ip("-6 neigh add fd00:1::2 lladdr 02:00:00:00:00:02 nud stale dev lanA");
        let lan = world.index("lanA");
        let asked = ["10.1.0.2", "10.1.0.3", "10.1.0.4", "fd00:1::2", "fd00:1::9"];
        let mut operations: Vec<Operation> = asked.iter().map(|text| delete_neighbour(lan, text)).collect();
        operations.push(delete_neighbour(InterfaceIndex(4711), "10.1.0.2"));
        assert!(world.kernel.apply(&operations).iter().all(Result::is_ok));
        let left = neighbours(world);
        assert_eq!(left, ["10.1.0.3"]);
    });
}

fn delete_neighbour(interface: InterfaceIndex, text: &str) -> Operation {
    Operation::DeleteNeighbour { interface, address: text.parse().unwrap() }
}

fn neighbours(_: &World) -> Vec<String> {
    let text = ip("neigh show dev lanA");
    let known = text.lines().filter(|line| line.contains("lladdr") && !line.contains("fe80"));
    known.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}
