//! Neighbour solicitations on one interface, and the advertisements that answer (RFC 4861): the same for IPv6 as ARP
//! for IPv4.

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsRawFd, RawFd};

use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::Endpoint;
use super::datagram::{self, Control};
use super::probe::{prepare_v6, scoped, send_v6};
use crate::interface::{InterfaceIndex, MacAddress};

/// A raw ICMPv6 socket that sees neighbour advertisements only.
#[derive(Debug)]
pub(super) struct Neighbour {
    socket: Socket,
    interface: InterfaceIndex,
    mac: Option<MacAddress>,
    control: Box<Control>,
}

impl Neighbour {
    /// Opens the socket of an interface.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub(super) fn open(endpoint: &Endpoint) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
        socket.attach_filter(&advertisements_only())?;
        prepare_v6(&socket, endpoint.interface)?;
        Ok(Self { socket, interface: endpoint.interface, mac: endpoint.mac, control: Box::new([0; 256]) })
    }

    /// Asks who has `target`, from `source`.
    ///
    /// # Errors
    ///
    /// What the kernel says; EADDRNOTAVAIL if the source is not ours.
    pub(super) fn solicit(&self, source: Ipv6Addr, target: Ipv6Addr) -> io::Result<()> {
        let to = scoped(solicited_node(target), 0, self.interface);
        send_v6(&self.socket, self.interface, source, &to, &solicitation(self.mac, target))
    }

    /// Reads one packet; whose address it advertises, if it is one of this interface that passed no router.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is none.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<IpAddr>> {
        let arrival = datagram::receive(self.socket.as_raw_fd(), buffer, &mut self.control)?;
        // Between its creation and its binding the socket heard all interfaces.
        let is_from_here = arrival.interface == self.interface && arrival.hop_limit == 255;
        let message = buffer.get(..arrival.length).filter(|_| is_from_here);
        Ok(message.and_then(advertised).map(IpAddr::V6))
    }
}

impl AsRawFd for Neighbour {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// A neighbour solicitation with our hardware address, so that the answer needs no question back; the kernel fills in
/// the checksum (RFC 3542 section 3.1).
fn solicitation(mac: Option<MacAddress>, target: Ipv6Addr) -> Vec<u8> {
    let mut message = vec![SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    message.extend(target.octets());
    if let Some(MacAddress(mac)) = mac {
        message.extend([SOURCE_LINK_LAYER_ADDRESS, 1]);
        message.extend(mac);
    }
    message
}

/// The target of a solicited advertisement; `None` if the message is anything else. An unsolicited one is no answer:
/// nobody was asked.
fn advertised(message: &[u8]) -> Option<Ipv6Addr> {
    let [ADVERTISEMENT, 0, _, _, flags, _, _, _, target @ ..] = message else { return None };
    let target = Ipv6Addr::from(*target.first_chunk::<16>()?);
    (flags & SOLICITED != 0 && !target.is_multicast() && !target.is_unspecified()).then_some(target)
}

/// The group that the owner of `target` listens to (RFC 4291 section 2.7.1).
fn solicited_node(target: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = target.octets();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]))
}

/// Lets advertisements pass and nothing else. The filter sees the message from its type on.
fn advertisements_only() -> [SockFilter; 4] {
    [
        SockFilter::new(LOAD_BYTE, 0, 0, 0),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, u32::from(ADVERTISEMENT)),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

/// The S flag (RFC 4861 section 4.4).
const SOLICITED: u8 = 0x40;

/// An option (RFC 4861 section 4.6.1).
const SOURCE_LINK_LAYER_ADDRESS: u8 = 1;

// Classic BPF: BPF_LD|BPF_B|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K.
const LOAD_BYTE: u16 = 0x30;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Ipv6Addr = Ipv6Addr::new(0xfd77, 1, 0, 0, 0, 0x12, 0x3456, 0x789a);

    fn advertisement() -> Vec<u8> {
        let mut message = vec![136, 0, 0xaa, 0xbb, 0x60, 0, 0, 0];
        message.extend(TARGET.octets());
        message
    }

    #[test]
    fn a_solicitation_is_laid_out_as_in_rfc_4861() {
        let message = solicitation(Some(MacAddress([2, 0, 0, 0, 0, 1])), TARGET);
        assert_eq!(message[..8], [135, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(message[8..24], TARGET.octets());
        assert_eq!(message[24..], [1, 1, 2, 0, 0, 0, 0, 1]);
        assert_eq!(solicitation(None, TARGET).len(), 24);
    }

    #[test]
    fn it_goes_to_the_group_of_the_target() {
        assert_eq!(solicited_node(TARGET), "ff02::1:ff56:789a".parse::<Ipv6Addr>().unwrap());
    }

    #[test]
    fn a_solicited_advertisement_names_its_target() {
        assert_eq!(advertised(&advertisement()), Some(TARGET));
        assert_eq!(advertised(&[&advertisement()[..], &[2, 1, 2, 0, 0, 0, 0, 2]].concat()), Some(TARGET));
    }

    #[test]
    fn anything_else_says_nothing() {
        for length in 0..24 {
            assert_eq!(advertised(&advertisement()[..length]), None, "{length} bytes");
        }
        for (at, value) in [(0, 135), (1, 1), (4, 0x20), (8, 0xff)] {
            let mut message = advertisement();
            message[at] = value;
            assert_eq!(advertised(&message), None, "byte {at}");
        }
    }
}
