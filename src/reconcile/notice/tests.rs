//! How each event reads.

use super::*;
use Level::{Info, Warn};

#[test]
fn each_event_is_one_line_and_has_its_level() {
    let interface = || "eth0".to_owned();
    let other = || "eth1".to_owned();
    let destination = Destination { table: 77, prefix: "0.0.0.0/0".parse().unwrap() };
    let main = Destination { table: 254, ..destination };
    let by = || "10.1.0.9%eth1,10.2.0.9%eth2".to_owned();
    let address: IpAddr = "10.0.0.2".parse().unwrap();
    let subject = || Subject { home: "eth0".into(), address };
    let way = NextHop { interface: "eth1".into(), via: "10.1.0.2".parse().unwrap() };
    let route = || "default via 10.0.0.9 dev eth0".to_owned();
    let test: Ipv4Addr = "10.1.0.77".parse().unwrap();
    let overridden = |is_excluded| Notice::RouteOverridden {
        destination: main,
        by: by(),
        asked: address,
        kernel: "prohibit".to_owned(),
        is_excluded,
    };
    let blocked = |route| Notice::OverlayBlocked {
        owner: Owner::Subject(subject()),
        routes: 2,
        route,
        by: "prohibit default metric 10".to_owned(),
    };
    for (notice, level, line) in [
        (
            Notice::OverlayLaid { subject: subject(), way, routes: 2 },
            Info,
            "overlay-installed address=10.0.0.2 home=eth0 interface=eth1 via=10.1.0.2 routes=2",
        ),
        (
            Notice::OverlayLifted { subject: Some(subject()), routes: 2, route: route() },
            Info,
            "overlay-removed address=10.0.0.2 home=eth0 routes=2",
        ),
        (
            Notice::OverlayLifted { subject: None, routes: 2, route: route() },
            Info,
            "overlay-removed cause=original-deleted routes=2 route=\"default via 10.0.0.9 dev eth0\"",
        ),
        (
            Notice::RouteOverlaid { destination, by: by() },
            Info,
            "overlay-installed destination=0.0.0.0/0 table=77 next-hops=10.1.0.9%eth1,10.2.0.9%eth2",
        ),
        (
            Notice::RouteLifted { destination: main, by: by() },
            Info,
            "overlay-removed destination=0.0.0.0/0 next-hops=10.1.0.9%eth1,10.2.0.9%eth2",
        ),
        (
            Notice::DestinationLeftAlone { destination: main, route: route(), protocol: 186 },
            Warn,
            "route-skipped destination=0.0.0.0/0 route=\"default via 10.0.0.9 dev eth0\" protocol=186 cause=\"its best route belongs to another program\" fix=\"add the protocol to route-protocols, or remove the route\"",
        ),
        (
            Notice::MemberOverlaid { interface: interface(), by: other(), routes: 5 },
            Info,
            "overlay-installed interface=eth0 to=eth1 routes=5",
        ),
        (
            Notice::MemberLifted { interface: interface(), routes: 5 },
            Info,
            "overlay-removed interface=eth0 routes=5",
        ),
        (
            Notice::TestAddressRemoved { interface: other(), address: test, removals: 2 },
            Warn,
            "test-address-lost interface=eth1 address=10.1.0.77 removals=2",
        ),
        (
            Notice::OverlayRemovedByOthers {
                owner: Owner::Destination(destination),
                routes: 2,
                route: route(),
            },
            Warn,
            "overlay-lost destination=0.0.0.0/0 table=77 routes=2 route=\"default via 10.0.0.9 dev eth0\"",
        ),
        (
            Notice::Contested { owner: Owner::Member(interface()), route: route(), removals: 5 },
            Warn,
            "overlay-contested member=eth0 removals=5 route=\"default via 10.0.0.9 dev eth0\" cause=\"another program keeps removing it\" action=\"retrying at most once a minute\"",
        ),
        (
            Notice::OperationRefused {
                operations: 3,
                operation: "ip route add default".to_owned(),
                refusal: Refusal::new(nix::errno::Errno::ENOMEM, "Cannot allocate memory"),
            },
            Warn,
            "operation-refused operations=3 operation=\"ip route add default\" errno=12 error=\"Cannot allocate memory\"",
        ),
        (
            Notice::CannotOverlay { owner: Owner::Subject(subject()), route: route() },
            Warn,
            "overlay-impossible address=10.0.0.2 home=eth0 route=\"default via 10.0.0.9 dev eth0\" cause=\"no lower metric is free\" fix=\"give the route a higher metric\"",
        ),
        (
            blocked(Some(route())),
            Warn,
            "overlay-blocked address=10.0.0.2 home=eth0 routes=2 route=\"default via 10.0.0.9 dev eth0\" cause=\"prohibit default metric 10\" action=\"nothing is installed: no route of others is passed\" fix=\"if it shall not decide, remove it, or give it a higher metric than the route that faild protects\"",
        ),
        (
            blocked(None),
            Warn,
            "overlay-blocked address=10.0.0.2 home=eth0 routes=2 cause=\"prohibit default metric 10\" action=\"nothing is installed: no route of others is passed\" fix=\"if it shall not decide, remove it, or give it a higher metric than the route that faild protects\"",
        ),
        (
            Notice::OverlayUnblocked { owner: Owner::Destination(main) },
            Info,
            "overlay-blocked-cleared destination=0.0.0.0/0",
        ),
        (
            overridden(false),
            Warn,
            "route-overridden destination=0.0.0.0/0 next-hops=10.1.0.9%eth1,10.2.0.9%eth2 asked=10.0.0.2 kernel=\"prohibit\" cause=\"another route or a rule comes first\" fix=\"ip rule; ip route show table all\"",
        ),
        (
            overridden(true),
            Info,
            "route-overridden destination=0.0.0.0/0 next-hops=10.1.0.9%eth1,10.2.0.9%eth2 asked=10.0.0.2 kernel=\"prohibit\" cause=\"a route by an excluded interface comes first\" action=\"it is left alone\"",
        ),
        (
            Notice::RouteOverriddenCleared { destination },
            Info,
            "route-overridden-cleared destination=0.0.0.0/0 table=77",
        ),
        (
            Notice::RoutePutBack { routes: 1, route: route() },
            Info,
            "route-restored routes=1 route=\"default via 10.0.0.9 dev eth0\"",
        ),
        (
            Notice::AddressPutBack { interface: interface(), address: "fd00::1/64".parse().unwrap() },
            Info,
            "address-restored interface=eth0 address=fd00::1/64",
        ),
        (
            Notice::AddressWaits { interface: interface(), address },
            Info,
            "address-parked interface=eth0 address=10.0.0.2 on=lo",
        ),
        (
            Notice::AddressReturned { interface: Some(interface()), address },
            Info,
            "address-unparked interface=eth0 address=10.0.0.2",
        ),
        (
            Notice::AddressReturned { interface: None, address },
            Info,
            "address-unparked address=10.0.0.2 cause=interface-deleted",
        ),
        (
            Notice::LeftBehind {
                ipv4: 1,
                ipv6: 1,
                addresses: vec!["fd00::1/128".parse().unwrap(), "10.0.0.1/32".parse().unwrap()],
                tests: vec![(test, other())],
            },
            Warn,
            "left-in-place ipv4=1 ipv6=1 addresses=3 undo=\"ip route flush proto 250; ip -6 route flush proto 250; ip -6 addr del fd00::1/128 dev lo; ip addr del 10.0.0.1/32 dev lo; ip addr del 10.1.0.77/32 dev eth1\"",
        ),
        (Notice::JournalOutdated, Info, "journal-outdated cause=other-boot action=\"ignoring it\""),
        (
            Notice::JournalIgnored { line: 2, fault: "unknown kind \"what\"".to_owned() },
            Warn,
            "journal-unreadable line=2 error=\"unknown kind \"what\"\"",
        ),
        (
            Notice::DefaultRouteOnLan { interface: interface() },
            Warn,
            "default-route-on-lan interface=eth0 cause=\"selected automatically; if it leads to a provider, hosts there hear our broadcasts and can pose as peers\" fix=\"exclude it with -x eth0, or name every LAN with -i\"",
        ),
        (
            Notice::TooManyRoutes { routes: 70_000, limit: 65_536 },
            Warn,
            "too-many-routes routes=70000 limit=65536",
        ),
    ] {
        assert_eq!((notice.level(), notice.to_string().as_str()), (level, line));
    }
}
