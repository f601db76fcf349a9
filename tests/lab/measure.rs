//! Traffic between two hosts of the lab, in the background of a test.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::traffic::{Background, Echoes, Received, download, echo, measure, upload};
use super::{Host, OUTAGE};

/// Ports of the traffic; a lab has its own namespaces, so they are always free.
const ECHO: u16 = 7007;
const STREAM: u16 = 7008;

/// Time between two datagrams: fine enough for outages of a few intervals, and no load.
const GAP: Duration = Duration::from_millis(2);

/// A stream of numbered datagrams from one host to another and back.
pub(crate) struct Meter {
    echo: Background<()>,
    stream: Background<Echoes>,
}

impl Meter {
    /// Starts it: from the address `source` of a host to the address `destination` of another.
    pub(crate) fn start(from: &Host, source: IpAddr, to: &Host, destination: IpAddr) -> Self {
        let address = SocketAddr::new(destination, ECHO);
        let echo = background(to, move |stop| echo(address, &stop));
        let stream = background(from, move |stop| measure(source, address, GAP, &stop));
        Self { echo, stream }
    }

    /// The same between the addresses of the two on a LAN.
    pub(crate) fn on_lan(lan: char, from: &Host, to: &Host) -> Self {
        Self::start(from, from.v4(lan), to, to.v4(lan))
    }

    /// Ends it; a failover must not have shown more than a brief outage.
    #[track_caller]
    pub(crate) fn finish_after_failover(self) -> Echoes {
        let echoes = self.finish();
        assert!(echoes.longest_outage() < OUTAGE, "an outage of more than {OUTAGE:?}: {echoes:?}");
        echoes
    }

    /// Ends it; nothing may have been lost. (The kernel itself loses one in a million while routes change.)
    #[track_caller]
    pub(crate) fn finish_unharmed(self) {
        let echoes = self.finish();
        assert!(echoes.sent() > 0 && echoes.lost() <= 1, "traffic was harmed: {echoes:?}");
    }

    /// Ends it and tells what it saw.
    #[track_caller]
    pub(crate) fn finish(self) -> Echoes {
        let echoes = self.stream.finish().expect("the stream of datagrams failed");
        self.echo.finish().expect("the echo failed");
        echoes
    }
}

/// A TCP connection with a steady stream of bytes.
pub(crate) struct Transfer {
    sender: Background<u64>,
    receiver: Background<Received>,
    progress: Arc<AtomicU64>,
}

impl Transfer {
    /// Starts it: from the address `source` of a host to the address `destination` of another.
    pub(crate) fn start(from: &Host, source: IpAddr, to: &Host, destination: IpAddr) -> Self {
        let address = SocketAddr::new(destination, STREAM);
        let progress = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&progress);
        let receiver =
            background(to, move |_| download(address, |bytes, _| seen.store(bytes, Ordering::Relaxed)));
        let sender =
            background(from, move |stop| upload(source, address, 1024, Duration::from_millis(2), &stop));
        Self { sender, receiver, progress }
    }

    /// The same between the addresses of the two on a LAN.
    pub(crate) fn on_lan(lan: char, from: &Host, to: &Host) -> Self {
        Self::start(from, from.v4(lan), to, to.v4(lan))
    }

    /// Bytes that have arrived so far.
    pub(crate) fn progress(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    /// Ends it: every byte that was sent must have arrived, on a connection that nothing has reset.
    #[track_caller]
    pub(crate) fn finish(self) -> Received {
        let sent = self.sender.finish().expect("the sender's connection failed");
        let received = self.receiver.finish().expect("the receiver's connection failed");
        assert_eq!(received.bytes, sent, "bytes were lost");
        received
    }
}

fn background<T: Send + 'static>(
    host: &Host,
    body: impl FnOnce(Arc<AtomicBool>) -> std::io::Result<T> + Send + 'static,
) -> Background<T> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    Background { stop, thread: host.thread(move || body(told)) }
}
