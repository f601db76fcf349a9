//! Listing routes, and emitting them again with nothing lost.

use faild::kernel::{DryRun, Kernel};
use faild::operation::{Operation, Place};
use faild::route::{Leg, MAIN_TABLE, PROTOCOL, Route, RouteType};

use crate::world::{World, add, in_world, ip, route};

#[test]
fn routes_over_an_interface_include_second_legs_and_come_once() {
    in_world(|world| {
        ip("route add 10.50.0.0/24 nexthop via 10.1.0.2 dev lanA nexthop via 10.2.0.2 dev lanB");
        ip("-6 route add fd50::/64 nexthop via fd00:1::2 dev lanA nexthop via fd00:2::2 dev lanB");
        ip("route add 10.51.0.0/24 via 10.1.0.2 dev lanA");
        ip("route add 10.52.0.0/24 via 10.2.0.2 dev lanB table 100");
        let boot = 3;
        let over_b = destinations(&world.routes_over("lanB", boot));
        assert_eq!(over_b, ["10.50.0.0/24", "fd50::/64"]);
        let both = [world.index("lanA"), world.index("lanB")];
        let mut all = world.kernel.routes_over(&both, &[MAIN_TABLE]).unwrap();
        all.retain(|route| route.protocol == boot);
        assert_eq!(destinations(&all), ["10.50.0.0/24", "10.51.0.0/24", "fd50::/64"]);
        assert!(
            all.iter()
                .all(|r| r.legs.len() == if r.key.destination.to_string().contains("50") { 2 } else { 1 })
        );
        assert!(
            world
                .kernel
                .routes_over(&[faild::interface::InterfaceIndex(4711)], &[MAIN_TABLE])
                .unwrap()
                .is_empty()
        );
    });
}

#[test]
fn routes_that_refuse_packets_are_listed_whatever_interface_is_asked_for() {
    in_world(|world| {
        for (kind, number) in
            [("blackhole", 1), ("unreachable", 2), ("prohibit", 3), ("throw", 4), ("local", 5)]
        {
            let dev = if kind == "local" { "dev lo table main" } else { "" };
            ip(&format!("route add {kind} 10.53.{number}.0/24 {dev} metric 99"));
            if kind != "local" {
                ip(&format!("-6 route add {kind} fd53:{number}::/64 metric 99"));
            }
        }
        for (number, dev) in [(5, "lo"), (6, "lanA"), (7, "lanB")] {
            ip(&format!("-6 route add local fd53:{number}::/64 dev {dev} table main metric 99"));
        }
        ip("route add prohibit 10.54.0.0/24 table 100");
        ip("route append 10.53.3.0/24 via 10.1.0.2 metric 99");
        let lan = world.index("lanA");
        let mut found = world.kernel.routes_over(&[lan], &[MAIN_TABLE]).unwrap();
        found.retain(|route| route.key.metric == 99);
        let refusing = found.iter().filter(|route| !route.is_unicast());
        let words: Vec<_> = refusing.map(|route| (route.kind.word().unwrap(), route.legs.len())).collect();
        assert_eq!(words.len(), 12, "{words:?}");
        assert!(words.iter().all(|(_, legs)| *legs == 0));
        // Equal keys come in the kernel's order.
        let equal: Vec<&Route> =
            found.iter().filter(|r| r.key.destination == "10.53.3.0/24".parse().unwrap()).collect();
        assert_eq!((equal.len(), equal[0].kind), (2, RouteType::Prohibit));
        let at = world.kernel.routes_at(&equal[0].key).unwrap();
        assert_eq!((at.len(), at[0].kind), (2, RouteType::Prohibit));
    });
}

#[test]
fn routes_of_the_tables_asked_for_are_listed_and_absent_tables_have_none() {
    in_world(|world| {
        ip("route add 10.51.0.0/24 via 10.1.0.2 dev lanA");
        ip("route add 10.52.0.0/24 via 10.1.0.2 dev lanA table 100");
        ip("-6 route add fd52::/64 via fd00:1::2 dev lanA table 5000");
        let lan = world.index("lanA");
        let mut found = world.kernel.routes_over(&[lan], &[100, 5000, 4711]).unwrap();
        found.retain(|route| route.protocol == 3);
        assert_eq!(destinations(&found), ["10.52.0.0/24", "fd52::/64"]);
    });
}

#[test]
fn weights_of_legs_are_set_and_shown_and_deletes_do_not_look_at_them() {
    in_world(|world| {
        for (prefix, via_a, via_b) in
            [("10.54.0.0/24", "10.1.0.2", "10.2.0.2"), ("fd54::/64", "fd00:1::2", "fd00:2::2")]
        {
            let mut wanted = world.route(prefix, via_a, "lanA");
            let other = world.route(prefix, via_b, "lanB").legs.remove(0);
            wanted.legs[0].weight = 3;
            wanted.legs.push(Leg { weight: 256, ..other });
            wanted.key.table = 100;
            world.apply(add(&wanted)).unwrap();
            let own = world.kernel.own_routes().unwrap();
            assert!(own.iter().any(|r| r.legs == wanted.legs && r.key == wanted.key), "{own:?}");
            let shown = ip(&format!("{}route show table 100 {prefix}", family_flag(prefix)));
            assert!(shown.contains("weight 3") && shown.contains("weight 256"), "{shown}");
            world.apply(Operation::DeleteRoute(wanted)).unwrap();
        }
        assert!(world.kernel.own_routes().unwrap().is_empty());
        let mut wanted = world.route("10.54.0.0/24", "10.1.0.2", "lanA");
        let other = world.route("10.54.0.0/24", "10.2.0.2", "lanB").legs.remove(0);
        wanted.legs[0].weight = 3;
        wanted.legs.push(Leg { weight: 2, ..other });
        world.apply(add(&wanted)).unwrap();
        let mut twin = wanted.clone();
        (twin.legs[0].weight, twin.legs[1].weight) = (2, 3);
        world.apply(Operation::DeleteRoute(twin)).unwrap();
        assert!(
            world.kernel.own_routes().unwrap().is_empty(),
            "a delete does not look at weights (Linux 6.18)"
        );
    });
}

#[test]
fn own_routes_are_those_of_all_tables_and_both_families() {
    in_world(|world| {
        ip("route add 10.60.0.0/24 via 10.1.0.2 proto 250");
        ip("route add 10.60.0.0/24 via 10.1.0.2 proto 250 table 5000");
        ip("-6 route add fd60::/64 via fd00:1::2 proto 250");
        ip("route add 10.61.0.0/24 via 10.1.0.2 proto 251");
        let own = world.kernel.own_routes().unwrap();
        let found: Vec<(u32, String)> =
            own.iter().map(|r| (r.key.table, r.key.destination.to_string())).collect();
        let expected = [(254, "10.60.0.0/24"), (5000, "10.60.0.0/24"), (254, "fd60::/64")];
        let mut found_sorted = found.clone();
        found_sorted.sort();
        let mut expected = expected.map(|(table, text)| (table, text.to_owned()));
        expected.sort();
        assert_eq!(found_sorted, expected);
    });
}

#[test]
fn no_routes_at_all_is_an_empty_list() {
    in_world(|world| assert!(world.kernel.own_routes().unwrap().is_empty()));
}

/// What `ip route` can set, without encapsulation.
const IPV4: [&str; 14] = [
    "10.70.0.0/24 via 10.1.0.2 dev lanA",
    "10.70.1.0/24 via 10.1.0.2 dev lanA metric 7 src 10.1.0.1",
    "10.70.2.0/24 via 10.1.0.2 dev lanA tos 0x10",
    "10.70.3.0/24 via 10.1.0.2 dev lanA mtu lock 1400 window 4000 rtt 30ms initcwnd 20 hoplimit 9 quickack 1",
    "10.70.4.0/24 via 10.1.0.2 dev lanA congctl lock cubic",
    "10.70.5.0/24 dev lanA scope link",
    "10.70.6.0/24 via 192.0.2.9 dev lanA onlink",
    "10.70.7.0/24 via 10.1.0.2 dev lanA realms 3/4",
    "10.70.8.0/24 nexthop via 10.1.0.2 dev lanA weight 3 nexthop via 10.2.0.2 dev lanB weight 9",
    "10.70.9.0/24 nexthop via 192.0.2.8 dev lanA onlink realms 7 nexthop dev lanB weight 2",
    "10.70.10.0/24 via inet6 fe80::77 dev lanA",
    "10.70.11.0/24 nexthop via inet6 fe80::77 dev lanA nexthop via 10.2.0.2 dev lanB",
    "10.70.12.0/24 via 10.1.0.2 dev lanA table 3000 metric 4000000000",
    "default via 10.1.0.2 dev lanA metric 100",
];

const IPV6: [&str; 9] = [
    "fd70::/64 via fd00:1::2 dev lanA",
    "fd70:1::/64 via fe80::2 dev lanA metric 7 src fd00:1::1",
    "fd70:2::/64 via fd00:1::2 dev lanA pref high",
    "fd70:3::/64 via fd00:1::2 dev lanA mtu lock 1400 hoplimit 9",
    "fd70:4::/64 dev lanA",
    "fd70:5::/64 via fd99::9 dev lanA onlink",
    "fd70:6::/64 nexthop via fd00:1::2 dev lanA weight 3 nexthop via fe80::9 dev lanB weight 9",
    "fd70:7::/64 via fd00:1::2 dev lanA table 3000",
    "default via fe80::2 dev lanA metric 100",
];

#[test]
fn each_kind_of_route_is_deleted_and_added_again_without_loss() {
    in_world(|world| {
        for text in IPV4.iter().chain(&IPV6) {
            let (destination, way) = text.split_once(' ').unwrap();
            ip(&format!("{}route add {destination} proto {PROTOCOL} {way}", family_flag(text)));
        }
        let own = world.kernel.own_routes().unwrap();
        assert_eq!(own.len(), IPV4.len() + IPV6.len());
        for route in &own {
            let before = everything();
            world.apply(Operation::DeleteRoute(route.clone())).unwrap();
            let without = everything();
            assert_eq!(without.len() + lines_of(route), before.len(), "{route:?}");
            world.apply(add(route)).unwrap_or_else(|refusal| panic!("{refusal}: {route:?}"));
            assert_eq!(everything(), before, "{route:?}");
        }
    });
}

#[test]
fn deleting_spares_the_neighbours_of_a_route() {
    in_world(|world| {
        ip("route add 10.71.0.2/32 via 10.1.0.2 proto 250 metric 1");
        ip("route add 10.71.0.2/32 via 10.1.0.2 proto 251 metric 2");
        ip("route add 10.71.0.2/32 via 10.2.0.2 proto 250 metric 3");
        let mut wanted = world.route("10.71.0.2/32", "10.1.0.2", "lanA");
        for (metric, protocol) in [(2, 250), (3, 250), (4, 250)] {
            (wanted.key.metric, wanted.protocol) = (metric, protocol);
            let refusal = world.apply(Operation::DeleteRoute(wanted.clone())).unwrap_err();
            assert_eq!(refusal.errno, nix::libc::ESRCH);
        }
        assert_eq!(ip("route show 10.71.0.2/32").lines().count(), 3);
        wanted.key.metric = 1;
        world.apply(Operation::DeleteRoute(wanted)).unwrap();
        assert_eq!(ip("route show 10.71.0.2/32").lines().count(), 2);
    });
}

#[test]
fn overlay_keeps_what_its_template_has_and_changes_the_way() {
    in_world(|world| {
        ip(
            "route add 10.72.0.0/24 via 10.1.0.2 dev lanA proto static metric 100 mtu lock 1400 realms 3/4 tos 0x10",
        );
        let mut overlay = world.routes_over("lanA", 4).remove(0);
        overlay.protocol = PROTOCOL;
        overlay.key.metric = 99;
        overlay.source = Some("10.1.0.1".parse().unwrap());
        overlay.legs = route("10.72.0.0/24", Some("10.2.0.2"), world.index("lanB")).legs;
        world.apply(add(&overlay)).unwrap();
        let shown = ip("route show 10.72.0.0/24 proto 250");
        let expected =
            "10.72.0.0/24 tos lowdelay via 10.2.0.2 dev lanB src 10.1.0.1 metric 99 realms 3/4 mtu lock 1400";
        assert_eq!(words(&shown), words(&expected.replace("tos lowdelay", shown_tos(&shown))));
        assert!(ip("route show 10.72.0.0/24 proto static").contains("via 10.1.0.2 dev lanA"));
    });
}

#[test]
fn overlay_of_a_route_whose_interface_is_down_is_accepted() {
    in_world(|world| {
        ip("route add 10.73.0.0/24 via 10.1.0.2 dev lanA proto static metric 100");
        ip("route add 10.73.1.0/24 proto static nexthop via 10.1.0.2 dev lanA nexthop via 10.2.0.2 dev lanB");
        ip("link set farA down");
        let index = world.index("lanA");
        world.kernel.links(&[index]).unwrap();
        let dead = world.routes_over("lanA", 4);
        assert_eq!(dead.len(), 2);
        for mut overlay in dead {
            assert!(overlay.linkdown, "{overlay:?}");
            overlay.protocol = PROTOCOL;
            overlay.key.metric = 50;
            world.apply(add(&overlay)).unwrap();
        }
    });
}

#[test]
fn lifetime_of_an_original_survives_but_does_not_bind_its_overlay() {
    in_world(|world| {
        ip("-6 route add fd74::/64 via fd00:1::2 dev lanA proto 77 expires 600");
        let original = world.routes_over("lanA", 77).remove(0);
        world.apply(Operation::DeleteRoute(original.clone())).unwrap();
        world.apply(add(&original)).unwrap();
        let shown = ip("-6 route show fd74::/64");
        assert!(shown.contains("expires 599sec") || shown.contains("expires 600sec"), "{shown}");
        let mut overlay = original;
        (overlay.protocol, overlay.key.metric) = (PROTOCOL, 5);
        world.apply(add(&overlay)).unwrap();
        assert!(!ip("-6 route show fd74::/64 proto 250").contains("expires"));
    });
}

#[test]
fn route_with_a_nexthop_object_is_overlaid_by_its_legs() {
    in_world(|world| {
        ip("nexthop add id 10 via 10.1.0.2 dev lanA");
        ip("route add 10.75.0.0/24 nhid 10 proto 77");
        let original = world.routes_over("lanA", 77).remove(0);
        assert_eq!((original.nexthop_id, original.legs.len()), (Some(10), 1));
        let mut overlay = original.clone();
        (overlay.protocol, overlay.key.metric) = (PROTOCOL, 5);
        world.apply(Operation::DeleteRoute(original)).unwrap();
        world.apply(add(&overlay)).unwrap();
        let shown = ip("route show 10.75.0.0/24");
        assert_eq!(words(&shown), words("10.75.0.0/24 via 10.1.0.2 dev lanA proto 250 metric 5"));
    });
}

#[test]
fn prepended_overlay_stands_in_front_and_leaves_the_original() {
    in_world(|world| {
        ip("route add 10.76.0.0/24 via 10.1.0.2 dev lanA");
        let mut overlay = world.route("10.76.0.0/24", "10.2.0.2", "lanB");
        overlay.key.metric = 0;
        world.apply(Operation::AddRoute { route: overlay.clone(), place: Place::Before }).unwrap();
        assert!(ip("route get 10.76.0.9").contains("via 10.2.0.2 dev lanB"));
        world.apply(Operation::DeleteRoute(overlay)).unwrap();
        assert!(ip("route get 10.76.0.9").contains("via 10.1.0.2 dev lanA"));
    });
}

#[test]
fn equal_keys_are_listed_in_the_kernels_order() {
    in_world(|world| {
        let lans = [world.index("lanA"), world.index("lanB")];
        ip("route add 10.76.1.0/24 via 10.1.0.2 dev lanA");
        ip("-6 route add fd76::/64 via fd00:1::2 dev lanA proto ra");
        let mut overlay = world.route("10.76.1.0/24", "10.2.0.2", "lanB");
        overlay.key.metric = 0;
        let before = |place| Operation::AddRoute { route: overlay.clone(), place };
        assert_eq!(world.apply(before(Place::Alone)).unwrap_err().errno, nix::libc::EEXIST);
        for (place, expected) in [(Place::Before, [250, 3]), (Place::Behind, [3, 250])] {
            world.apply(before(place)).unwrap();
            for lans in [lans, [lans[1], lans[0]]] {
                let routes = world.kernel.routes_over(&lans, &[MAIN_TABLE]).unwrap();
                let equal = routes.iter().filter(|route| route.key == overlay.key);
                assert_eq!(equal.map(|route| route.protocol).collect::<Vec<u8>>(), expected);
                assert_eq!(destinations(&routes).iter().filter(|text| *text == "fd76::/64").count(), 1);
            }
            world.apply(Operation::DeleteRoute(overlay.clone())).unwrap();
        }
    });
}

#[test]
fn routes_built_from_typed_fields() {
    in_world(|world| {
        let (a, b) = (world.index("lanA"), world.index("lanB"));
        let mut host = route("10.77.0.2/32", Some("10.2.0.2"), b);
        host.source = Some("10.1.0.1".parse().unwrap());
        let mut v6 = route("fd77::2/128", Some("fe80::2"), b);
        v6.source = Some("fd00:1::1".parse().unwrap());
        let via6 = route("10.77.1.0/24", Some("fe80::2"), b);
        let mut both = route("10.77.2.0/24", Some("10.1.0.2"), a);
        both.legs.extend(route("10.77.2.0/24", Some("10.2.0.2"), b).legs);
        let routes = [host, v6, via6, both];
        assert!(world.kernel.apply(&routes.each_ref().map(add)).iter().all(Result::is_ok));
        let listed: Vec<Route> = world.kernel.own_routes().unwrap();
        assert_eq!(listed.len(), routes.len());
        for route in routes {
            let same = listed.iter().find(|other| other.key == route.key).unwrap();
            assert_eq!((&same.legs, same.source), (&route.legs, route.source));
            world.apply(Operation::DeleteRoute(route)).unwrap();
        }
        assert!(world.kernel.own_routes().unwrap().is_empty());
    });
}

#[test]
fn dry_run_shows_what_it_did_not_do() {
    in_world(|world| {
        ip("route add 10.78.9.0/24 via 10.1.0.2 proto 250");
        let overlay = world.route("10.78.0.0/24", "10.2.0.2", "lanB");
        let index = world.index("lanB");
        let left_over = world.kernel.own_routes().unwrap().remove(0);
        let mut dry = DryRun::new(&mut world.kernel);
        let delete = Operation::DeleteRoute(left_over);
        assert_eq!(dry.apply(&[add(&overlay), delete]), [Ok(()), Ok(())]);
        assert_eq!(destinations(&dry.own_routes().unwrap()), ["10.78.0.0/24"]);
        assert!(dry.routes_over(&[index], &[MAIN_TABLE]).unwrap().contains(&overlay));
        assert_eq!(dry.apply(&[add(&overlay)])[0].as_ref().unwrap_err().errno, nix::libc::EEXIST);
        let lo = faild::interface::InterfaceIndex(1);
        dry.apply(&[Operation::AddAddress { interface: lo, address: crate::world::address("fd78::1/128") }]);
        let shown = dry.interfaces().unwrap();
        assert!(shown[0].addresses.iter().any(|address| address.prefix.to_string() == "fd78::1/128"));
        assert_eq!(ip("route show proto 250").lines().count(), 1);
        assert!(!ip("addr show lo").contains("fd78"));
    });
}

#[test]
fn described_commands_do_the_same() {
    in_world(|world| {
        let mut host = world.route("10.79.0.2/32", "10.2.0.2", "lanB");
        host.source = Some("10.1.0.1".parse().unwrap());
        let v6 = world.route("fd79::2/128", "fe80::2", "lanB");
        for route in [host, v6] {
            world.apply(add(&route)).unwrap();
            let before = everything();
            run(world, &Operation::DeleteRoute(route.clone()));
            assert_ne!(everything(), before);
            run(world, &add(&route));
            assert_eq!(everything(), before);
        }
    });
}

fn run(world: &mut World, operation: &Operation) {
    let interfaces = world.kernel.interfaces().unwrap();
    let name = |index| interfaces.iter().find(|i| i.index == index).unwrap().name.clone();
    let command = faild::reconcile::describe(operation, &name);
    ip(command.strip_prefix("ip ").unwrap());
}

fn destinations(routes: &[Route]) -> Vec<String> {
    let mut texts: Vec<String> = routes.iter().map(|route| route.key.destination.to_string()).collect();
    texts.sort();
    texts
}

/// All our routes as `ip` shows them.
fn everything() -> Vec<String> {
    let text = ip("-details route show table all proto 250");
    text.lines().map(str::to_owned).collect()
}

/// How many lines `ip` takes to show a route.
fn lines_of(route: &Route) -> usize {
    if route.legs.len() > 1 { 1 + route.legs.len() } else { 1 }
}

fn family_flag(text: &str) -> &'static str {
    if text.starts_with("fd") || text.contains("via fe80") && text.starts_with("default") {
        "-6 "
    } else {
        ""
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// The type of service as this version of `ip` words it.
fn shown_tos(shown: &str) -> &str {
    let start = shown.find("tos").unwrap();
    let end = shown[start + 4..].find(' ').map_or(shown.len(), |length| start + 4 + length);
    &shown[start..end]
}
