//! Packets that nobody should have sent: recorded at the switch, changed, and sent by whoever has a port on the LAN.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::Host;
use super::clock::now;

/// Default port of the probes.
const PORT: u16 = 64029;

/// Lengths of an Ethernet, an IPv4 (without options) and a UDP header.
const ETHERNET: usize = 14;
const IPV4: usize = 20;
const UDP: usize = 8;

/// An IPv4 probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    pub(crate) ttl: u8,
    pub(crate) payload: Vec<u8>,
}

impl Probe {
    /// Sends it by an interface of a host, whatever its source address says.
    pub(crate) fn send(&self, host: &Host, lan: char) {
        let (packet, interface) = (self.packet(), format!("lan{lan}"));
        let destination = SocketAddr::new(IpAddr::V4(self.destination), 0);
        let sending = host.thread(move || {
            // IPPROTO_RAW: the packet brings its own header; the kernel adds its checksum.
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255)))?;
            socket.set_broadcast(true)?;
            socket.bind_device(Some(interface.as_bytes()))?;
            socket.send_to(&packet, &destination.into())
        });
        sending.join().expect("the sender panicked").expect("cannot send a forged packet");
    }

    fn packet(&self) -> Vec<u8> {
        let length =
            |header: usize| u16::try_from(header + self.payload.len()).expect("too long").to_be_bytes();
        let mut packet = vec![0x45, 0xc0];
        packet.extend(length(IPV4 + UDP));
        packet.extend([0, 0, 0, 0, self.ttl, 17, 0, 0]);
        packet.extend(self.source.octets());
        packet.extend(self.destination.octets());
        packet.extend([PORT.to_be_bytes(), PORT.to_be_bytes(), length(UDP)].concat());
        // No UDP checksum: IPv4 allows that.
        packet.extend([0, 0]);
        packet.extend(&self.payload);
        packet
    }

    fn dissect(frame: &[u8]) -> Option<Self> {
        let packet = frame.get(ETHERNET..).filter(|_| frame.get(12..14) == Some(&[8, 0]))?;
        let is_probe = packet.first() == Some(&0x45) && packet.get(9) == Some(&17);
        let to_port = packet.get(IPV4 + 2..IPV4 + 4)?;
        let address = |at: usize| <[u8; 4]>::try_from(packet.get(at..at + 4)?).ok().map(Ipv4Addr::from);
        (is_probe && to_port == PORT.to_be_bytes()).then_some(Self {
            source: address(12)?,
            destination: address(16)?,
            ttl: *packet.get(8)?,
            payload: packet.get(IPV4 + UDP..)?.to_vec(),
        })
    }
}

/// Records the IPv4 probes that pass a host, or the switch, for a while.
pub(crate) fn record(host: &Host, duration: Duration) -> Vec<Probe> {
    host.thread(move || sniff(duration))
        .join()
        .expect("the recorder panicked")
        .expect("cannot record packets")
}

fn sniff(duration: Duration) -> std::io::Result<Vec<Probe>> {
    // ETH_P_ALL, in network order.
    let mut socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(i32::from(3_u16.to_be()))))?;
    socket.set_read_timeout(Some(Duration::from_millis(50)))?;
    let (start, mut seen, mut buffer) = (now(), Vec::new(), [0; 2048]);
    while now() - start < duration {
        if let Ok(length) = socket.read(&mut buffer) {
            // The switch sees a packet at each port.
            seen.extend(Probe::dissect(&buffer[..length]).filter(|probe| !seen.contains(probe)));
        }
    }
    Ok(seen)
}
