//! Real probes from a host with two LANs to a router, and to a host beyond it:
//!
//! ```text
//!          near                         router                         far
//!   lan-a  10.77.1.1  fd77:1::1 ------- 10.77.1.2  fd77:1::2
//!   lan-b  10.77.2.1  fd77:2::1 ------- 10.77.2.2  fd77:2::2
//!                                       10.77.9.1  fd77:9::1 -- wan -- 10.77.9.2  fd77:9::2
//! ```
//!
//! The default route of near leads by lan-a, rp_filter is 1, and by lan-b there is no route at all.

use std::time::Duration;

use mio::{Events, Poll};

use super::*;
use crate::config::Method;
use crate::daemon::clock;
use crate::net::lab::Namespace;
use crate::net::packet::bpf::all;
use crate::net::packet::{ARP, IPV4, PacketSocket};
use crate::packet::{Probe, ProbeId};
use crate::scratch::needs_root;
use crate::wire::echo;

const IDENTIFIER: u16 = 0xfa1d;

#[test]
fn a_host_on_the_link_answers_an_echo_and_arp_and_nd() {
    needs_root!();
    let mut lab = Lab::new();
    for (id, method) in [(1, Method::Echo), (2, Method::Neighbour)] {
        for (lan, source, target) in [
            ("lan-a", "10.77.1.1", "10.77.1.2"),
            ("lan-b", "10.77.2.1", "10.77.2.2"),
            ("lan-a", "fd77:1::1", "fd77:1::2"),
            ("lan-b", "fd77:2::1", "fd77:2::2"),
        ] {
            let before = clock::read().now;
            lab.send(&Probe { id: ProbeId(id), method, ..lab.probe(lan, source, target, None) });
            let answer = lab.answer().unwrap_or_else(|| panic!("{target} by {lan}, {method:?}"));
            assert_eq!((answer.id, answer.from), (ProbeId(id), ip(target)));
            assert_eq!(answer.interface, lab.near.index(lan));
            // The kernel's clock for stamps is cut to the tick at times.
            assert!(
                answer.arrived + Duration::from_millis(5) >= before && answer.arrived <= clock::read().now
            );
        }
    }
    assert_eq!(lab.probers.counters(), ProbeCounters { sent: 8, answered: 8, ..ProbeCounters::default() });
}

#[test]
fn a_host_beyond_the_router_is_asked_by_the_lan_that_no_route_uses() {
    needs_root!();
    let mut lab = Lab::new();
    for (source, target, router) in
        [("10.77.2.1", "10.77.9.2", "10.77.2.2"), ("fd77:2::1", "fd77:9::2", "fd77:2::2")]
    {
        let probe = lab.probe("lan-b", source, target, Some(router));
        lab.send(&probe);
        assert_eq!(lab.answer().map(|a| (a.from, a.interface)), Some((ip(target), lab.near.index("lan-b"))));
    }
    let router = lab.link_local("lan-b");
    lab.send(&lab.probe("lan-b", "fd77:2::1", "fd77:9::2", Some(&router)));
    assert_eq!(lab.answer().map(|a| a.from), Some(ip("fd77:9::2")));
}

#[test]
fn all_targets_of_a_router_that_is_not_known_yet_are_asked_once_it_is() {
    needs_root!();
    let mut lab = Lab::new();
    for (id, target) in [(1, "10.77.9.1"), (2, "10.77.9.2"), (3, "10.77.2.2")] {
        let probe = lab.probe("lan-b", "10.77.2.1", target, Some("10.77.2.2"));
        lab.send(&Probe { id: ProbeId(id), ..probe });
    }
    let mut ids: Vec<u64> = (0..3).map(|_| lab.answer().unwrap().id.0).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3]);
}

#[test]
fn a_router_with_another_mac_is_followed() {
    needs_root!();
    let mut lab = Lab::new();
    let probe = lab.probe("lan-b", "10.77.2.1", "10.77.9.2", Some("10.77.2.2"));
    lab.send(&probe);
    assert!(lab.answer().is_some());
    lab.router.ip("link set lan-b address 02:00:00:00:77:02");
    lab.send(&Probe { id: ProbeId(2), ..probe.clone() });
    assert_eq!(lab.answer_within(Duration::from_millis(250)), None, "it went to the old one");
    lab.send(&Probe { id: ProbeId(3), ..probe.clone() });
    lab.answer_within(Duration::from_millis(100));
    lab.send(&Probe { id: ProbeId(4), ..probe });
    assert_eq!(lab.answer().map(|a| a.id), Some(ProbeId(4)));
}

#[test]
fn nothing_but_the_answer_to_what_was_asked_is_an_answer() {
    needs_root!();
    let mut lab = Lab::new();
    lab.router.set("ipv4/icmp_echo_ignore_all", "1");
    let forger = lab.router.index("lan-b");
    let forger = lab.router.inside(|| PacketSocket::open(forger, IPV4, &all(None, &[])).unwrap());
    let probe = lab.probe("lan-b", "10.77.2.1", "10.77.2.2", None);
    lab.send(&probe);
    assert_eq!(lab.answer_within(Duration::from_millis(100)), None);
    let asked = echo::Echo {
        source: probe.source,
        destination: probe.target,
        hop_limit: 64,
        identifier: IDENTIFIER,
        sequence: probe.sequence,
        token: probe.id.0,
    };
    let mac = lab.near.mac("lan-b");
    for forged in [
        echo::Echo { identifier: 1, ..asked },
        echo::Echo { sequence: asked.sequence + 1, ..asked },
        echo::Echo { token: 0, ..asked },
        echo::Echo { token: 6, ..asked },
        echo::Echo { destination: ip("10.77.2.3"), ..asked },
        echo::Echo { source: ip("10.77.1.1"), ..asked },
    ] {
        forger.send(&echo::tests::reply(&forged), Some(mac)).unwrap();
    }
    let mut damaged = echo::tests::reply(&asked);
    damaged[30] ^= 1;
    forger.send(&damaged, Some(mac)).unwrap();
    assert_eq!(lab.answer_within(Duration::from_millis(100)), None);
    assert_eq!(lab.probers.counters().strange, 6, "another's identifier does not even wake us");
    let good = echo::tests::reply(&asked);
    forger.send(&good, Some(mac)).unwrap();
    forger.send(&good, Some(mac)).unwrap();
    assert_eq!(lab.answer().map(|a| (a.id, a.from)), Some((probe.id, probe.target)));
    assert_eq!(lab.answer_within(Duration::from_millis(100)), None, "the second one is none any more");
}

#[test]
fn who_told_where_it_is_without_being_asked_is_not_believed() {
    needs_root!();
    let mut lab = Lab::new();
    lab.router.set("ipv4/icmp_echo_ignore_all", "1");
    let probe = Probe { method: Method::Neighbour, ..lab.probe("lan-b", "10.77.2.1", "10.77.2.2", None) };
    lab.send(&probe);
    assert!(lab.answer().is_some());
    let index = lab.router.index("lan-b");
    let mut reply = vec![0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 9, 10, 77, 2, 2];
    reply.extend(lab.near.mac("lan-b").0);
    reply.extend([10, 77, 2, 1]);
    let forger = lab.router.inside(|| PacketSocket::open(index, ARP, &all(None, &[])).unwrap());
    forger.send(&reply, Some(lab.near.mac("lan-b"))).unwrap();
    assert_eq!(lab.answer_within(Duration::from_millis(100)), None);
    assert_eq!(lab.probers.counters().strange, 1);
}

#[test]
fn a_group_is_answered_by_who_is_there() {
    needs_root!();
    let mut lab = Lab::new();
    let probe = lab.probe("lan-b", "fd77:2::1", "ff02::1", None);
    lab.send(&Probe { hop_limit: 1, ..probe });
    assert_eq!(lab.answer().map(|a| a.from), Some(ip("fd77:2::2")));
}

/// The loopback interface plays the link: it asks for no address either.
#[test]
fn a_link_with_one_other_end_needs_no_hardware_address() {
    needs_root!();
    let mut lab = Lab::new();
    lab.near.ip("addr add 10.77.5.1/32 dev lo");
    lab.near.ip("addr add 10.77.5.2/32 dev lo");
    lab.near.set("ipv4/conf/lo/accept_local", "1");
    lab.own.push(ip("10.77.5.1"));
    lab.keep(&[ProbeEndpoint { mac: None, ..lab.endpoint("lo") }]);
    lab.send(&lab.probe("lo", "10.77.5.1", "10.77.5.2", None));
    assert_eq!(lab.answer().map(|a| a.from), Some(ip("10.77.5.2")));
    assert_eq!(lab.probers.sockets(), 1, "nobody was asked where it is");
}

#[test]
fn our_own_addresses_are_not_asked_and_others_are_not_asked_from() {
    needs_root!();
    let mut lab = Lab::new();
    lab.send(&lab.probe("lan-a", "10.77.1.1", "10.77.2.1", None));
    lab.send(&lab.probe("lan-a", "10.77.1.77", "10.77.1.2", None));
    lab.send(&lab.probe("lan-a", "10.77.1.1", "fd77:1::2", None));
    lab.send(&Probe { method: Method::Peer, ..lab.probe("lan-a", "10.77.1.1", "10.77.1.2", None) });
    assert_eq!(lab.probers.counters(), ProbeCounters { refused: 4, ..ProbeCounters::default() });
}

#[test]
fn an_interface_that_was_made_again_gets_new_sockets_and_one_that_is_left_has_none() {
    needs_root!();
    let mut lab = Lab::new();
    let probe = lab.probe("lan-b", "10.77.2.1", "10.77.2.2", None);
    assert_eq!(lab.probers.sockets(), 0, "none before the first probe");
    lab.send(&probe);
    assert!(lab.answer().is_some());
    assert_eq!(lab.probers.sockets(), 2);
    lab.near.ip("link del lan-b");
    lab.send(&probe);
    assert_eq!(lab.probers.counters().refused, 1);
    lab.near.ip("link add lan-z type veth peer name lan-y");
    lab.link("lan-b", 2);
    let endpoints = lab.endpoints(&["lan-a", "lan-b"]);
    lab.keep(&endpoints);
    assert_eq!(lab.probers.sockets(), 0);
    lab.send(&lab.probe("lan-b", "10.77.2.1", "10.77.2.2", None));
    assert!(lab.answer().is_some());
    lab.keep(&endpoints);
    assert_eq!(lab.probers.sockets(), 2, "nothing has changed");
    lab.keep(&[]);
    assert_eq!(lab.probers.sockets(), 0);
}

#[test]
fn a_flood_of_replies_that_are_none_costs_a_bounded_turn() {
    needs_root!();
    let mut lab = Lab::new();
    let probe = lab.probe("lan-b", "10.77.2.1", "10.77.2.2", None);
    lab.send(&probe);
    assert!(lab.answer().is_some());
    let index = lab.router.index("lan-b");
    let forger = lab.router.inside(|| PacketSocket::open(index, IPV4, &all(None, &[])).unwrap());
    let echo = echo::Echo {
        source: probe.source,
        destination: probe.target,
        hop_limit: 64,
        identifier: IDENTIFIER,
        sequence: 1,
        token: 99,
    };
    let mac = lab.near.mac("lan-b");
    for _ in 0..2000 {
        forger.send(&echo::tests::reply(&echo), Some(mac)).unwrap();
    }
    lab.wait(Duration::from_millis(50), |_| false);
    assert_eq!(lab.probers.next_answer(clock::read()), None);
    assert!(lab.probers.is_readable());
    assert_eq!(lab.probers.counters().strange, u64::from(READINGS));
    while lab.probers.is_readable() {
        assert_eq!(lab.probers.next_answer(clock::read()), None);
    }
    // The kernel tells with the next packet how many it has lost.
    lab.send(&Probe { id: ProbeId(100), ..probe });
    assert!(lab.answer().is_some());
    let ProbeCounters { strange, overflowed, .. } = lab.probers.counters();
    assert_eq!(strange + overflowed, 2000);
}

struct Lab {
    near: Namespace,
    router: Namespace,
    far: Namespace,
    poll: Poll,
    probers: Probers,
    own: Vec<IpAddr>,
}

impl Lab {
    fn new() -> Self {
        let poll = Poll::new().unwrap();
        let probers = Probers::new(poll.registry().try_clone().unwrap(), IDENTIFIER);
        let own = ["10.77.1.1", "10.77.2.1", "fd77:1::1", "fd77:2::1"].map(ip).to_vec();
        let [near, router, far] = [(); 3].map(|()| Namespace::new());
        let mut lab = Self { near, router, far, poll, probers, own };
        lab.router.set("ipv4/ip_forward", "1");
        lab.router.set("ipv6/conf/all/forwarding", "1");
        lab.link("lan-a", 1);
        lab.link("lan-b", 2);
        lab.beyond();
        lab.near.ip("route add default via 10.77.1.2 dev lan-a");
        lab.near.ip("-6 route add default via fd77:1::2 dev lan-a");
        lab.near.set("ipv4/conf/all/rp_filter", "1");
        let endpoints = lab.endpoints(&["lan-a", "lan-b"]);
        lab.keep(&endpoints);
        lab.settle();
        lab
    }

    fn link(&mut self, name: &str, lan: u8) {
        self.near.join(name, &self.router);
        for (number, host) in [(1, &self.near), (2, &self.router)] {
            // By lan-b there is no route: the address stands alone.
            let (v4, v6) = if (number, lan) == (1, 2) { (32, 128) } else { (24, 64) };
            host.ip(&format!("addr add 10.77.{lan}.{number}/{v4} dev {name}"));
            host.ip(&format!("addr add fd77:{lan}::{number}/{v6} dev {name} nodad"));
            host.set(&format!("ipv6/conf/{name}/accept_dad"), "0");
            host.ip(&format!("link set {name} up"));
        }
    }

    fn beyond(&self) {
        self.router.join("wan", &self.far);
        for (number, host) in [(1, &self.router), (2, &self.far)] {
            host.ip(&format!("addr add 10.77.9.{number}/24 dev wan"));
            host.ip(&format!("addr add fd77:9::{number}/64 dev wan nodad"));
            host.ip("link set wan up");
        }
        self.far.ip("route add default via 10.77.9.1");
        self.far.ip("-6 route add default via fd77:9::1");
    }

    /// Links come up one after the other, up to a second apart; only then is IPv6 heard.
    fn settle(&self) {
        let end = clock::read().now + Duration::from_secs(10);
        let is_ready = |host: &Namespace, links: usize| {
            let shown = host.said("-6 -o addr show scope link");
            shown.lines().count() == links && !shown.contains("tentative")
        };
        while !(is_ready(&self.near, 2) && is_ready(&self.router, 3) && is_ready(&self.far, 1)) {
            assert!(clock::read().now < end, "links are not up");
        }
    }

    fn endpoint(&self, name: &str) -> ProbeEndpoint {
        let index = self.near.index(name);
        ProbeEndpoint { interface: index, name: name.to_owned(), mac: None, link_local: None }
    }

    fn endpoints(&self, names: &[&str]) -> Vec<ProbeEndpoint> {
        let endpoint = |name: &&str| ProbeEndpoint { mac: Some(self.near.mac(name)), ..self.endpoint(name) };
        names.iter().map(endpoint).collect()
    }

    fn keep(&mut self, endpoints: &[ProbeEndpoint]) {
        self.near.enter();
        self.probers.keep(endpoints, self.own.iter().copied());
    }

    /// The router's link-local address on a LAN.
    fn link_local(&self, lan: &str) -> String {
        let shown = self.router.said(&format!("-6 -o addr show dev {lan} scope link"));
        let prefix = shown.split_whitespace().nth(3).unwrap();
        prefix.split('/').next().unwrap().to_owned()
    }

    fn probe(&self, lan: &str, source: &str, target: &str, next_hop: Option<&str>) -> Probe {
        Probe {
            id: ProbeId(7),
            interface: self.near.index(lan),
            method: Method::Echo,
            source: ip(source),
            target: ip(target),
            next_hop: next_hop.map(ip),
            hop_limit: 64,
            sequence: 1,
        }
    }

    fn send(&mut self, probe: &Probe) {
        self.near.enter();
        self.probers.send(clock::read().now, probe);
    }

    fn answer(&mut self) -> Option<Answer> {
        self.answer_within(Duration::from_secs(2))
    }

    fn answer_within(&mut self, limit: Duration) -> Option<Answer> {
        self.near.enter();
        let mut answer = None;
        self.wait(limit, |lab| {
            answer = lab.probers.next_answer(clock::read());
            answer.is_some()
        });
        answer
    }

    /// Polls until `done` or the limit.
    fn wait(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) {
        let end = clock::read().now + limit;
        let mut events = Events::with_capacity(16);
        while !done(self) && clock::read().now < end {
            // Threads of other tests have children, whose signals interrupt it.
            match self.poll.poll(&mut events, Some(end.since(clock::read().now))) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                result => result.unwrap(),
            }
            for event in &events {
                assert!(self.probers.handle_readable(event.token()));
            }
        }
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}
