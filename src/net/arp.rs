//! ARP requests on one interface, and the replies (RFC 826): whether an IPv4 address is alive that runs no faild, or
//! whose faild does not answer.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, RawFd};

use super::Answerer;
use super::packet::bpf::{LOAD_HALF_WORD, Test, all};
use super::packet::{ARP, BROADCAST, PacketSocket};
use crate::interface::{InterfaceIndex, MacAddress};

/// A packet socket that sees ARP replies only.
#[derive(Debug)]
pub(super) struct Arp {
    socket: PacketSocket,
    mac: MacAddress,
}

impl Arp {
    /// Opens the socket of an interface with this hardware address.
    ///
    /// # Errors
    ///
    /// What the kernel says; `InvalidInput` if the interface has no hardware address.
    pub(super) fn open(interface: InterfaceIndex, mac: Option<MacAddress>) -> io::Result<Self> {
        let mac = mac.ok_or(io::ErrorKind::InvalidInput)?;
        // Replies and nothing else, so that the requests of a busy LAN do not wake us.
        let filter = all(None, &[Test::equal(LOAD_HALF_WORD, 6, u32::from(REPLY))]);
        Ok(Self { socket: PacketSocket::open(interface, ARP, &filter)?, mac })
    }

    /// Asks who has `target`, from `source`.
    ///
    /// # Errors
    ///
    /// What the kernel says; ENETDOWN if the interface is down.
    pub(super) fn request(&self, source: Ipv4Addr, target: Ipv4Addr) -> io::Result<()> {
        self.socket.send(&request(self.mac, source, target), Some(BROADCAST))
    }

    /// Reads one packet; who sent it, if it is a reply to us.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is none.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<Answerer>> {
        let frame = self.socket.receive(buffer)?;
        let replier = buffer.get(..frame.length).and_then(|packet| replier(packet, self.mac));
        Ok(replier.map(|(address, mac)| Answerer {
            address: IpAddr::V4(address),
            mac: Some(mac),
            stamp: frame.stamp,
        }))
    }
}

impl AsRawFd for Arp {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// An ARP request for Ethernet and IPv4.
fn request(mac: MacAddress, source: Ipv4Addr, target: Ipv4Addr) -> [u8; PACKET] {
    let mut packet = [0; PACKET];
    packet[..6].copy_from_slice(&ETHERNET_AND_IPV4);
    packet[6..8].copy_from_slice(&REQUEST.to_be_bytes());
    packet[8..14].copy_from_slice(&mac.0);
    packet[14..18].copy_from_slice(&source.octets());
    packet[24..28].copy_from_slice(&target.octets());
    packet
}

/// Whose address a reply to `mac` tells of, and where it is; `None` if the packet is anything else. A reply to all (a
/// gratuitous one) is no answer: nobody was asked.
fn replier(packet: &[u8], mac: MacAddress) -> Option<(Ipv4Addr, MacAddress)> {
    let packet: &[u8; PACKET] = packet.first_chunk()?;
    let [kind @ .., _, _] = packet.first_chunk::<8>()?;
    let operation = u16::from_be_bytes([packet[6], packet[7]]);
    if *kind != ETHERNET_AND_IPV4 || operation != REPLY || packet[18..24] != mac.0 {
        return None;
    }
    let sender = Ipv4Addr::new(packet[14], packet[15], packet[16], packet[17]);
    let is_host = !sender.is_unspecified() && !sender.is_multicast() && !sender.is_broadcast();
    Some((sender, MacAddress(*packet[8..].first_chunk()?))).filter(|_| is_host)
}

/// Length of an ARP packet for Ethernet and IPv4.
const PACKET: usize = 28;

/// Hardware type 1 with addresses of 6 bytes, protocol 0x0800 with addresses of 4.
const ETHERNET_AND_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];

const REQUEST: u16 = 1;
const REPLY: u16 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    const US: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
    const THEM: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);

    fn reply() -> [u8; PACKET] {
        let mut packet = request(THEM, Ipv4Addr::new(10, 0, 0, 2), Ipv4Addr::new(10, 0, 0, 1));
        packet[7] = 2;
        packet[18..24].copy_from_slice(&US.0);
        packet
    }

    #[test]
    fn a_request_is_laid_out_as_in_rfc_826() {
        let packet = request(US, Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        assert_eq!(packet[..8], [0, 1, 8, 0, 6, 4, 0, 1]);
        assert_eq!(packet[8..18], [2, 0, 0, 0, 0, 1, 10, 0, 0, 1]);
        assert_eq!(packet[18..], [0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
    }

    #[test]
    fn a_reply_to_us_names_its_sender() {
        assert_eq!(replier(&reply(), US), Some((Ipv4Addr::new(10, 0, 0, 2), THEM)));
        let padded = [&reply()[..], &[0; 18]].concat();
        assert_eq!(replier(&padded, US), Some((Ipv4Addr::new(10, 0, 0, 2), THEM)));
    }

    #[test]
    fn requests_replies_to_others_and_fragments_say_nothing() {
        assert_eq!(replier(&reply(), THEM), None);
        assert_eq!(replier(&request(THEM, Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST), US), None);
        for length in 0..PACKET {
            assert_eq!(replier(&reply()[..length], US), None, "{length} bytes");
        }
        for (at, value) in [(0, 1), (1, 6), (2, 0), (4, 8), (5, 16), (7, 3)] {
            let mut packet = reply();
            packet[at] = value;
            assert_eq!(replier(&packet, US), None, "byte {at}");
        }
    }

    #[test]
    fn a_reply_in_nobodys_name_says_nothing() {
        for sender in [[0, 0, 0, 0], [255, 255, 255, 255], [224, 0, 0, 1]] {
            let mut packet = reply();
            packet[14..18].copy_from_slice(&sender);
            assert_eq!(replier(&packet, US), None);
        }
    }

    #[test]
    fn mutated_arp_packets_are_read_or_not() {
        crate::mutated::each_of("arp", &[reply().to_vec()], |bytes| {
            if let Some((address, _)) = replier(bytes, US) {
                assert!(!address.is_multicast() && !address.is_unspecified());
            }
        });
    }
}
