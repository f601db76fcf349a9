//! The least that the packets of one daemon can cost: the same sockets, an INQ to each LAN every interval, an answer of
//! the same length to each INQ; nothing is kept, nothing decided. The measure for faild among the hosts of `crowd`.
//!
//! ```text
//! floor INTERVAL_MS INTERFACE ADDRESS [INTERFACE ADDRESS]...      plays until it is killed
//! ```

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::ExitCode;
use std::time::Duration;

use faild::daemon::clock;
use faild::interface::InterfaceIndex;
use faild::net::{Endpoint, Sockets};
use faild::packet::{Arrival, Transmit};
use faild::wire::{BootId, Keys, Kind, LanIndex, NodeId, Nonce, Packet, Sealing, Sender, decode, encode};
use mio::{Events, Poll};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floor: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> io::Result<()> {
    let [interval, lans @ ..] = arguments else { return Err(usage()) };
    let interval = Duration::from_millis(interval.parse().map_err(|_| usage())?);
    let lans: Vec<(Endpoint, IpAddr)> = lans.chunks_exact(2).map(lan).collect::<io::Result<_>>()?;
    let mut poll = Poll::new()?;
    let mut sockets = Sockets::new(poll.registry().try_clone()?, PORT);
    sockets.keep(&lans.iter().map(|(endpoint, _)| endpoint.clone()).collect::<Vec<_>>());
    let inquiries: Vec<Transmit> =
        lans.iter().zip(0..).map(|(lan, number)| inquiry(lan, number, interval)).collect();
    let mut events = Events::with_capacity(64);
    let mut next = clock::read().now;
    loop {
        let now = clock::read().now;
        if next <= now {
            inquiries.iter().for_each(|inquiry| sockets.send(inquiry));
            next = now + interval;
        }
        poll.poll(&mut events, Some(next.since(now)))?;
        for event in &events {
            sockets.handle_readable(event.token());
        }
        let moment = clock::read();
        while let Some(arrival) = sockets.next_arrival(moment) {
            if let Some(answer) = answer(&arrival, &lans) {
                sockets.send(&answer);
            }
        }
    }
}

fn lan(words: &[String]) -> io::Result<(Endpoint, IpAddr)> {
    let endpoint = Endpoint {
        interface: InterfaceIndex(nix::net::if_::if_nametoindex(words[0].as_str())?),
        name: words[0].clone(),
        mac: None,
        ipv4: true,
        ipv6: false,
        multicast_group: Ipv6Addr::UNSPECIFIED,
    };
    Ok((endpoint, words[1].parse().map_err(|_| usage())?))
}

fn inquiry((endpoint, source): &(Endpoint, IpAddr), number: u8, interval: Duration) -> Transmit {
    let sender = Sender {
        requestor: true,
        observer: false,
        lan: LanIndex(number),
        node: NodeId(u64::MAX),
        boot: BootId(1),
        sequence: 1,
        interval,
        nonce: Nonce(1),
        address_generation: 1,
        report_generation: 1,
    };
    let packet =
        Packet { kind: Kind::Inquiry, sender, directed: None, reports: None, addresses: None, cookie: None };
    let destination = Ipv4Addr::BROADCAST.into();
    let keys = Keys::default();
    let payload = encode(&packet, &Sealing::new(&keys, *source, destination).with_room_for(4));
    Transmit { interface: endpoint.interface, source: *source, destination, payload }
}

/// An INQ goes back as it came: that is as long as an answer may be, and nobody takes it for anything.
fn answer(arrival: &Arrival<'_>, lans: &[(Endpoint, IpAddr)]) -> Option<Transmit> {
    let Arrival::Datagram(datagram) = arrival else { return None };
    let packet = decode(datagram.payload, datagram.source, datagram.destination, &Keys::default()).ok()?;
    let (_, source) = lans.iter().find(|(endpoint, _)| endpoint.interface == datagram.interface)?;
    // Broadcasts come back to their sender.
    let is_asked = packet.kind == Kind::Inquiry && datagram.source != *source;
    is_asked.then(|| Transmit {
        interface: datagram.interface,
        source: *source,
        destination: datagram.source,
        payload: datagram.payload.to_vec(),
    })
}

fn usage() -> io::Error {
    io::Error::other("usage: floor INTERVAL_MS INTERFACE ADDRESS [INTERFACE ADDRESS]...")
}

const PORT: u16 = 64029;
