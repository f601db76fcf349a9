//! The writer without the facade, which a process has only once.

use std::fs::OpenOptions;
use std::io::Read;
use std::time::Duration;

use super::*;

fn trust() -> Trust {
    Trust::in_users([], None)
}

fn at(seconds: u64) -> String {
    Stamp(Duration::from_millis(seconds * 1000 + 123)).to_string()
}

#[test]
fn moments_are_those_of_the_calendar() {
    assert_eq!(at(0), "1970-01-01T00:00:00.123Z");
    assert_eq!(at(951_827_696), "2000-02-29T12:34:56.123Z");
    assert_eq!(at(1_709_251_199), "2024-02-29T23:59:59.123Z");
    assert_eq!(at(1_709_251_200), "2024-03-01T00:00:00.123Z");
    assert_eq!(at(1_795_248_000), "2026-11-21T08:00:00.123Z");
    assert_eq!(at(4_107_542_399), "2100-02-28T23:59:59.123Z");
    assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00.123Z");
}

#[test]
fn a_line_stays_one_line() {
    assert_eq!(OneLine("a\nb\r\n\x1b[2Jc").to_string(), "a b  \\x1b[2Jc");
}

#[test]
fn syslog_gets_the_severity_and_no_second_stamp() {
    let message = syslog_message(b"2026-11-21T08:00:00.123Z warn path-down peer=7 lan=eth0\n");
    let expected = format!("<28>faild[{}]: path-down peer=7 lan=eth0", std::process::id());
    assert_eq!(String::from_utf8(message).unwrap(), expected);
}

#[test]
fn a_rotated_file_is_opened_anew_and_an_impossible_one_is_not() {
    let directory = std::env::temp_dir().join(format!("faild-log-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("log");
    let target = Target::File { path: path.clone(), file: open(&path, &trust()).unwrap() };
    let mut log = Log::to(target, trust());
    log.write_all(b"one\n").unwrap();
    std::fs::rename(&path, directory.join("log.1")).unwrap();
    log.write_all(b"two\n").unwrap();
    log.reopen();
    log.write_all(b"three\n").unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    log.reopen();
    log.write_all(b"four\n").unwrap();
    assert_eq!(std::fs::read_to_string(directory.join("log.1")).unwrap(), "one\ntwo\n");
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(log.output().lost, 0, "the old file is still in use");
}

#[test]
fn lost_lines_are_confessed() {
    let full = OpenOptions::new().append(true).open("/dev/full").unwrap();
    let path = PathBuf::from("/dev/full");
    let mut output = Output::new(Target::File { path: path.clone(), file: full }, trust());
    output.write_line(b"one\n");
    output.write_line(b"two\n");
    assert_eq!(output.lost, 2);
    let (mut reader, writer) = std::io::pipe().unwrap();
    output.target = Target::File { path, file: File::from(std::os::fd::OwnedFd::from(writer)) };
    output.write_line(b"three\n");
    drop(output);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert!(text.contains(" warn log-lines-lost count=2\nthree\n"), "{text}");
}

/// A disk with room for so many bytes.
struct Disk {
    room: usize,
    text: String,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.room);
        self.room -= count;
        self.text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        if count == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(count) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_follows_half_a_line_begins_its_own() {
    let mut disk = Disk { room: 6, text: String::new() };
    let mut is_torn = false;
    write_after(&mut disk, &mut is_torn, b"one\n").unwrap();
    assert!(write_after(&mut disk, &mut is_torn, b"two\n").is_err());
    assert!(write_after(&mut disk, &mut is_torn, b"three\n").is_err());
    disk.room = 1;
    assert!(write_after(&mut disk, &mut is_torn, b"four\n").is_err());
    disk.room = 100;
    write_after(&mut disk, &mut is_torn, b"five\n").unwrap();
    write_after(&mut disk, &mut is_torn, b"six\n").unwrap();
    assert_eq!(disk.text, "one\ntw\nfive\nsix\n");
}

#[test]
fn a_pipe_that_nobody_reads_is_refused_with_the_way_out() {
    let path = std::env::temp_dir().join(format!("faild-log-pipe-{}", std::process::id()));
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let refusal = format!("{:#}", open(&path, &trust()).unwrap_err());
    std::fs::remove_file(&path).unwrap();
    assert!(refusal.contains("it is a pipe without a reader: start the reader first"), "{refusal}");
}

#[test]
fn a_reader_that_has_stopped_reading_is_not_waited_for() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut written = 0;
    while has_room(&writer).is_ok() {
        writer.write_all(shortened(&[b'x'; 2 * PAGE])).unwrap();
        written += 1;
        assert!(written < 10_000);
    }
    assert!(written > 0);
    drop(reader);
}

/// Whoever invents peers can have as many found as he likes: a true one that is found then is logged all the same.
#[test]
fn lines_about_invented_peers_leave_room_for_true_ones() {
    let path = std::env::temp_dir().join(format!("faild-hearsay-{}", std::process::id()));
    let mut output =
        Output::new(Target::File { path: path.clone(), file: open(&path, &trust()).unwrap() }, trust());
    let line = |peer: u32| format!("2026-11-21T08:00:00.123Z info path-found peer={peer}\n");
    for peer in 0..6000 {
        output.is_hearsay = true;
        output.write_rated(line(peer).as_bytes());
    }
    output.write_rated(line(7777).as_bytes());
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(text.ends_with(&line(7777)), "a true line is cut");
    assert!(text.lines().count() < 6000, "a flood is not");
}
