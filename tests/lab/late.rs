//! A host that answers pings late.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::Host;
use super::clock::now;
use super::traffic::Background;

/// Answers until it is dropped.
pub(crate) struct Late(Option<Background<()>>);

impl Host {
    /// From here on the host answers IPv4 echo requests this much later than they come.
    pub(crate) fn answer_late(&self, delay: Duration) -> Late {
        self.sysctl("net.ipv4.icmp_echo_ignore_all=1");
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        Late(Some(Background { stop, thread: self.thread(move || answer(delay, &told)) }))
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        // What was not answered is seen by those who asked.
        let _ = self.0.take().map(Background::finish);
    }
}

fn answer(delay: Duration, stop: &AtomicBool) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
    socket.set_read_timeout(Some(Duration::from_millis(5)))?;
    let mut due: VecDeque<(Instant, SockAddr, Vec<u8>)> = VecDeque::new();
    let mut buffer = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        if let Ok(length) = (&socket).read(&mut buffer)
            && let Some((asker, reply)) = reply_to(&buffer[..length])
        {
            due.push_back((now() + delay, asker, reply));
        }
        while let Some((_, asker, reply)) = due.pop_front_if(|(at, ..)| *at <= now()) {
            socket.send_to(&reply, &asker)?;
        }
    }
    Ok(())
}

/// Who sent an echo request, and the reply (RFC 792); nothing to anything else.
fn reply_to(packet: &[u8]) -> Option<(SockAddr, Vec<u8>)> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let source = <[u8; 4]>::try_from(packet.get(12..16)?).ok()?;
    let request = packet.get(header..).filter(|message| message.first() == Some(&8) && message.len() >= 8)?;
    let mut reply = [&[0, 0, 0, 0], &request[4..]].concat();
    let checksum = checksum(&reply).to_be_bytes();
    reply[2..4].copy_from_slice(&checksum);
    Some((std::net::SocketAddr::from((source, 0)).into(), reply))
}

/// RFC 1071.
fn checksum(message: &[u8]) -> u16 {
    let words =
        message.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |b| u32::from(*b)));
    let sum = words.sum::<u32>();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or_default()
}
