//! The address that binds a packet socket to an interface, which no safe function makes.
#![allow(unsafe_code)]

use std::io;

use nix::libc;
use nix::sys::socket::{LinkAddr, SockaddrLike};

use crate::interface::{InterfaceIndex, MacAddress};

/// "All packets of this EtherType on this interface", and as a destination "this hardware address there"; none on links
/// with one other end.
pub(super) fn on(interface: InterfaceIndex, ethertype: u16, mac: Option<MacAddress>) -> io::Result<LinkAddr> {
    let mut address = libc::sockaddr_ll {
        sll_family: libc::sa_family_t::try_from(libc::AF_PACKET).map_err(|_| io::ErrorKind::InvalidInput)?,
        sll_protocol: ethertype.to_be(),
        sll_ifindex: i32::try_from(interface.0).map_err(|_| io::ErrorKind::InvalidInput)?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    if let Some(MacAddress(mac)) = mac {
        address.sll_halen = 6;
        address.sll_addr[..6].copy_from_slice(&mac);
    }
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).ok();
    // SAFETY: the pointer is to a complete `sockaddr_ll` of the length given, its family says so, and the function
    // copies it before it returns.
    unsafe { LinkAddr::from_raw((&raw mut address).cast_const().cast(), length) }
        .ok_or_else(|| io::ErrorKind::InvalidInput.into())
}
