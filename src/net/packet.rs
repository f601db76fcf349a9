//! Packet sockets: what one interface sends and receives of one EtherType, whatever routes, reverse path filters and
//! packet filters make of it. The link's header is the kernel's affair, all else is ours.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use nix::libc;
use nix::sys::socket::sockopt::{Priority, ReceiveTimestampns, RxqOvfl};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, bind, recvmsg, sendto, setsockopt};
use socket2::{Domain, SockFilter, Socket, Type};

use super::datagram::{Control, since_1970};
use super::link_address;
use crate::interface::{InterfaceIndex, MacAddress};

/// A packet socket bound to an interface and an EtherType, behind a filter.
#[derive(Debug)]
pub(super) struct PacketSocket {
    socket: Socket,
    interface: InterfaceIndex,
    ethertype: u16,
    /// The kernel's count of lost packets when we last saw it.
    lost: u32,
    control: Box<Control>,
}

/// One packet; its bytes, from the network header on, are in the buffer that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    /// Bytes in the buffer.
    pub(super) length: usize,
    /// CLOCK_REALTIME since 1970 when the kernel received it.
    pub(super) stamp: Option<Duration>,
    /// How many packets the socket has lost since the one before.
    pub(super) overflowed: u32,
}

impl PacketSocket {
    /// Opens a socket that sees what passes `filter`.
    ///
    /// # Errors
    ///
    /// What the kernel says: ENODEV if the interface is gone, EPERM without CAP_NET_RAW.
    pub(super) fn open(interface: InterfaceIndex, ethertype: u16, filter: &[SockFilter]) -> io::Result<Self> {
        // Protocol 0: nothing is received until the filter is in place and the socket is bound.
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, None)?;
        socket.set_nonblocking(true)?;
        socket.attach_filter(filter)?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        setsockopt(&socket, Priority, &PRIORITY)?;
        setsockopt(&socket, ReceiveTimestampns, &true)?;
        setsockopt(&socket, RxqOvfl, &1)?;
        bind(socket.as_raw_fd(), &link_address::on(interface, ethertype, None)?)?;
        Ok(Self { socket, interface, ethertype, lost: 0, control: Box::new([0; 256]) })
    }

    /// Sends a packet to a hardware address; none on links with one other end.
    ///
    /// # Errors
    ///
    /// What the kernel says; ENETDOWN if the interface is down.
    pub(super) fn send(&self, packet: &[u8], to: Option<MacAddress>) -> io::Result<()> {
        let to = link_address::on(self.interface, self.ethertype, to)?;
        sendto(self.socket.as_raw_fd(), packet, &to, MsgFlags::MSG_DONTWAIT)?;
        Ok(())
    }

    /// Reads one packet.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is none.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Frame> {
        let mut slices = [IoSliceMut::new(buffer)];
        let fd = self.socket.as_raw_fd();
        let message = recvmsg::<()>(fd, &mut slices, Some(&mut self.control[..]), MsgFlags::MSG_DONTWAIT)?;
        let mut frame = Frame { length: message.bytes, stamp: None, overflowed: 0 };
        for control in message.cmsgs()? {
            #[expect(clippy::wildcard_enum_match_arm, reason = "the kernel may send what nobody asked for")]
            match control {
                ControlMessageOwned::ScmTimestampns(stamp) => frame.stamp = since_1970(&stamp),
                ControlMessageOwned::RxqOvfl(lost) => {
                    frame.overflowed = lost.wrapping_sub(self.lost);
                    self.lost = lost;
                }
                _ => {}
            }
        }
        Ok(frame)
    }
}

impl AsRawFd for PacketSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// The Ethernet broadcast address.
pub(super) const BROADCAST: MacAddress = MacAddress([0xff; 6]);

/// EtherTypes (IEEE 802).
pub(super) const IPV4: u16 = 0x0800;
pub(super) const ARP: u16 = 0x0806;
pub(super) const IPV6: u16 = 0x86dd;

/// Bytes asked for; the kernel doubles it. Some hundred small packets: more answers than are ever under way on an
/// interface.
const RECEIVE_BUFFER: usize = 128 << 10;

/// As for all that faild sends; the highest that needs no privilege.
const PRIORITY: libc::c_int = 6;

/// Classic BPF: what filters are written in. Offsets count from the network header.
pub(super) mod bpf {
    use socket2::SockFilter;

    /// BPF_LD|BPF_W|BPF_ABS, BPF_LD|BPF_H|BPF_ABS and BPF_LD|BPF_B|BPF_ABS: four bytes, two or one at this place.
    const LOAD_WORD: u16 = 0x20;
    pub(in crate::net) const LOAD_HALF_WORD: u16 = 0x28;
    pub(in crate::net) const LOAD_BYTE: u16 = 0x30;
    /// BPF_LD|BPF_H|BPF_IND: two bytes at this place behind the index.
    pub(in crate::net) const LOAD_HALF_WORD_BEHIND: u16 = 0x48;
    /// BPF_LDX|BPF_B|BPF_MSH: the length of the IPv4 header at this place becomes the index.
    pub(in crate::net) const LOAD_HEADER_LENGTH: u16 = 0xb1;
    /// BPF_JMP|BPF_JEQ|BPF_K and BPF_JMP|BPF_JSET|BPF_K.
    const JUMP_IF_EQUAL: u16 = 0x15;
    const JUMP_IF_SET: u16 = 0x45;
    const RETURN: u16 = 0x06;

    /// SKF_AD_OFF + SKF_AD_PKTTYPE: whom the packet was for; 0, PACKET_HOST, is us.
    const PACKET_TYPE: u32 = 0xffff_f004;

    /// One condition: load by this instruction from this place, then test by this jump against this value; the packet
    /// passes on if the outcome is the one wanted.
    pub(in crate::net) struct Test {
        load: (u16, u32),
        jump: (u16, u32),
        wanted: bool,
    }

    impl Test {
        /// What is at this place is this.
        pub(in crate::net) fn equal(load: u16, at: u32, value: u32) -> Self {
            Self { load: (load, at), jump: (JUMP_IF_EQUAL, value), wanted: true }
        }

        /// None of these bits is set in what is at this place.
        pub(in crate::net) fn clear(load: u16, at: u32, bits: u32) -> Self {
            Self { load: (load, at), jump: (JUMP_IF_SET, bits), wanted: false }
        }

        /// It was for us, and not seen by chance.
        pub(in crate::net) fn for_us() -> Self {
            Self::equal(LOAD_WORD, PACKET_TYPE, 0)
        }
    }

    /// A filter that lets pass what passes every test; `index` is computed before the first.
    pub(in crate::net) fn all(index: Option<(u16, u32)>, tests: &[Test]) -> Vec<SockFilter> {
        let mut program: Vec<SockFilter> =
            index.into_iter().map(|(code, at)| SockFilter::new(code, 0, 0, at)).collect();
        for (number, test) in tests.iter().enumerate() {
            // Over the tests that follow, and over the instruction that accepts.
            let out = u8::try_from((tests.len() - number - 1) * 2 + 1).unwrap_or(u8::MAX);
            let (if_true, if_false) = if test.wanted { (0, out) } else { (out, 0) };
            program.push(SockFilter::new(test.load.0, 0, 0, test.load.1));
            program.push(SockFilter::new(test.jump.0, if_true, if_false, test.jump.1));
        }
        program.extend([SockFilter::new(RETURN, 0, 0, u32::MAX), SockFilter::new(RETURN, 0, 0, 0)]);
        program
    }
}
