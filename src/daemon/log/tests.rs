//! The writer without the facade, which a process has only once.

use std::io::Read;
use std::time::Duration;

use super::*;

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
    assert_eq!(OneLine("a\nb\r\n\x1b[2Jc").to_string(), "a b   [2Jc");
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
    let target = Target::File { path: path.clone(), file: open(&path).unwrap() };
    let mut log =
        Log(Arc::new(Mutex::new(Output { target, is_detached: false, lost: 0, rates: Rates::default() })));
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
    let mut output = Output {
        target: Target::File { path: path.clone(), file: full },
        is_detached: false,
        lost: 0,
        rates: Rates::default(),
    };
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
