//! Traffic that goes on all the time: each host asks others, from each of its addresses, and notes when it was last
//! answered.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::lab::{Host, now};

/// Where every address listens.
const PORT: u16 = 7011;

/// Time between two questions of a flow: a dozen and more in [`FRESH`].
const GAP: Duration = Duration::from_millis(40);

/// A flow works while it was answered within this time.
const FRESH: Duration = Duration::from_millis(500);

const QUESTION: u8 = 1;
const ANSWER: u8 = 2;

/// From an address of ours, any if it is unspecified, to one of another host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) from: IpAddr,
    pub(super) to: IpAddr,
}

/// The flows of a host, and what answers there; both end when it is dropped.
pub(super) struct Traffic {
    start: Instant,
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Shared {
    stop: AtomicBool,
    /// When the youngest question of each flow that was answered was asked: microseconds since the start, 0 for none.
    answered: Vec<AtomicU64>,
    /// How long the machine has kept this thread waiting, all in all: microseconds.
    late: AtomicU64,
}

impl Traffic {
    /// Binds a socket to each of the addresses, which answers, and asks from them all the time.
    pub(super) fn start(host: &Host, own: Vec<IpAddr>, flows: Vec<Flow>) -> Self {
        let start = now();
        let answered = flows.iter().map(|_| AtomicU64::new(0)).collect();
        let shared = Arc::new(Shared { stop: AtomicBool::new(false), answered, late: AtomicU64::new(0) });
        let told = Arc::clone(&shared);
        let thread = host.thread(move || {
            let sockets: Vec<(IpAddr, UdpSocket)> = own.iter().map(|own| (*own, socket(*own))).collect();
            run(start, &sockets, &flows, &told);
        });
        Self { start, shared, thread: Some(thread) }
    }

    /// When the youngest question of a flow that was answered was asked.
    pub(super) fn answered(&self, flow: usize) -> Option<Instant> {
        let micros = self.shared.answered[flow].load(Ordering::Relaxed);
        (micros > 0).then(|| self.start + Duration::from_micros(micros))
    }

    /// Whether a flow works now, by questions asked after `since`.
    pub(super) fn works(&self, flow: usize, since: Instant) -> bool {
        self.answered(flow).is_some_and(|at| at > since && now() - at < FRESH)
    }

    /// How long the machine has kept the traffic waiting so far.
    pub(super) fn late(&self) -> Duration {
        Duration::from_micros(self.shared.late.load(Ordering::Relaxed))
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // A panic there has told about itself.
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

fn socket(own: IpAddr) -> UdpSocket {
    let address = SocketAddr::new(own, PORT);
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::DGRAM, None);
    let socket = socket.expect("cannot make a socket");
    if own.is_ipv6() {
        socket.set_only_v6(true).expect("a socket can be of IPv6 only");
    }
    socket.bind(&address.into()).expect("the address is not there");
    socket.set_nonblocking(true).expect("a socket can be non-blocking");
    socket.into()
}

fn run(start: Instant, sockets: &[(IpAddr, UdpSocket)], flows: &[Flow], shared: &Shared) {
    let sources: Vec<&UdpSocket> = flows
        .iter()
        .map(|flow| &sockets.iter().find(|(own, _)| *own == flow.from).expect("a flow from our address").1)
        .collect();
    let mut next = start;
    while !shared.stop.load(Ordering::Relaxed) {
        let late = now().saturating_duration_since(next);
        if late > GAP {
            shared.late.fetch_add(micros(late), Ordering::Relaxed);
        }
        for (number, (flow, socket)) in (0_u16..).zip(flows.iter().zip(&sources)) {
            let asked = micros(now() - start);
            let question = [&[QUESTION][..], &number.to_be_bytes(), &asked.to_be_bytes()].concat();
            // A refusal is what is measured.
            let _ = socket.send_to(&question, SocketAddr::new(flow.to, PORT));
        }
        next = now() + GAP;
        while now() < next && !shared.stop.load(Ordering::Relaxed) {
            wait(sockets, next - now());
            sockets.iter().for_each(|(_, socket)| read(socket, shared));
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn wait(sockets: &[(IpAddr, UdpSocket)], limit: Duration) {
    let mut polled: Vec<PollFd> =
        sockets.iter().map(|(_, socket)| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
    let limit = PollTimeout::try_from(limit + Duration::from_millis(1)).unwrap_or(PollTimeout::ZERO);
    // An interrupted wait is a short one.
    let _ = poll(&mut polled, limit);
}

/// Answers questions, and notes answers.
fn read(socket: &UdpSocket, shared: &Shared) {
    let mut buffer = [0; 11];
    loop {
        match socket.recv_from(&mut buffer) {
            Ok((11, from)) if buffer[0] == QUESTION => {
                buffer[0] = ANSWER;
                let _ = socket.send_to(&buffer, from);
            }
            Ok((11, _)) if buffer[0] == ANSWER => {
                let number = u16::from_be_bytes([buffer[1], buffer[2]]);
                let asked = buffer[3..].try_into().map(u64::from_be_bytes).unwrap_or_default();
                if let Some(answered) = shared.answered.get(usize::from(number)) {
                    answered.fetch_max(asked, Ordering::Relaxed);
                }
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}
