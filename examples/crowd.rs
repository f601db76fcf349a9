//! Many hosts in one process, to see what one daemon costs among them: each answers the daemon's INQs and sends its own
//! broadcasts, as a real one would whose ways are all in order.
//!
//! ```text
//! crowd COUNT INTERVAL_MS INTERFACE BASE [INTERFACE BASE]...      plays until it is killed
//! ```
//!
//! Host n has the address BASE + n + 1 on each LAN. The addresses must be local in the network namespace of the crowd
//! (`ip route add local 10.1.0.0/17 dev lanA`), and the daemon alone in another at the other end of each LAN.

use std::collections::BTreeMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use faild::interface::Family;
use faild::wire::{
    BootId, Directed, Keys, Kind, LanIndex, Level, NodeId, Nonce, Packet, PathReport, Sealing, Sender, Token,
    decode, encode,
};
use nix::libc;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::sockopt::{Ipv4PacketInfo, RcvBufForce};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt,
};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};

#[path = "../tests/lab/clock.rs"]
#[expect(dead_code, reason = "the tests wait for more than this program does")]
mod clock;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match Crowd::new(&arguments).and_then(|mut crowd| crowd.play()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crowd: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Crowd {
    interval: Duration,
    lans: Vec<Lan>,
    hosts: Vec<Host>,
    /// The daemon, once it was heard.
    daemon: Option<Sender>,
    agenda: BTreeMap<(Instant, u64), Task>,
    keys: Keys,
    random: u64,
}

struct Lan {
    socket: Socket,
    base: u32,
    /// The daemon's number of it.
    index: Option<LanIndex>,
}

/// What a host holds of the daemon's words to it.
#[derive(Clone, Default)]
struct Host {
    sequence: u32,
    report_generation: u32,
}

#[derive(Clone, Copy)]
enum Task {
    /// The host's broadcast on a LAN is due.
    Ask { host: usize, lan: usize },
    /// The host's answer to a broadcast is.
    Answer { host: usize, lan: usize, to: Ipv4Addr, echo: Nonce, length: usize, arrived: Instant },
}

impl Crowd {
    fn new(arguments: &[String]) -> io::Result<Self> {
        let [count, interval, lans @ ..] = arguments else { return Err(usage()) };
        let count: u32 = count.parse().map_err(|_| usage())?;
        let lans: Vec<Lan> =
            lans.chunks_exact(2).map(|lan| Lan::open(&lan[0], &lan[1])).collect::<io::Result<_>>()?;
        let mut crowd = Self {
            interval: Duration::from_millis(interval.parse().map_err(|_| usage())?),
            hosts: vec![Host::default(); usize::try_from(count).map_err(|_| usage())?],
            lans,
            daemon: None,
            agenda: BTreeMap::new(),
            keys: Keys::default(),
            random: 1,
        };
        for host in 0..crowd.hosts.len() {
            for lan in 0..crowd.lans.len() {
                let phase = crowd.between_zero_and(crowd.interval);
                crowd.at(clock::now() + phase, Task::Ask { host, lan });
            }
        }
        Ok(crowd)
    }

    fn play(&mut self) -> io::Result<()> {
        loop {
            let now = clock::now();
            while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= now) {
                let task = entry.remove();
                self.carry_out(now, task)?;
            }
            let next = self.agenda.keys().next().map_or(self.interval, |(at, _)| *at - now);
            let sockets: Vec<_> = self.lans.iter().map(|lan| lan.socket.as_fd()).collect();
            let mut polled: Vec<_> = sockets.into_iter().map(|s| PollFd::new(s, PollFlags::POLLIN)).collect();
            ppoll(&mut polled, Some(TimeSpec::from_duration(next)), None)?;
            for lan in 0..self.lans.len() {
                while let Some((from, to, datagram)) = self.lans[lan].receive()? {
                    self.take(lan, from, to, &datagram)?;
                }
            }
        }
    }

    fn carry_out(&mut self, now: Instant, task: Task) -> io::Result<()> {
        match task {
            Task::Ask { host, lan } => {
                self.hosts[host].sequence += 1;
                let jitter = self.between_zero_and(self.interval / 4);
                self.at(now + self.interval - jitter, Task::Ask { host, lan });
                let packet = Packet { kind: Kind::Inquiry, ..self.packet(host, lan) };
                let packet = Packet { directed: None, reports: None, ..packet };
                self.send(host, lan, Ipv4Addr::BROADCAST, &packet, None)
            }
            Task::Answer { host, lan, to, echo, length, arrived } => {
                let kind = Kind::Acknowledgement { echo, held: now - arrived };
                let packet = Packet { kind, ..self.packet(host, lan) };
                self.send(host, lan, to, &packet, Some(length))
            }
        }
    }

    /// The daemon's INQs are answered: a broadcast by all, each when it may; one to a host alone by that one, at once.
    fn take(&mut self, lan: usize, from: Ipv4Addr, to: Ipv4Addr, datagram: &[u8]) -> io::Result<()> {
        let Ok(packet) = decode(datagram, from.into(), to.into(), &self.keys) else { return Ok(()) };
        let is_mine = packet.sender.node.0 <= u64::try_from(self.hosts.len()).unwrap_or(u64::MAX);
        if is_mine || packet.kind != Kind::Inquiry {
            return Ok(());
        }
        let arrived = clock::now();
        let (echo, length) = (packet.sender.nonce, datagram.len());
        self.lans[lan].index = Some(packet.sender.lan);
        self.daemon = Some(packet.sender.clone());
        if to == Ipv4Addr::BROADCAST {
            let spread = (SPREAD_PER_HOST * u32::try_from(self.hosts.len()).unwrap_or(u32::MAX))
                .min(self.interval / 8);
            for host in 0..self.hosts.len() {
                let at = arrived + self.between_zero_and(spread);
                self.at(at, Task::Answer { host, lan, to: from, echo, length, arrived });
            }
            return Ok(());
        }
        let Some(host) = self.lans[lan].host(to).filter(|host| *host < self.hosts.len()) else {
            return Ok(());
        };
        self.hosts[host].report_generation = packet.sender.report_generation;
        self.carry_out(arrived, Task::Answer { host, lan, to: from, echo, length, arrived })?;
        if packet.directed.is_some_and(|directed| directed.address_generation != 1) {
            let addresses = self.lans.iter().map(|lan| IpAddr::V4(lan.address(host))).collect();
            let list = Packet { kind: Kind::Inquiry, addresses: Some(addresses), ..self.packet(host, lan) };
            self.send(host, lan, from, &list, None)?;
        }
        Ok(())
    }

    /// To the daemon, with the report that all is well.
    fn packet(&mut self, host: usize, lan: usize) -> Packet {
        let number = u64::try_from(host).unwrap_or(0) + 1;
        let own = |lan: usize| LanIndex(u8::try_from(lan).unwrap_or(0));
        let report = |(n, lan): (usize, &Lan)| {
            Some(PathReport {
                family: Family::V4,
                sender_lan: own(n),
                receiver_lan: lan.index?,
                level: Level::Up,
                ready: true,
                moved: false,
                token: Token(0),
            })
        };
        let reports = self.lans.iter().enumerate().filter_map(report).collect();
        let directed = self.daemon.as_ref().map(|daemon| Directed {
            node: daemon.node,
            boot: daemon.boot,
            address_generation: daemon.address_generation,
            report_generation: self.hosts[host].report_generation,
            token: Token(number),
        });
        let sender = Sender {
            requestor: true,
            observer: false,
            lan: own(lan),
            node: NodeId(number),
            boot: BootId(number),
            sequence: self.hosts[host].sequence,
            interval: self.interval,
            nonce: Nonce(self.number()),
            address_generation: 1,
            report_generation: 1,
        };
        let kind = Kind::Inquiry;
        Packet { kind, sender, directed, reports: Some(reports), addresses: None, cookie: None }
    }

    fn send(
        &self,
        host: usize,
        lan: usize,
        to: Ipv4Addr,
        packet: &Packet,
        answering: Option<usize>,
    ) -> io::Result<()> {
        let from = self.lans[lan].address(host);
        let sealing = Sealing::new(&self.keys, from.into(), to.into()).with_room_for(self.lans.len() * 2);
        let sealing = answering.map_or(sealing, |length| sealing.answering(length));
        self.lans[lan].send(from, to, &encode(packet, &sealing))
    }

    fn at(&mut self, at: Instant, task: Task) {
        let number = self.number();
        self.agenda.insert((at, number), task);
    }

    fn between_zero_and(&mut self, end: Duration) -> Duration {
        let nanoseconds = u64::try_from(end.as_nanos()).unwrap_or(u64::MAX).max(1);
        Duration::from_nanos(self.number() % nanoseconds)
    }

    /// Splitmix64: each number once, in no order that can be seen.
    fn number(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Lan {
    fn open(interface: &str, base: &str) -> io::Result<Self> {
        let base: Ipv4Addr = base.parse().map_err(|_| usage())?;
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.bind_device(Some(interface.as_bytes()))?;
        socket.set_nonblocking(true)?;
        socket.set_broadcast(true)?;
        socket.set_ttl_v4(255)?;
        setsockopt(&socket, Ipv4PacketInfo, &true)?;
        setsockopt(&socket, RcvBufForce, &(4 << 20))?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT).into())?;
        Ok(Self { socket, base: base.into(), index: None })
    }

    fn address(&self, host: usize) -> Ipv4Addr {
        Ipv4Addr::from(self.base + 1 + u32::try_from(host).unwrap_or(0))
    }

    fn host(&self, address: Ipv4Addr) -> Option<usize> {
        u32::from(address).checked_sub(self.base + 1).and_then(|host| usize::try_from(host).ok())
    }

    /// A datagram with its two addresses, if there is one.
    fn receive(&self) -> io::Result<Option<(Ipv4Addr, Ipv4Addr, Vec<u8>)>> {
        let (mut buffer, mut control) = ([0; 2048], [0; 128]);
        let mut slices = [IoSliceMut::new(&mut buffer)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let message =
            match recvmsg::<SockaddrIn>(self.socket.as_raw_fd(), &mut slices, Some(&mut control), flags) {
                Ok(message) => message,
                Err(nix::Error::EAGAIN) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
        let mut to = Ipv4Addr::UNSPECIFIED;
        for control in message.cmsgs()? {
            if let ControlMessageOwned::Ipv4PacketInfo(info) = control {
                to = Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes());
            }
        }
        let from = message.address.map_or(Ipv4Addr::UNSPECIFIED, |address| address.ip());
        let length = message.bytes;
        Ok(Some((from, to, buffer[..length].to_vec())))
    }

    fn send(&self, from: Ipv4Addr, to: Ipv4Addr, datagram: &[u8]) -> io::Result<()> {
        let info = libc::in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(from.octets()) },
            ipi_addr: libc::in_addr { s_addr: 0 },
        };
        let to = SockaddrIn::from(SocketAddrV4::new(to, PORT));
        let control = [ControlMessage::Ipv4PacketInfo(&info)];
        let slices = [IoSlice::new(datagram)];
        sendmsg(self.socket.as_raw_fd(), &slices, &control, MsgFlags::MSG_DONTWAIT, Some(&to))?;
        Ok(())
    }
}

fn usage() -> io::Error {
    io::Error::other("usage: crowd COUNT INTERVAL_MS INTERFACE BASE [INTERFACE BASE]...")
}

const PORT: u16 = 64029;

/// As the daemon spreads its answers, so that a thousand do not come in one burst.
const SPREAD_PER_HOST: Duration = Duration::from_micros(20);
