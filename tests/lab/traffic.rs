//! Traffic that measures what users of the network would have noticed.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::clock::{now, pause};

/// An echo that comes later than this counts as lost: nobody waits that long for one.
const LATE: Duration = Duration::from_millis(200);

/// How often blocked threads look whether they should end.
const TICK: Duration = Duration::from_millis(50);

/// The most datagrams that a meter keeps account of: 20 minutes of one each 2 ms.
const RECORDS: usize = 600_000;

/// Echoes datagrams at `address` until told to stop.
pub(crate) fn echo(address: SocketAddr, stop: &AtomicBool) -> io::Result<()> {
    let socket = UdpSocket::bind(address)?;
    socket.set_read_timeout(Some(TICK))?;
    let mut buffer = [0; 64];
    while !stop.load(Ordering::Relaxed) {
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            // No route back is one of the things that are measured.
            let _ = socket.send_to(&buffer[..length], from);
        }
    }
    Ok(())
}

/// What a stream of numbered datagrams saw: when each was sent, and how long its echo took. It begins with the first
/// that was echoed: before that, the other end may not have listened yet.
#[derive(Clone, Default)]
pub(crate) struct Echoes {
    rows: Vec<(Instant, Option<Duration>)>,
}

impl Echoes {
    /// The longest time between the sending of two echoed datagrams with at least one lost between them. A sender that
    /// the machine kept waiting has not lost anything. Losses at the very end count up to the last one sent.
    pub(crate) fn longest_outage(&self) -> Duration {
        let mut longest = Duration::ZERO;
        let (mut last_good, mut lost) = (self.rows.first().map(|row| row.0), false);
        for (sent, took) in &self.rows {
            let good = took.is_some_and(|took| took <= LATE);
            if lost || !good {
                longest = longest.max(last_good.map_or(Duration::ZERO, |last| *sent - last));
            }
            if good {
                (last_good, lost) = (Some(*sent), false);
            } else {
                lost = true;
            }
        }
        longest
    }

    /// Datagrams that were not echoed in time.
    pub(crate) fn lost(&self) -> usize {
        self.rows.iter().filter(|(_, took)| took.is_none_or(|took| took > LATE)).count()
    }

    /// How often traffic stopped: losses without an echo between them are one.
    pub(crate) fn outages(&self) -> usize {
        let lost = |row: &(Instant, Option<Duration>)| row.1.is_none_or(|took| took > LATE);
        let begins = self.rows.windows(2).filter(|pair| !lost(&pair[0]) && lost(&pair[1]));
        begins.count()
    }

    /// Datagrams sent.
    pub(crate) fn sent(&self) -> usize {
        self.rows.len()
    }
}

impl fmt::Debug for Echoes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sent, lost, outage) = (self.sent(), self.lost(), self.longest_outage());
        write!(f, "{sent} datagrams, {lost} lost, longest outage {outage:?}")
    }
}

/// Sends a numbered datagram each `gap` and hears the echoes, until told to stop.
pub(crate) fn measure(
    source: IpAddr,
    to: SocketAddr,
    gap: Duration,
    stop: &Arc<AtomicBool>,
) -> io::Result<Echoes> {
    let socket = UdpSocket::bind((source, 0))?;
    socket.set_read_timeout(Some(TICK))?;
    let done = Arc::new(AtomicBool::new(false));
    let listener = {
        let (socket, done) = (socket.try_clone()?, Arc::clone(&done));
        std::thread::spawn(move || collect(&socket, &done))
    };
    let sent = send(&socket, to, gap, stop);
    pause(LATE);
    done.store(true, Ordering::Relaxed);
    let heard = listener.join().unwrap_or_default();
    let mut rows: Vec<_> = sent.into_iter().map(|sent| (sent, None)).collect();
    for (number, at) in heard {
        if let Some((sent, took)) = rows.get_mut(number) {
            took.get_or_insert(at - *sent);
        }
    }
    let begin = rows.iter().position(|(_, took)| took.is_some()).unwrap_or_default();
    Ok(Echoes { rows: rows.split_off(begin) })
}

fn send(socket: &UdpSocket, to: SocketAddr, gap: Duration, stop: &AtomicBool) -> Vec<Instant> {
    let mut sent = Vec::new();
    let mut next = now();
    while !stop.load(Ordering::Relaxed) && sent.len() < RECORDS {
        let number = u64::try_from(sent.len()).unwrap_or(u64::MAX);
        sent.push(now());
        // A send that the kernel refuses is a lost datagram, not the end of the measurement.
        let _ = socket.send_to(&number.to_be_bytes(), to);
        next += gap;
        pause(next.saturating_duration_since(now()));
    }
    sent
}

fn collect(socket: &UdpSocket, done: &AtomicBool) -> Vec<(usize, Instant)> {
    let mut heard = Vec::new();
    let mut buffer = [0; 8];
    while !done.load(Ordering::Relaxed) {
        if let Ok((8, _)) = socket.recv_from(&mut buffer) {
            heard.push((usize::try_from(u64::from_be_bytes(buffer)).unwrap_or(usize::MAX), now()));
        }
    }
    heard
}

/// What a transfer saw.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Received {
    /// Bytes that arrived, each of them the right one.
    pub(crate) bytes: u64,
    /// The longest time in which nothing arrived.
    pub(crate) longest_stall: Duration,
}

/// Takes one connection and checks that what arrives is the pattern of [`upload`], until its end. `arrived` is told of
/// each arrival how much has come so far, and how long nothing had.
pub(crate) fn download(address: SocketAddr, mut arrived: impl FnMut(u64, Duration)) -> io::Result<Received> {
    let (mut stream, _) = TcpListener::bind(address)?.accept()?;
    let mut received = Received::default();
    let mut buffer = [0; 4096];
    let mut last = now();
    loop {
        let length = stream.read(&mut buffer)?;
        let moment = now();
        let silence = moment - last;
        last = moment;
        received.longest_stall = received.longest_stall.max(silence);
        if length == 0 {
            return Ok(received);
        }
        for byte in &buffer[..length] {
            if *byte != pattern(received.bytes) {
                return Err(io::Error::other(format!(
                    "byte {} is not the one that was sent",
                    received.bytes
                )));
            }
            received.bytes += 1;
        }
        arrived(received.bytes, silence);
    }
}

/// Sends a steady stream, `chunk` bytes each `gap`, until told to stop; returns the bytes sent.
pub(crate) fn upload(
    source: IpAddr,
    to: SocketAddr,
    chunk: u64,
    gap: Duration,
    stop: &AtomicBool,
) -> io::Result<u64> {
    let mut stream = connect(source, to)?;
    stream.set_nodelay(true)?;
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) {
        let block: Vec<u8> = (sent..sent + chunk).map(pattern).collect();
        stream.write_all(&block)?;
        sent += chunk;
        pause(gap);
    }
    stream.shutdown(std::net::Shutdown::Write)?;
    // The other end closes when it has read everything.
    let _ = stream.read(&mut [0; 1])?;
    Ok(sent)
}

/// Connects from an address of ours; tries for a while, since the other end may not listen yet.
fn connect(source: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let attempt = || -> io::Result<TcpStream> {
        let socket = socket2::Socket::new(socket2::Domain::for_address(to), socket2::Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
        socket.connect(&to.into())?;
        Ok(socket.into())
    };
    (0..40).find_map(|_| attempt().inspect_err(|_| pause(TICK)).ok()).map_or_else(attempt, Ok)
}

/// The byte at a place of the stream: a period that no segment size divides.
fn pattern(place: u64) -> u8 {
    u8::try_from(place % 251).unwrap_or_default()
}

/// A thread in the background that is told to stop, and then asked what it saw.
pub(crate) struct Background<T> {
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) thread: JoinHandle<io::Result<T>>,
}

impl<T> Background<T> {
    pub(crate) fn finish(self) -> io::Result<T> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
    }
}
