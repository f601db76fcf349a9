//! Reading one datagram with all that the kernel says of it, for UDP and ICMPv6 alike.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::RawFd;
use std::time::Duration;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};
use nix::sys::time::TimeSpec;

use crate::interface::InterfaceIndex;

/// One datagram; its bytes are in the buffer that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Bytes in the buffer, the datagram's own length if that is not longer.
    pub(super) length: usize,
    /// Who sent it.
    pub(super) source: IpAddr,
    /// Destination in the IP header.
    pub(super) destination: IpAddr,
    /// The interface that it came in by.
    pub(super) interface: InterfaceIndex,
    /// TTL or hop limit on arrival; 0 if the kernel did not say.
    pub(super) hop_limit: u8,
    /// CLOCK_REALTIME since 1970 when the kernel received it.
    pub(super) stamp: Option<Duration>,
    /// How many datagrams the socket has lost since the one before. Filled in by who keeps the count.
    pub(super) overflowed: u32,
    /// The kernel's count of datagrams that the socket has lost; only there once it lost any.
    pub(super) lost: Option<u32>,
}

/// Space for the control data of one datagram: five messages of at most 20 bytes, each with its header.
pub(super) type Control = [u8; 256];

/// Reads one datagram.
///
/// # Errors
///
/// `WouldBlock` if there is none; `InvalidData` if the kernel did not say where it came from.
pub(super) fn receive(fd: RawFd, buffer: &mut [u8], control: &mut Control) -> io::Result<Arrival> {
    let mut slices = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrStorage>(fd, &mut slices, Some(control), MsgFlags::MSG_DONTWAIT)?;
    let source = message.address.as_ref().and_then(address).ok_or(io::ErrorKind::InvalidData)?;
    let mut arrival = Arrival {
        length: message.bytes,
        source,
        destination: source,
        interface: InterfaceIndex(0),
        hop_limit: 0,
        stamp: None,
        overflowed: 0,
        lost: None,
    };
    message.cmsgs()?.for_each(|control| arrival.learn(&control));
    if arrival.interface.0 == 0 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(arrival)
}

impl Arrival {
    fn learn(&mut self, control: &ControlMessageOwned) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the kernel may send what nobody asked for")]
        match control {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                self.destination = Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into();
                self.interface = InterfaceIndex(info.ipi_ifindex.unsigned_abs());
            }
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                self.destination = Ipv6Addr::from(info.ipi6_addr.s6_addr).into();
                self.interface = InterfaceIndex(info.ipi6_ifindex);
            }
            ControlMessageOwned::Ipv4Ttl(hops) | ControlMessageOwned::Ipv6HopLimit(hops) => {
                self.hop_limit = u8::try_from(*hops).unwrap_or(0);
            }
            ControlMessageOwned::ScmTimestampns(stamp) => self.stamp = since_1970(stamp),
            ControlMessageOwned::RxqOvfl(lost) => self.lost = Some(*lost),
            _ => {}
        }
    }
}

fn address(storage: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = storage.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| storage.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
}

pub(super) fn since_1970(stamp: &TimeSpec) -> Option<Duration> {
    Some(Duration::new(u64::try_from(stamp.tv_sec()).ok()?, u32::try_from(stamp.tv_nsec()).ok()?))
}
