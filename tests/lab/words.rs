//! All that the tests know of the wording of faild's log: kernel routes and traffic are what counts, and where the log
//! must be asked, this is where its words stand.

use std::net::IpAddr;

pub(crate) use faild::event::EventName;

/// Whether a line tells of this event: its name is the first word behind time and level, or behind what a program puts
/// there instead.
pub(crate) fn is_event(line: &str, event: EventName) -> bool {
    line.split_whitespace().take(3).any(|word| word == event.as_str())
}

/// The lines of a log that tell of this event.
pub(crate) fn told(log: &str, event: EventName) -> Vec<String> {
    log.lines().filter(|line| is_event(line, event)).map(str::to_owned).collect()
}

/// The commands that a daemon says to have carried out, sorted.
pub(super) fn commands_done(log: &str) -> Vec<String> {
    let command = |line: &String| Some(line.split_once("command=\"")?.1.trim_end_matches('"').to_owned());
    let mut commands: Vec<String> =
        told(log, EventName::KernelOperation).iter().filter_map(command).collect();
    commands.sort();
    commands
}

/// Values of `key=` in a line.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

/// Whether a state dump shows this address of a peer as one that has answered.
pub(super) fn is_proven(dump: &str, address: IpAddr) -> bool {
    let (address, proven) = (format!("address={address}"), "proven=true");
    let mut lines = dump.lines().filter(|line| line.contains("dump-address "));
    lines
        .any(|line| [address.as_str(), proven].iter().all(|word| line.split_whitespace().any(|w| w == *word)))
}

/// Paths that a state dump shows as good.
pub(super) fn paths_up(dump: &str) -> usize {
    dump.lines().filter(|line| line.contains("dump-path ") && value(line, "verdict") == Some("up")).count()
}

/// Times that a path was found dead.
pub(super) fn paths_lost(log: &str) -> usize {
    told(log, EventName::PathDown).len()
}

/// Times that a path or a next hop was found dead.
pub(super) fn ways_lost(log: &str) -> usize {
    paths_lost(log) + told(log, EventName::NextHopDown).len()
}

/// Whether a line belongs to a state dump (SIGUSR1).
pub(super) fn is_dump(line: &str) -> bool {
    line.split_whitespace().any(|word| word == "dump" || word.starts_with("dump-"))
}

/// Packets dropped, all reasons together, as a state dump counts them.
pub(super) fn dropped(dump: &str) -> u64 {
    let counts =
        dump.lines().filter(|line| line.contains("dump-dropped ")).filter_map(|line| value(line, "count"));
    counts.filter_map(|count| count.parse::<u64>().ok()).sum()
}

/// The commands in the log that undo what a daemon leaves behind.
pub(super) fn undo_commands(log: &str) -> Vec<String> {
    let quoted =
        |line: &str| line.split_once("undo=\"")?.1.split_once('"').map(|(commands, _)| commands.to_owned());
    let all: Vec<String> = log.lines().filter_map(quoted).collect();
    all.iter().flat_map(|commands| commands.split(';')).map(|command| command.trim().to_owned()).collect()
}
