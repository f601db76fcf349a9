//! A host with two providers, whose routers run no faild, and the Internet behind both.
//!
//! ```text
//!            wan0 192.0.2.10      LAN A      192.0.2.1    r1  10.77.3.1 --+
//!       h1                                                                +-- LAN C -- 10.77.3.9  net  203.0.113.53, .54
//!            wan1 198.51.100.10   LAN B   198.51.100.1    r2  10.77.3.2 --+            (on its lo) 2001:db8:53::53, ::54
//! ```
//!
//! IPv6: 2001:db8:a::10 and 2001:db8:b::10; both routers are fe80::1 on their own link. The addresses are those of the
//! examples in `examples/config`.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::clock::now;
use super::host::On;
use super::traffic::Background;
use super::{BOTH, Daemon, Host, Lab, Meter, wait_until};

/// A router: its place on the host's side, and on LAN C.
struct Router {
    name: &'static str,
    lan: char,
    v4: &'static str,
    v6: &'static str,
    inside: u8,
}

const ROUTERS: [Router; 2] = [
    Router { name: "r1", lan: 'A', v4: "192.0.2", v6: "2001:db8:a", inside: 1 },
    Router { name: "r2", lan: 'B', v4: "198.51.100", v6: "2001:db8:b", inside: 2 },
];

/// The targets beyond both uplinks.
pub(crate) const TARGET: &str = "203.0.113.53";
pub(crate) const OTHER_TARGET: &str = "203.0.113.54";
pub(crate) const TARGET_V6: &str = "2001:db8:53::53";

/// The lab; faults as in [`Lab`].
pub(crate) struct Uplinks {
    lab: Lab,
}

/// How the routes of the host come to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Routed {
    /// Default routes by both, metrics 100 and 200.
    Statically,
    /// The test makes them.
    Not,
}

impl Deref for Uplinks {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.lab
    }
}

impl Uplinks {
    /// Addresses everywhere, routes as it is said.
    pub(crate) fn new(routed: Routed) -> Self {
        Self::build(Lab::new(0, "ABC"), routed)
    }

    /// The same, while no other lab stands (see [`Lab::alone`]).
    pub(crate) fn alone(routed: Routed) -> Self {
        Self::build(Lab::alone(0, "ABC"), routed)
    }

    fn build(mut lab: Lab, routed: Routed) -> Self {
        for (number, name) in (1_u8..).zip(["h1", "r1", "r2", "net"]) {
            let prefix = lab.switch.netns().trim_end_matches("-sw").to_owned();
            let on = On { lans: "", families: BOTH };
            let host = Host::new(&prefix, name, number, on, &lab.directory);
            lab.hosts.push(host);
        }
        let uplinks = Self { lab };
        let net = uplinks.internet();
        net.plug("inside", 'C', uplinks.switch());
        net.ip("addr add 10.77.3.9/24 dev inside");
        net.ip("addr add fd77:3::9/64 dev inside nodad");
        for target in [TARGET, OTHER_TARGET, "203.0.113.55", TARGET_V6, "2001:db8:53::54"] {
            net.ip(&format!("addr add {target} dev lo"));
        }
        for (place, router) in ROUTERS.iter().enumerate() {
            uplinks.add_router(router);
            uplinks.add_uplink(place, router, routed);
        }
        uplinks
    }

    fn add_router(&self, router: &Router) {
        let Router { name, lan, v4, v6, inside } = router;
        let (host, net) = (self.named(name), self.internet());
        host.sysctl("net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
        host.plug("outside", *lan, self.switch());
        host.plug("inside", 'C', self.switch());
        host.ip(&format!("addr add {v4}.1/24 dev outside"));
        host.ip(&format!("addr add {v6}::1/64 dev outside nodad"));
        host.ip("addr add fe80::1/64 dev outside nodad");
        host.ip(&format!("addr add 10.77.3.{inside}/24 dev inside"));
        host.ip(&format!("addr add fd77:3::{inside}/64 dev inside nodad"));
        host.ip("route add default via 10.77.3.9");
        host.ip("route add default via fd77:3::9");
        net.ip(&format!("route add {v4}.0/24 via 10.77.3.{inside}"));
        net.ip(&format!("route add {v6}::/64 via fd77:3::{inside}"));
    }

    fn add_uplink(&self, place: usize, router: &Router, routed: Routed) {
        let Router { lan, v4, v6, .. } = router;
        let (host, metric) = (self.host(1), 100 * (place + 1));
        host.plug(&format!("wan{place}"), *lan, self.switch());
        if routed == Routed::Statically {
            host.ip(&format!("addr add {v4}.10/24 dev wan{place}"));
            host.ip(&format!("addr add {v6}::10/64 dev wan{place} nodad"));
            host.ip(&format!("route add default via {v4}.1 metric {metric}"));
            host.ip(&format!("route add default via fe80::1 dev wan{place} metric {metric}"));
        }
    }

    fn named(&self, name: &str) -> &Host {
        self.hosts().iter().find(|host| host.name() == name).expect("no such host")
    }

    /// What is behind both routers.
    pub(crate) fn internet(&self) -> &Host {
        self.named("net")
    }

    /// Router 1 or 2.
    pub(crate) fn router(&self, number: u8) -> &Host {
        self.host(number + 1)
    }

    /// Starts `faild` on the host with these settings, and waits until all next hops are judged.
    #[track_caller]
    pub(crate) fn start(&self, toml: &str) -> Daemon<'_> {
        self.start_with(toml, "")
    }

    /// The same with further flags.
    #[track_caller]
    pub(crate) fn start_with(&self, toml: &str, flags: &str) -> Daemon<'_> {
        let host = self.host(1);
        let daemon = host.faild_with(&format!("{} {flags}", host.configure(toml)));
        if toml.contains("[[route]]") {
            self.wait_judged();
        }
        daemon
    }

    /// Waits until every next hop of the host works or has failed.
    #[track_caller]
    pub(crate) fn wait_judged(&self) {
        wait_until("all next hops are judged", PATIENCE, || {
            let answer = self.host(1).faildctl("routes --json").text;
            let is_open = answer.contains("\"next_hops\":[]") || answer.contains("\"unknown\"");
            answer.contains("next_hops") && !is_open
        });
    }

    /// Datagrams to a target from whatever address the host's routes say.
    pub(crate) fn meter(&self, target: &str) -> Meter {
        let target: IpAddr = target.parse().expect("an address");
        let any: IpAddr = if target.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
        Meter::start(self.host(1), any, self.internet(), target)
    }

    /// Waits until packets to a target leave by this interface.
    #[track_caller]
    pub(crate) fn wait_by(&self, interface: &str, target: &str) {
        let target: IpAddr = target.parse().expect("an address");
        let host = self.host(1);
        wait_until(&format!("{target} is reached by {interface}"), PATIENCE, || {
            host.way_to(target).as_deref() == Some(interface)
        });
    }

    /// A router whose outside is gone: silent, and its link down, which nobody at the other end of the switch sees.
    pub(crate) fn kill_router(&self, number: u8) {
        self.router(number).ip("link set outside down");
    }

    /// As if it had booted.
    pub(crate) fn revive_router(&self, number: u8) {
        let output = self.router(number).sh(&Self::revival(number));
        assert!(output.status.success(), "a router does not come back: {output:?}");
    }

    /// The commands for it. The addresses went with the link.
    pub(crate) fn revival(number: u8) -> String {
        let prefix = ROUTERS[usize::from(number) - 1].v6;
        format!(
            "ip link set outside up\nip addr replace {prefix}::1/64 dev outside nodad\n\
             ip addr replace fe80::1/64 dev outside nodad\n"
        )
    }

    /// From here on the targets answer pings from this address so many milliseconds late, until the answer to this is
    /// finished. Other pings are answered at once.
    pub(crate) fn slow_answers(&self, from: &str, milliseconds: u64) -> Background<()> {
        let from: Ipv4Addr = from.parse().expect("an address");
        let net = self.internet();
        net.sysctl("net.ipv4.icmp_echo_ignore_all=1");
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let delay = Duration::from_millis(milliseconds);
        let thread = net.thread(move || {
            let answered = answer_pings(from, delay, &told);
            // From here on the kernel answers again.
            std::fs::write("/proc/sys/net/ipv4/icmp_echo_ignore_all", "0")?;
            answered
        });
        Background { stop, thread }
    }

    /// The address that packets to a target come from.
    pub(crate) fn source_to(&self, target: &str) -> String {
        let route = self.host(1).ip(&format!("route get {target}"));
        let mut words = route.split_whitespace().skip_while(|word| *word != "src");
        words.nth(1).unwrap_or_default().to_owned()
    }
}

/// Answers pings in the place of the kernel, those of `slow` after `delay`.
fn answer_pings(slow: Ipv4Addr, delay: Duration, stop: &AtomicBool) -> io::Result<()> {
    let mut socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
    socket.set_read_timeout(Some(Duration::from_millis(2)))?;
    let (mut waiting, mut buffer) = (VecDeque::new(), [0; 2048]);
    while !stop.load(Ordering::Relaxed) {
        if let Ok(length) = socket.read(&mut buffer)
            && let Some((from, to, reply)) = reply_to(&buffer[..length])
        {
            let wait = if from == slow { delay } else { Duration::ZERO };
            waiting.push_back((now() + wait, from, to, reply));
        }
        let due = now();
        for (at, from, to, reply) in std::mem::take(&mut waiting) {
            if at <= due {
                send_reply(from, to, &reply)?;
            } else {
                waiting.push_back((at, from, to, reply));
            }
        }
    }
    Ok(())
}

/// Who asks, who was asked, and the answer, if a packet is an ICMP echo request.
fn reply_to(packet: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr, Vec<u8>)> {
    let address = |at: usize| <[u8; 4]>::try_from(packet.get(at..at + 4)?).ok().map(Ipv4Addr::from);
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let request = packet.get(header..).filter(|icmp| icmp.first() == Some(&8))?;
    let mut reply = request.to_vec();
    reply[0] = 0;
    // Type 8 less in the first word of the sum: RFC 1624.
    let sum = u32::from(u16::from_be_bytes([reply[2], reply[3]])) + 0x0800;
    let sum = u16::try_from((sum & 0xffff) + (sum >> 16)).ok()?;
    reply[2..4].copy_from_slice(&sum.to_be_bytes());
    Some((address(12)?, address(16)?, reply))
}

fn send_reply(to: Ipv4Addr, from: Ipv4Addr, reply: &[u8]) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
    socket.bind(&SocketAddr::new(from.into(), 0).into())?;
    // No way back is one of the things that are tested.
    let _ = socket.send_to(reply, &SocketAddr::new(to.into(), 0).into());
    Ok(())
}

const PATIENCE: Duration = Duration::from_secs(20);
