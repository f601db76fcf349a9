//! The address that binds a packet socket to an interface, which no safe function makes.
#![allow(unsafe_code)]

use std::io;

use nix::libc;
use nix::sys::socket::{LinkAddr, SockaddrLike};

use crate::interface::InterfaceIndex;

/// "All ARP on this interface", and as a destination "the Ethernet broadcast address there".
pub(super) fn arp_on(interface: InterfaceIndex) -> io::Result<LinkAddr> {
    let mut address = libc::sockaddr_ll {
        sll_family: libc::sa_family_t::try_from(libc::AF_PACKET).map_err(|_| io::ErrorKind::InvalidInput)?,
        sll_protocol: ETHERTYPE_ARP.to_be(),
        sll_ifindex: i32::try_from(interface.0).map_err(|_| io::ErrorKind::InvalidInput)?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: [0xff; 8],
    };
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).ok();
    // SAFETY: the pointer is to a complete `sockaddr_ll` of the length given, its family says so, and the function
    // copies it before it returns.
    unsafe { LinkAddr::from_raw((&raw mut address).cast_const().cast(), length) }
        .ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// EtherType of ARP (IEEE 802).
const ETHERTYPE_ARP: u16 = 0x0806;
