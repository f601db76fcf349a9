//! The socket itself, and who may connect.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileTypeExt;

use log::Level;
use nix::libc::ucred;

use super::*;

fn trust() -> Trust {
    Trust::in_users([], None)
}

#[test]
fn what_stands_in_the_place_of_the_socket_gives_way_and_is_not_followed() {
    let directory = std::env::temp_dir().join(format!("faild-socket-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let (socket, other) = (directory.join(SOCKET), directory.join("other"));
    let poll = mio::Poll::new().unwrap();
    for target in [Some("nowhere"), Some("other"), None] {
        fs::write(&other, "kept").unwrap();
        match target {
            Some(target) => std::os::unix::fs::symlink(target, &socket).unwrap(),
            None => fs::write(&socket, "x").unwrap(),
        }
        let control = Control::open(&directory, "", poll.registry().try_clone().unwrap(), &trust()).unwrap();
        let made = fs::symlink_metadata(&socket).unwrap();
        assert!(made.file_type().is_socket() && made.mode() & 0o777 == 0o600, "{made:?}");
        assert_eq!(fs::read_to_string(&other).unwrap(), "kept");
        drop(control);
    }
    fs::remove_file(&socket).unwrap_or_default();
    std::os::unix::fs::symlink("other", &socket).unwrap();
    let opened = fs::File::open(&directory).unwrap().into();
    assert!(admit(&opened, "").is_err(), "a link that came in between");
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn others_cannot_take_the_connections_that_are_kept_for_root() {
    let mut bench = Bench::new("crowd");
    let mut crowd: Vec<BufReader<UnixStream>> = (0..CLIENTS).map(|_| bench.connect(1000)).collect();
    assert_eq!(bench.control.clients.len(), CLIENTS - KEPT_FOR_ROOT);
    let said = line(&mut crowd[0]);
    assert!(said.contains("closed to make room"), "{said}");
    let roots: Vec<_> = (0..=KEPT_FOR_ROOT).map(|_| bench.connect(0)).collect();
    assert_eq!(bench.control.clients.len(), CLIENTS, "one more of root's takes the place of another's");
    crowd.extend((0..CLIENTS).map(|_| bench.connect(1000)));
    let of_root = bench.control.clients.values().filter(|client| client.uid() == 0).count();
    assert_eq!((of_root, bench.control.clients.len()), (roots.len(), CLIENTS));
}

#[test]
fn a_follower_that_does_not_read_is_kept_and_sees_by_the_numbers_what_it_has_missed() {
    let mut bench = Bench::new("follower");
    let mut follower = bench.connect(1000);
    let request = Request::Events { after: None, follow: true };
    bench.control.answer(bench.now, 0, &request, &Reply::Events(Vec::new()), &bench.events);
    line(&mut follower);
    for _ in 0..100 {
        (0..100).for_each(|_| bench.events.push(Duration::ZERO, Level::Info, "x ".repeat(100)));
        bench.pass(PATIENCE);
    }
    let sequences = |text: &str| {
        let Ok(Reply::Events(events)) = Reply::from_line(text) else { panic!("{text}") };
        (events[0].sequence, events[events.len() - 1].sequence)
    };
    let (mut last, mut lost) = (0, 0);
    while last < 10_000 {
        let (first, to) = sequences(&line(&mut follower));
        lost += first - last - 1;
        last = to;
        bench.pass(Duration::ZERO);
    }
    assert!(lost > 0 && bench.control.clients.len() == 1, "{lost} lost");
}

/// The socket with clients of any user.
struct Bench {
    control: Control,
    events: Events,
    now: Instant,
    directory: PathBuf,
    _poll: mio::Poll,
}

impl Bench {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("faild-{name}-{}", std::process::id()));
        let poll = mio::Poll::new().unwrap();
        let control = Control::open(&directory, "", poll.registry().try_clone().unwrap(), &trust()).unwrap();
        let now = Instant::from_nanos(1_000_000_000);
        Self { control, events: Events::default(), now, directory, _poll: poll }
    }

    fn connect(&mut self, uid: u32) -> BufReader<UnixStream> {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        ours.set_nonblocking(true).unwrap();
        let caller = UnixCredentials::from(ucred { pid: 1, uid, gid: uid });
        self.now = self.now + Duration::from_millis(1);
        self.control.admit_client(self.now, mio::net::UnixStream::from_std(ours), caller);
        BufReader::new(theirs)
    }

    /// A turn, after the poll has reported all that it could.
    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        for client in self.control.clients.values_mut() {
            (client.is_readable, client.is_writable) = (true, true);
        }
        assert!(self.control.next_request(self.now, &self.events).is_none());
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn line(stream: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    line
}
