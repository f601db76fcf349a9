//! Real sockets between two hosts on two LANs, each host a network namespace of the test's own thread:
//!
//! ```text
//!          near                         far
//!   lan-a  10.77.1.1  fd77:1::1 ------- 10.77.1.2  fd77:1::2
//!   lan-b  10.77.2.1  fd77:2::1 ------- 10.77.2.2  fd77:2::2
//! ```

use std::ops::Deref;

use mio::{Events, Poll};

use super::lab::Namespace;
use super::*;
use crate::daemon::clock;
use crate::scratch::needs_root;

const PORT: u16 = 64029;

#[test]
fn a_broadcast_reaches_the_other_host_with_all_that_the_kernel_knows_of_it() {
    needs_root!();
    let mut lab = Lab::new();
    for destination in ["255.255.255.255", "10.77.1.255"] {
        let before = clock::read().now;
        lab.near.send("lan-a", "10.77.1.1", destination, b"inq");
        let got = lab.far.receive();
        assert_eq!(got.interface, "lan-a");
        assert_eq!((got.source, got.destination), (ip("10.77.1.1"), ip(destination)));
        assert_eq!((got.hop_limit, got.payload.as_slice()), (255, &b"inq"[..]));
        // The kernel's clock for stamps is cut to the tick at times.
        assert!(got.arrived + Duration::from_millis(5) >= before, "{} before {before}", got.arrived);
        assert!(got.arrived <= got.now, "{} after {}", got.arrived, got.now);
    }
}

#[test]
fn a_late_reader_sees_when_it_came() {
    needs_root!();
    const LATE: Duration = Duration::from_millis(100);
    let mut lab = Lab::new();
    let mut is_seen = || {
        lab.near.send("lan-a", "10.77.1.1", "10.77.1.2", b"inq");
        lab.far.wait(LATE, |_| false);
        let got = lab.far.take(clock::read()).expect("it was delivered");
        got.now.since(got.arrived) > LATE / 2
    };
    // A worker of the kernel turns the stamps on after the first socket has asked for them (Linux 6.18).
    assert!((0..50).any(|_| is_seen()));
}

#[test]
fn multicast_on_the_link_reaches_the_other_host_and_not_ourselves() {
    needs_root!();
    let mut lab = Lab::new();
    for group in ["ff02::1", "ff02::fa1d"] {
        lab.near.send("lan-b", "fd77:2::1", group, b"inq");
        let got = lab.far.receive();
        assert_eq!((got.interface.as_str(), got.hop_limit), ("lan-b", 255));
        assert_eq!((got.source, got.destination), (ip("fd77:2::1"), ip(group)));
        assert_eq!(lab.near.receive_within(Duration::from_millis(50)), None);
    }
}

#[test]
fn a_unicast_leaves_by_its_interface_whatever_the_routing_table_says() {
    needs_root!();
    let mut lab = Lab::new();
    lab.near.ip("route add 10.77.1.2/32 via 10.77.2.2 dev lan-b src 10.77.1.1");
    lab.near.ip("-6 route add fd77:1::2/128 via fd77:2::2 dev lan-b src fd77:1::1");
    for (source, destination) in [("10.77.1.1", "10.77.1.2"), ("fd77:1::1", "fd77:1::2")] {
        lab.near.send("lan-a", source, destination, b"inq");
        let got = lab.far.receive();
        assert_eq!((got.interface.as_str(), got.source), ("lan-a", ip(source)));
    }
}

#[test]
fn a_source_that_is_not_ours_is_refused_and_counted() {
    needs_root!();
    let mut lab = Lab::new();
    lab.near.send("lan-a", "fd77:1::77", "fd77:1::2", b"inq");
    lab.near.send("lan-a", "10.77.1.77", "10.77.1.2", b"inq");
    assert_eq!(lab.far.receive_within(Duration::from_millis(50)), None);
    assert_eq!((lab.near.sockets.counters().refused, lab.near.sockets.counters().sent), (2, 0));
}

#[test]
fn a_datagram_that_is_too_long_is_seen_to_be() {
    needs_root!();
    let mut lab = Lab::new();
    lab.near.send("lan-a", "10.77.1.1", "10.77.1.2", &[7; 4000]);
    assert_eq!(lab.far.receive().payload.len(), BUFFER);
}

#[test]
fn an_interface_that_was_made_again_gets_new_sockets() {
    needs_root!();
    let mut lab = Lab::new();
    lab.near.ip("link del lan-a");
    lab.near.send("lan-a", "10.77.1.1", "10.77.1.2", b"lost");
    assert_eq!(lab.near.sockets.counters().refused, 1);
    lab.near.ip("link add lan-z type veth peer name lan-y");
    lab.link("lan-a", 1);
    lab.near.endpoints();
    lab.far.endpoints();
    for (source, destination) in [("10.77.1.1", "255.255.255.255"), ("fd77:1::1", "ff02::fa1d")] {
        lab.near.send("lan-a", source, destination, b"inq");
        assert_eq!(lab.far.receive().source, ip(source));
    }
}

#[test]
fn keeping_the_same_lans_keeps_the_sockets() {
    needs_root!();
    let mut lab = Lab::new();
    lab.near.send("lan-a", "10.77.1.1", "10.77.1.2", b"inq");
    lab.far.wait(Duration::from_millis(50), |_| false);
    assert!(lab.far.endpoints());
    assert_eq!(lab.far.receive().payload, b"inq", "it lay in the socket that was kept");
}

#[test]
fn a_port_that_is_taken_is_retried() {
    needs_root!();
    let mut lab = Lab::new();
    for lan in ["lan-a", "lan-b"] {
        let index = lab.near.index(lan);
        lab.near.sockets.close(index);
    }
    let thief = lab.near.inside(|| std::net::UdpSocket::bind(("0.0.0.0", PORT)).unwrap());
    assert!(!lab.near.endpoints());
    drop(thief);
    assert!(lab.near.endpoints());
}

#[test]
fn an_overflow_of_the_receive_queue_is_told() {
    needs_root!();
    let mut lab = Lab::new();
    for _ in 0..20_000 {
        lab.near.send("lan-a", "10.77.1.1", "10.77.1.2", b"x");
    }
    while lab.far.receive_within(Duration::from_millis(100)).is_some() {}
    assert_eq!(lab.far.overflows, 0, "the kernel tells with the next datagram");
    lab.near.send("lan-a", "10.77.1.1", "10.77.1.2", b"y");
    assert_eq!(lab.far.receive().payload, b"y");
    assert_eq!(lab.far.receive_within(Duration::from_millis(20)), None);
    let counters = lab.far.sockets.counters();
    assert_eq!((lab.far.overflows, counters.received + counters.overflowed), (1, 20_001));
}

#[test]
fn a_flood_on_one_lan_does_not_keep_the_other_waiting() {
    needs_root!();
    let mut lab = Lab::new();
    for _ in 0..100 {
        lab.near.send("lan-a", "10.77.1.1", "10.77.1.2", b"flood");
    }
    lab.near.send("lan-b", "10.77.2.1", "10.77.2.2", b"inq");
    lab.far.wait(Duration::from_millis(50), |_| false);
    let first = [lab.far.receive(), lab.far.receive(), lab.far.receive()];
    assert!(first.iter().any(|got| got.interface == "lan-b"));
}

#[test]
fn arp_requests_and_solicitations_are_answered() {
    needs_root!();
    let mut lab = Lab::new();
    for (source, target) in [("10.77.1.1", "10.77.1.2"), ("fd77:1::1", "fd77:1::2")] {
        lab.near.solicit("lan-a", source, target);
        assert_eq!(lab.near.answer(), Some(("lan-a".to_owned(), ip(target))));
        lab.near.solicit("lan-a", source, &target.replace('2', "9"));
        assert_eq!(lab.near.answer(), None);
    }
    assert_eq!(lab.near.sockets.counters().solicitations_answered, 2);
}

#[test]
fn tokens_tell_their_sockets_and_rooms() {
    let families = [Family::V4, Family::V6].into_iter();
    let kinds = families.flat_map(|family| [Kind::Udp(family), Kind::Neighbour(family), Kind::Echo(family)]);
    let kinds: Vec<Kind> = kinds.collect();
    for interface in [1, 7, u32::MAX / 2] {
        for kind in &kinds {
            let key = Key { interface: InterfaceIndex(interface), kind: *kind };
            for (room, other) in [(Room::Sockets, Room::Probers), (Room::Probers, Room::Sockets)] {
                assert_eq!(Key::of(key.token(room), room), Some(key));
                assert_eq!(Key::of(key.token(room), other), None);
            }
        }
    }
    for room in [Room::Sockets, Room::Probers] {
        assert_eq!(Key::of(Token(Sockets::FOREIGN | 4), room), None);
    }
}

#[test]
fn a_step_of_the_wall_clock_leaves_arrivals_in_the_past_that_we_know() {
    let moment = Moment { now: Instant::from_nanos(100_000_000_000), realtime: Duration::from_secs(5000) };
    let ago = |stamp: u64| moment.now.since(moment.arrival(Duration::from_secs(stamp)));
    assert_eq!(ago(4999), Duration::from_secs(1));
    assert_eq!(ago(6000), Duration::ZERO);
    assert_eq!(ago(10), OLDEST);
}

/// What a test looks at of a datagram.
#[derive(Debug, PartialEq, Eq)]
struct Got {
    interface: String,
    source: IpAddr,
    destination: IpAddr,
    hop_limit: u8,
    payload: Vec<u8>,
    arrived: Instant,
    now: Instant,
}

struct Lab {
    near: Host,
    far: Host,
}

impl Lab {
    fn new() -> Self {
        let mut lab = Lab { near: Host::new(1), far: Host::new(2) };
        lab.link("lan-a", 1);
        lab.link("lan-b", 2);
        assert!(lab.near.endpoints() && lab.far.endpoints());
        lab
    }

    fn link(&mut self, name: &str, lan: u8) {
        self.near.join(name, &self.far);
        for host in [&self.near, &self.far] {
            host.ip(&format!("addr add 10.77.{lan}.{}/24 dev {name} brd +", host.number));
            host.ip(&format!("addr add fd77:{lan}::{}/64 dev {name} nodad", host.number));
            host.ip(&format!("link set {name} up"));
        }
    }
}

struct Host {
    number: u8,
    namespace: Namespace,
    poll: Poll,
    sockets: Sockets,
    overflows: u32,
}

impl Deref for Host {
    type Target = Namespace;

    fn deref(&self) -> &Namespace {
        &self.namespace
    }
}

impl Host {
    fn new(number: u8) -> Self {
        let namespace = Namespace::new();
        let poll = Poll::new().unwrap();
        let sockets = Sockets::new(poll.registry().try_clone().unwrap(), PORT);
        Self { number, namespace, poll, sockets, overflows: 0 }
    }

    fn name(&self, index: InterfaceIndex) -> String {
        let found = ["lan-a", "lan-b"].into_iter().find(|name| self.index(name) == index);
        found.unwrap_or("?").to_owned()
    }

    fn endpoints(&mut self) -> bool {
        let wanted = ["lan-a", "lan-b"].map(|name| Endpoint {
            interface: self.index(name),
            name: name.to_owned(),
            mac: Some(self.mac(name)),
            ipv4: true,
            ipv6: true,
            multicast_group: "ff02::fa1d".parse().unwrap(),
        });
        self.namespace.enter();
        self.sockets.keep(&wanted)
    }

    fn send(&mut self, interface: &str, source: &str, destination: &str, payload: &[u8]) {
        let transmit = Transmit {
            interface: self.last_known(interface),
            source: ip(source),
            destination: ip(destination),
            payload: payload.to_vec(),
        };
        self.sockets.send(&transmit);
    }

    fn solicit(&mut self, interface: &str, source: &str, target: &str) {
        let interface = self.last_known(interface);
        self.namespace.enter();
        self.sockets.solicit(interface, ip(source), ip(target));
    }

    fn last_known(&self, interface: &str) -> InterfaceIndex {
        self.sockets.endpoints.values().find(|endpoint| endpoint.name == interface).unwrap().interface
    }

    fn receive(&mut self) -> Got {
        self.receive_within(Duration::from_secs(2)).expect("a datagram within two seconds")
    }

    fn receive_within(&mut self, limit: Duration) -> Option<Got> {
        let mut got = None;
        self.wait(limit, |host| {
            got = host.take(clock::read());
            got.is_some()
        });
        got
    }

    fn take(&mut self, moment: Moment) -> Option<Got> {
        loop {
            let input = self.sockets.next_arrival(moment)?;
            if let Arrival::Overflow(_) = input {
                self.overflows += 1;
                continue;
            }
            let Arrival::Datagram(datagram) = input else { panic!("{input:?}") };
            let mut got = Got {
                interface: datagram.interface.to_string(),
                source: datagram.source,
                destination: datagram.destination,
                hop_limit: datagram.hop_limit,
                payload: datagram.payload.to_vec(),
                arrived: datagram.arrived,
                now: moment.now,
            };
            got.interface = self.name(InterfaceIndex(got.interface.parse().unwrap()));
            return Some(got);
        }
    }

    fn answer(&mut self) -> Option<(String, IpAddr)> {
        let mut found = None;
        self.wait(Duration::from_millis(500), |host| {
            if let Some(Arrival::NeighbourAnswered { interface, address }) =
                host.sockets.next_arrival(clock::read())
            {
                found = Some((host.name(interface), address));
            }
            found.is_some()
        });
        found
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
                assert!(self.sockets.handle_readable(event.token()));
            }
        }
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}
