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
        (Notice::LanChosen { interface: interface() }, Info, "lan-chosen interface=eth0 reason=fits"),
        (
            Notice::LanKept { interface: interface() },
            Warn,
            "lan-kept interface=eth0 why=\"it was a LAN before the restart, and is gone or has no address\" action=\"wait for it\"",
        ),
        (left_out(LeftOut::Excluded), Info, "interface-left-out interface=eth0 reason=excluded"),
        (left_out(LeftOut::Member), Info, "interface-left-out interface=eth0 reason=member-of-a-group"),
        (
            left_out(LeftOut::NextHop),
            Info,
            "interface-left-out interface=eth0 reason=next-hop-of-a-route hint=\"if it is a LAN as well, name it with -i\"",
        ),
        (
            left_out(LeftOut::Enslaved),
            Info,
            "interface-left-out interface=eth0 reason=port-of-a-bridge-or-bond",
        ),
        (
            left_out(LeftOut::Tunnel),
            Info,
            "interface-left-out interface=eth0 reason=tunnel hint=\"if it is a LAN as well, name it with -i\"",
        ),
        (
            left_out(LeftOut::SameSubnet(other())),
            Warn,
            "interface-left-out interface=eth0 reason=same-subnet other=eth1 hint=\"two LANs need two subnets\"",
        ),
        (
            left_out(LeftOut::TooMany),
            Warn,
            "interface-left-out interface=eth0 reason=four-lans-are-enough hint=\"name those that count with -i\"",
        ),
        (
            no_lan(vec![(interface(), LeftOut::Excluded), (other(), LeftOut::Loopback)], true),
            Warn,
            "no-lan why=\"eth0: excluded, eth1: loopback\" action=\"nobody is probed until one fits\" mend=\"name the LANs with -i\"",
        ),
        (
            no_lan(Vec::new(), false),
            Info,
            "no-lan why=\"there is no interface beside the loopback one\" action=\"nobody is probed until one fits\" mend=\"name the LANs with -i\"",
        ),
        (
            Notice::InterfaceAbsent { interface: interface() },
            Warn,
            "interface-absent interface=eth0 action=\"wait for it\"",
        ),
        (
            Notice::LanLeft { interface: interface() },
            Info,
            "lan-left interface=eth0 action=\"its overlays are lifted\"",
        ),
        (Notice::LanRenamed { from: interface(), to: other() }, Info, "lan-renamed interface=eth1 was=eth0"),
        (
            Notice::InterfaceUp { interface: interface(), index: InterfaceIndex(7) },
            Info,
            "interface-up interface=eth0 index=7",
        ),
        (down(InterfaceFault::NoCarrier), Warn, "interface-down interface=eth0 reason=no-carrier"),
        (down(InterfaceFault::SetDown), Warn, "interface-down interface=eth0 reason=set-down"),
        (down(InterfaceFault::Gone), Warn, "interface-down interface=eth0 reason=gone"),
        (
            down(InterfaceFault::Renamed(other())),
            Warn,
            "interface-down interface=eth0 reason=renamed now=eth1",
        ),
        (
            Notice::SameMac { interface: "eth 0".to_owned(), other: other(), mac },
            Warn,
            "same-mac interface=eth 0 other=eth1 mac=02:00:00:00:00:09 mend=\"ip link set dev 'eth 0' address ANOTHER\"",
        ),
        (
            Notice::LansJoined { one: interface(), other: other() },
            Warn,
            "lans-joined interface=eth0 other=eth1 hint=\"both are on one network: there is no redundancy\"",
        ),
        (
            Notice::PathFound { peer, interface: interface(), address },
            Info,
            "path-found peer=000000000000000a interface=eth0 address=10.0.0.2",
        ),
        (
            path(Level::Up, Level::Down, Evidence::Good(10), Some(address)),
            Info,
            "path-up peer=000000000000000a interface=eth0 family=ipv4 address=10.0.0.2 evidence=good:10 missed=2 was=down",
        ),
        (
            path(Level::Up, Level::Unknown, Evidence::Answer, None),
            Info,
            "path-up peer=000000000000000a interface=eth0 family=ipv4 evidence=answer missed=2 was=unknown",
        ),
        (
            path(Level::Down, Level::Up, Evidence::Missed(2), None),
            Warn,
            "path-down peer=000000000000000a interface=eth0 family=ipv4 evidence=missed:2 missed=2 was=up",
        ),
        (
            path(Level::Down, Level::Up, Evidence::Carrier, None),
            Warn,
            "path-down peer=000000000000000a interface=eth0 family=ipv4 evidence=carrier missed=2 was=up",
        ),
        (
            path(Level::Down, Level::Up, Evidence::Report, None),
            Warn,
            "path-down peer=000000000000000a interface=eth0 family=ipv4 evidence=peer-report missed=2 was=up",
        ),
        (
            path(Level::Down, Level::Up, Evidence::Offline, None),
            Info,
            "path-down peer=000000000000000a interface=eth0 family=ipv4 evidence=offline missed=2 was=up",
        ),
        (
            path(Level::Unknown, Level::Up, Evidence::Report, None),
            Info,
            "path-unknown peer=000000000000000a interface=eth0 family=ipv4 evidence=peer-report missed=2 was=up",
        ),
        (
            Notice::PeerAbsent { peer, said_goodbye: false },
            Warn,
            "peer-absent peer=000000000000000a evidence=silent-on-all-lans action=\"nothing is moved\"",
        ),
        (
            Notice::PeerAbsent { peer, said_goodbye: true },
            Info,
            "peer-absent peer=000000000000000a evidence=goodbye action=\"nothing is moved\"",
        ),
        (
            Notice::PeerPresent { peer, interface: interface() },
            Info,
            "peer-present peer=000000000000000a interface=eth0",
        ),
        (Notice::PeerRestarted { peer }, Info, "peer-restarted peer=000000000000000a"),
        (Notice::PeerForgotten { peer, was_proven: true }, Info, "peer-forgotten peer=000000000000000a"),
        (
            cloned(Some(another), false),
            Warn,
            "peer-cloned peer=000000000000000a interface=eth0 address=10.0.0.2 other=10.0.0.3 hint=\"two hosts bear this id: was a disk copied? delete state.toml on one\" action=\"nothing is moved for them\"",
        ),
        (
            cloned(None, true),
            Warn,
            "peer-cloned peer=000000000000000a interface=eth0 address=10.0.0.2 hint=\"two hosts bear this id: was a disk copied? delete state.toml on one\" action=\"this one is ignored\"",
        ),
        (
            own(true),
            Warn,
            "own-id-cloned node=000000000000000b other=10.0.0.2 interface=eth0 action=\"we draw a new one\"",
        ),
        (
            own(false),
            Warn,
            "own-id-cloned node=000000000000000b other=10.0.0.2 interface=eth0 action=\"the other one draws a new one\"",
        ),
        (
            moved(address, false),
            Warn,
            "failover peer=000000000000000a address=10.0.0.2 from=eth0 to=eth1 via=10.1.0.2",
        ),
        (
            moved(local, false),
            Debug,
            "failover peer=000000000000000a address=fe80::2 from=eth0 to=eth1 via=10.1.0.2",
        ),
        (
            moved(address, true),
            Warn,
            "detour-adopted peer=000000000000000a address=10.0.0.2 from=eth0 to=eth1 via=10.1.0.2",
        ),
        (
            waits(Hold::Manual),
            Info,
            "failback-waits peer=000000000000000a interface=eth0 family=ipv4 reason=policy-manual hint=\"faildctl failback\"",
        ),
        (
            waits(Hold::Delay(second * 3)),
            Info,
            "failback-waits peer=000000000000000a interface=eth0 family=ipv4 reason=policy-delay wait=3s",
        ),
        (
            waits(Hold::Window { from: 7200, until: 14_400 }),
            Info,
            "failback-waits peer=000000000000000a interface=eth0 family=ipv4 reason=policy-window from=02:00 until=04:00",
        ),
        (
            waits(Hold::Damped { penalty: 3000, wait: second * 60 }),
            Info,
            "failback-waits peer=000000000000000a interface=eth0 family=ipv4 reason=damped penalty=3000 wait=60s",
        ),
        (back(address), Info, "failback peer=000000000000000a address=10.0.0.2 to=eth0"),
        (back(local), Debug, "failback peer=000000000000000a address=fe80::2 to=eth0"),
        (
            Notice::AddressFloats { address },
            Warn,
            "address-floats address=10.0.0.2 hint=\"two nodes that live claim it\" action=\"it is left alone\"",
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
            "port-filtered peer=000000000000000a interface=eth0 address=10.0.0.2 hint=\"its host answers ARP or ND but not our probes: does a firewall drop the port there or here?\"",
        ),
        (
            filtered(true),
            Info,
            "port-filtered peer=000000000000000a interface=eth0 address=10.0.0.2 hint=\"its host answers ARP or ND but not our probes: does a firewall drop the port there or here, or is it another host's address, that the peer only claims?\"",
        ),
        (
            Notice::BroadcastFiltered { peer, interface: interface() },
            Info,
            "broadcast-filtered peer=000000000000000a interface=eth0 action=\"asked by unicast from here on\"",
        ),
        (
            Notice::BroadcastHeard { peer, interface: interface() },
            Info,
            "broadcast-heard peer=000000000000000a interface=eth0",
        ),
        (
            Notice::LanMute { interface: interface() },
            Warn,
            "lan-mute interface=eth0 why=\"no address with a subnet: nobody can be probed there\" mend=\"ip addr add ADDRESS/LENGTH dev eth0; a /32 has no neighbours\"",
        ),
        (
            Notice::LanSilent { interface: interface() },
            Warn,
            "lan-silent interface=eth0 evidence=\"all peers silent, some heard elsewhere\"",
        ),
        (Notice::LanHeard { interface: interface() }, Info, "lan-heard interface=eth0"),
        (
            Notice::AllSilent { peers: 3 },
            Error,
            "all-silent peers=3 action=\"nothing is moved: it may be us\"",
        ),
        (Notice::SilenceEnded, Info, "silence-ended"),
        (
            Notice::IntervalRaised { interval: second * 2, paths: 4000, configured: second },
            Warn,
            "interval-changed interval=2s configured=1s paths=4000",
        ),
        (
            Notice::DrainSuspended { peer, interface: interface(), family },
            Warn,
            "drain-suspended peer=000000000000000a interface=eth0 family=ipv4 hint=\"it is offline, and nothing else reaches the peer: do not unplug it\"",
        ),
        (
            Notice::DrainResumed { peer, interface: interface(), family },
            Info,
            "drain-resumed peer=000000000000000a interface=eth0 family=ipv4",
        ),
        (
            Notice::Stalled { lag: second, interface: interface() },
            Warn,
            "stalled interface=eth0 lag=1s action=\"what was not heard meanwhile does not count\"",
        ),
    ] {
        assert_eq!((notice.level(), notice.to_string().as_str()), (level, line));
    }
}
