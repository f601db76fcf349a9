//! How each event reads.

use super::*;
use Loudness::{Debug, Error, Info, Warn};

#[test]
fn each_event_is_one_line_and_has_its_level() {
    let interface = || "eth0".to_owned();
    let other = || "eth1".to_owned();
    let address: IpAddr = "10.0.0.2".parse().unwrap();
    let another: IpAddr = "10.0.0.3".parse().unwrap();
    let local: IpAddr = "fe80::2".parse().unwrap();
    let (peer, node, family) = (NodeId(0xa), NodeId(0xb), Family::V4);
    let mac = MacAddress([2, 0, 0, 0, 0, 9]);
    let second = Duration::from_secs(1);
    let left_out = |reason| Notice::InterfaceLeftOut { interface: interface(), reason };
    let down = |reason| Notice::InterfaceDown { interface: interface(), reason };
    let path = |level, before, evidence, address| Notice::PathChanged {
        peer,
        interface: interface(),
        family,
        level,
        before,
        evidence,
        missed: 2,
        address,
    };
    let waits = |hold| Notice::FailbackWaits { peer, interface: interface(), family, hold };
    let way = || NextHop { interface: "eth1".into(), via: "10.1.0.2".parse().unwrap() };
    let moved =
        |address, adopted| Notice::FailedOver { peer, address, from: interface(), to: way(), adopted };
    let back = |address| Notice::FailedBack { peer, address, interface: interface() };
    let cloned =
        |other, ignored| Notice::PeerCloned { peer, address, other, interface: interface(), ignored };
    let own =
        |redraw| Notice::OwnIdCloned { node, own: None, other: address, interface: interface(), redraw };
    let filtered = |claimed| Notice::PortFiltered { peer, address, interface: interface(), claimed };
    let no_lan = |left_out, alone| Notice::NoLan { left_out, alone };
    for (notice, level, line) in [
        (Notice::LanChosen { interface: interface() }, Info, "lan-selected interface=eth0"),
        (
            Notice::LanKept { interface: interface() },
            Warn,
            "lan-kept interface=eth0 cause=\"was a LAN before the restart; now missing or without an address\" action=\"waiting for it\"",
        ),
        (left_out(LeftOut::Excluded), Info, "interface-skipped interface=eth0 cause=excluded"),
        (left_out(LeftOut::Member), Info, "interface-skipped interface=eth0 cause=group-member"),
        (
            left_out(LeftOut::NextHop),
            Info,
            "interface-skipped interface=eth0 cause=route-next-hop fix=\"if it is also a LAN, name it with -i\"",
        ),
        (left_out(LeftOut::Enslaved), Info, "interface-skipped interface=eth0 cause=bridge-or-bond-port"),
        (
            left_out(LeftOut::Tunnel),
            Info,
            "interface-skipped interface=eth0 cause=tunnel fix=\"if it is also a LAN, name it with -i\"",
        ),
        (
            left_out(LeftOut::SameSubnet(other())),
            Warn,
            "interface-skipped interface=eth0 cause=same-subnet other=eth1 fix=\"give each LAN its own subnet\"",
        ),
        (
            left_out(LeftOut::TooMany),
            Warn,
            "interface-skipped interface=eth0 cause=too-many-lans fix=\"name the LANs to use with -i\"",
        ),
        (
            no_lan(vec![(interface(), LeftOut::Excluded), (other(), LeftOut::Loopback)], true),
            Warn,
            "no-lan cause=\"eth0: excluded, eth1: loopback\" action=\"probing nothing until a suitable interface appears\" fix=\"name the LANs with -i\"",
        ),
        (
            no_lan(Vec::new(), false),
            Info,
            "no-lan cause=\"no interface except loopback\" action=\"probing nothing until a suitable interface appears\" fix=\"name the LANs with -i\"",
        ),
        (
            Notice::InterfaceAbsent { interface: interface() },
            Warn,
            "interface-absent interface=eth0 action=\"waiting for it\"",
        ),
        (
            Notice::LanLeft { interface: interface() },
            Info,
            "lan-removed interface=eth0 action=\"removing its overlays\"",
        ),
        (Notice::LanRenamed { from: interface(), to: other() }, Info, "lan-renamed interface=eth1 was=eth0"),
        (
            Notice::InterfaceUp { interface: interface(), index: InterfaceIndex(7) },
            Info,
            "interface-up interface=eth0 index=7",
        ),
        (down(InterfaceFault::NoCarrier), Warn, "interface-down interface=eth0 cause=no-carrier"),
        (down(InterfaceFault::SetDown), Warn, "interface-down interface=eth0 cause=admin-down"),
        (down(InterfaceFault::Gone), Warn, "interface-down interface=eth0 cause=absent"),
        (
            down(InterfaceFault::Renamed(other())),
            Warn,
            "interface-down interface=eth0 cause=renamed now=eth1",
        ),
        (
            Notice::SameMac { interface: "eth 0".to_owned(), other: other(), mac },
            Warn,
            "duplicate-mac interface=eth 0 other=eth1 mac=02:00:00:00:00:09 fix=\"ip link set dev 'eth 0' address ANOTHER\"",
        ),
        (
            Notice::LansJoined { one: interface(), other: other() },
            Warn,
            "lans-bridged interface=eth0 other=eth1 cause=\"both are on the same network: there is no redundancy\" fix=\"connect them to separate networks\"",
        ),
        (
            Notice::PathFound { peer, interface: interface(), address },
            Info,
            "path-found peer=000000000000000a interface=eth0 address=10.0.0.2",
        ),
        (
            path(Level::Up, Level::Down, Evidence::Good(10), Some(address)),
            Info,
            "path-up peer=000000000000000a interface=eth0 family=ipv4 address=10.0.0.2 cause=good missed=2 good=10 was=down",
        ),
        (
            path(Level::Up, Level::Unknown, Evidence::Answer, None),
            Info,
            "path-up peer=000000000000000a interface=eth0 family=ipv4 cause=answer missed=2 was=unknown",
        ),
        (
            path(Level::Down, Level::Up, Evidence::Missed(2), None),
            Warn,
            "path-down peer=000000000000000a interface=eth0 family=ipv4 cause=missed missed=2 was=up",
        ),
        (
            path(Level::Down, Level::Up, Evidence::Carrier, None),
            Warn,
            "path-down peer=000000000000000a interface=eth0 family=ipv4 cause=no-carrier missed=2 was=up",
        ),
        (
            path(Level::Down, Level::Up, Evidence::Report, None),
            Warn,
            "path-down peer=000000000000000a interface=eth0 family=ipv4 cause=peer-report missed=2 was=up",
        ),
        (
            path(Level::Down, Level::Up, Evidence::Offline, None),
            Info,
            "path-down peer=000000000000000a interface=eth0 family=ipv4 cause=offline missed=2 was=up",
        ),
        (
            path(Level::Unknown, Level::Up, Evidence::Report, None),
            Info,
            "path-unknown peer=000000000000000a interface=eth0 family=ipv4 cause=peer-report missed=2 was=up",
        ),
        (
            Notice::PeerAbsent { peer, said_goodbye: false },
            Warn,
            "peer-down peer=000000000000000a cause=silent action=\"nothing is moved\"",
        ),
        (
            Notice::PeerAbsent { peer, said_goodbye: true },
            Info,
            "peer-down peer=000000000000000a cause=goodbye action=\"nothing is moved\"",
        ),
        (
            Notice::PeerPresent { peer, interface: interface() },
            Info,
            "peer-up peer=000000000000000a interface=eth0",
        ),
        (Notice::PeerRestarted { peer }, Info, "peer-restarted peer=000000000000000a"),
        (Notice::PeerForgotten { peer, was_proven: true }, Info, "peer-expired peer=000000000000000a"),
        (
            cloned(Some(another), false),
            Warn,
            "duplicate-node-id peer=000000000000000a interface=eth0 address=10.0.0.2 other=10.0.0.3 cause=\"two hosts use this node id; was a disk cloned?\" action=\"moving nothing for either host\" fix=\"delete state.toml on one of them\"",
        ),
        (
            cloned(None, true),
            Warn,
            "duplicate-node-id peer=000000000000000a interface=eth0 address=10.0.0.2 cause=\"two hosts use this node id; was a disk cloned?\" action=\"ignoring this host\" fix=\"delete state.toml on one of them\"",
        ),
        (
            own(true),
            Warn,
            "duplicate-node-id node=000000000000000b own=yes other=10.0.0.2 interface=eth0 action=\"drawing a new node id\"",
        ),
        (
            own(false),
            Warn,
            "duplicate-node-id node=000000000000000b own=yes other=10.0.0.2 interface=eth0 action=\"the other host draws a new node id\"",
        ),
        (
            moved(address, false),
            Warn,
            "peer-failover peer=000000000000000a address=10.0.0.2 from=eth0 to=eth1 via=10.1.0.2",
        ),
        (
            moved(local, false),
            Debug,
            "peer-failover peer=000000000000000a address=fe80::2 from=eth0 to=eth1 via=10.1.0.2",
        ),
        (
            moved(address, true),
            Warn,
            "detour-adopted peer=000000000000000a address=10.0.0.2 from=eth0 to=eth1 via=10.1.0.2",
        ),
        (
            waits(Hold::Manual),
            Info,
            "failback-held peer=000000000000000a interface=eth0 family=ipv4 cause=policy-manual fix=\"faildctl failback\"",
        ),
        (
            waits(Hold::Delay(second * 3)),
            Info,
            "failback-held peer=000000000000000a interface=eth0 family=ipv4 cause=policy-delay wait=3s",
        ),
        (
            waits(Hold::Window { from: 7200, until: 14_400 }),
            Info,
            "failback-held peer=000000000000000a interface=eth0 family=ipv4 cause=policy-window from=02:00 until=04:00",
        ),
        (
            waits(Hold::Damped { penalty: 3000, wait: second * 60 }),
            Info,
            "failback-held peer=000000000000000a interface=eth0 family=ipv4 cause=damped penalty=3000 wait=60s",
        ),
        (back(address), Info, "peer-failback peer=000000000000000a address=10.0.0.2 to=eth0"),
        (back(local), Debug, "peer-failback peer=000000000000000a address=fe80::2 to=eth0"),
        (
            Notice::AddressFloats { address },
            Warn,
            "address-floating address=10.0.0.2 cause=\"two live nodes claim it\" action=\"leaving it alone\"",
        ),
        (
            Notice::AddressWithdrawn { peer, address },
            Debug,
            "address-withdrawn peer=000000000000000a address=10.0.0.2",
        ),
        (
            Notice::OverlayUnclaimed { address, interface: interface(), cause: Unclaimed::NextHopSilent },
            Info,
            "overlay-unclaimed address=10.0.0.2 home=eth0 cause=next-hop-silent action=\"removing it\"",
        ),
        (
            filtered(false),
            Warn,
            "port-filtered peer=000000000000000a interface=eth0 address=10.0.0.2 cause=\"the host answers ARP or ND, but not probes\" fix=\"allow the UDP port in the firewalls at both ends\"",
        ),
        (
            filtered(true),
            Info,
            "port-filtered peer=000000000000000a interface=eth0 address=10.0.0.2 cause=\"the host answers ARP or ND, but not probes; the address may belong to another host\" fix=\"allow the UDP port in the firewalls at both ends\"",
        ),
        (
            Notice::BroadcastFiltered { peer, interface: interface() },
            Info,
            "broadcast-filtered peer=000000000000000a interface=eth0 action=\"probing by unicast\"",
        ),
        (
            Notice::BroadcastHeard { peer, interface: interface() },
            Info,
            "broadcast-restored peer=000000000000000a interface=eth0",
        ),
        (
            Notice::LanMute { interface: interface() },
            Warn,
            "lan-no-address interface=eth0 cause=\"no address with a subnet, so nothing can be probed\" fix=\"ip addr add ADDRESS/LENGTH dev eth0; a /32 has no neighbours\"",
        ),
        (
            Notice::LanSilent { interface: interface() },
            Warn,
            "lan-down interface=eth0 cause=\"all peers silent, some heard on other LANs\"",
        ),
        (Notice::LanHeard { interface: interface() }, Info, "lan-up interface=eth0"),
        (
            Notice::AllSilent { peers: 3 },
            Error,
            "all-peers-silent peers=3 action=\"holding all routes: the fault may be local\"",
        ),
        (Notice::SilenceEnded, Info, "all-peers-silent-cleared"),
        (
            Notice::IntervalRaised { interval: second * 2, paths: 4000, configured: second },
            Warn,
            "interval-changed interval=2s configured=1s paths=4000",
        ),
        (
            Notice::DrainSuspended { peer, interface: interface(), family },
            Warn,
            "offline-suspended peer=000000000000000a interface=eth0 family=ipv4 cause=\"no other path to the peer works\" fix=\"do not unplug the interface\"",
        ),
        (
            Notice::DrainResumed { peer, interface: interface(), family },
            Info,
            "offline-resumed peer=000000000000000a interface=eth0 family=ipv4",
        ),
        (
            Notice::Stalled { lag: second, interface: interface() },
            Warn,
            "loop-stalled interface=eth0 lag=1s action=\"ignoring slots missed in the meantime\"",
        ),
    ] {
        assert_eq!((notice.level(), notice.to_string().as_str()), (level, line));
    }
}
