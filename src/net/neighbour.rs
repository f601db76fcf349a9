//! Neighbour solicitations on one interface, and the advertisements that answer (RFC 4861): the same for IPv6 as ARP
//! for IPv4.

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsRawFd, RawFd};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::ReceiveTimestampns;
use socket2::{Domain, Protocol, Socket, Type};

use super::Answerer;
use super::datagram::{self, Control};
use super::packet::bpf::{LOAD_BYTE, Test, all};
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
    /// Opens the socket of an interface with this hardware address.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub(super) fn open(interface: InterfaceIndex, mac: Option<MacAddress>) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
        // Advertisements and nothing else. The filter sees the message from its type on.
        socket.attach_filter(&all(None, &[Test::equal(LOAD_BYTE, 0, u32::from(ADVERTISEMENT))]))?;
        prepare_v6(&socket, interface)?;
        setsockopt(&socket, ReceiveTimestampns, &true)?;
        Ok(Self { socket, interface, mac, control: Box::new([0; 256]) })
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
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<Answerer>> {
        let arrival = datagram::receive(self.socket.as_raw_fd(), buffer, &mut self.control)?;
        // Between its creation and its binding the socket heard all interfaces.
        let is_from_here = arrival.interface == self.interface && arrival.hop_limit == 255;
        let message = buffer.get(..arrival.length).filter(|_| is_from_here);
        Ok(message.and_then(advertised).map(|(target, mac)| Answerer {
            address: IpAddr::V6(target),
            mac,
            stamp: arrival.stamp,
        }))
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

/// The target of a solicited advertisement, and where it is if that is said; `None` if the message is anything else. An
/// unsolicited one is no answer: nobody was asked.
fn advertised(message: &[u8]) -> Option<(Ipv6Addr, Option<MacAddress>)> {
    let [ADVERTISEMENT, 0, _, _, flags, _, _, _, rest @ ..] = message else { return None };
    let (target, options) = rest.split_first_chunk::<16>()?;
    let target = Ipv6Addr::from(*target);
    let is_answer = flags & SOLICITED != 0 && !target.is_multicast() && !target.is_unspecified();
    is_answer.then(|| (target, target_link_layer_address(options)))
}

/// Options have a type and a length in units of 8 bytes, which is never 0 (RFC 4861 section 4.6).
fn target_link_layer_address(mut options: &[u8]) -> Option<MacAddress> {
    while let [kind, units, ..] = *options
        && units > 0
    {
        let (option, rest) = options.split_at_checked(usize::from(units) * 8)?;
        if kind == TARGET_LINK_LAYER_ADDRESS && units == 1 {
            return option[2..].first_chunk().copied().map(MacAddress);
        }
        options = rest;
    }
    None
}

/// The group that the owner of `target` listens to (RFC 4291 section 2.7.1).
fn solicited_node(target: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = target.octets();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]))
}

const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

/// The S flag (RFC 4861 section 4.4).
const SOLICITED: u8 = 0x40;

/// Options (RFC 4861 section 4.6.1).
const SOURCE_LINK_LAYER_ADDRESS: u8 = 1;
const TARGET_LINK_LAYER_ADDRESS: u8 = 2;

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
    fn a_solicited_advertisement_names_its_target_and_where_it_is() {
        let told = |options: &[u8]| advertised(&[&advertisement()[..], options].concat());
        let mac = MacAddress([2, 0, 0, 0, 0, 2]);
        assert_eq!(told(&[]), Some((TARGET, None)));
        assert_eq!(told(&[2, 1, 2, 0, 0, 0, 0, 2]), Some((TARGET, Some(mac))));
        assert_eq!(told(&[9, 1, 0, 0, 0, 0, 0, 0, 2, 1, 2, 0, 0, 0, 0, 2]), Some((TARGET, Some(mac))));
        for odd in
            [&[2][..], &[2, 0, 2, 0, 0, 0, 0, 2], &[2, 1, 2, 0], &[9, 2, 0, 0, 0, 0, 0, 0, 2, 1], &[2, 2]]
        {
            assert_eq!(told(odd), Some((TARGET, None)), "{odd:?}");
        }
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

    #[test]
    fn mutated_advertisements_are_read_or_not() {
        crate::mutated::each_of("nd", &[], |bytes| {
            if let Some((target, _)) = advertised(bytes) {
                assert!(!target.is_multicast() && !target.is_unspecified());
            }
        });
    }
}
