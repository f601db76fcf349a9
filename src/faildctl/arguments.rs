//! The command line of faildctl(8).

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgAction, CommandFactory, Parser, Subcommand};

use crate::config::Complaint;
use crate::config::value::{duration, duration_in};
use crate::control::{Request, SOCKET, TRIAL};

/// Query and control the faild daemon.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "faildctl", version, disable_help_subcommand = true, disable_version_flag = true)]
#[command(
    after_help = "Exit status: 0 ok, 1 degraded or refused, 2 failed, 3 faild is not running. See faildctl(8)."
)]
pub(super) struct Arguments {
    /// Print JSON, one line per answer
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// State directory of the daemon
    #[arg(
        long,
        global = true,
        value_name = "DIRECTORY",
        default_value = "/run/faild",
        hide_default_value = true
    )]
    pub(super) state_dir: PathBuf,
    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version)]
    version: Option<bool>,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub(super) enum Command {
    /// Show a summary
    Status,
    /// Show the LANs
    Lans,
    /// Show the peers and the paths to them
    Peers,
    /// Show destinations with their next hops, overlays, and saved routes
    Routes,
    /// Show the interface groups
    Groups,
    /// Show the hosts probed for groups and next hops
    Targets {
        /// Only those probed through this interface
        #[arg(value_name = "IF")]
        interface: Option<String>,
    },
    /// Show the last probes that were answered or timed out
    Probes {
        /// Keep printing new ones
        #[arg(short, long)]
        follow: bool,
        /// Only those after number N
        #[arg(long, value_name = "N")]
        after: Option<u64>,
    },
    /// Explain the path of traffic to an address or prefix
    Why {
        /// The address or prefix
        #[arg(value_name = "DEST")]
        destination: String,
    },
    /// Show what faild would do if an interface, gateway or peer failed; changes nothing
    Plan {
        /// An interface, a gateway's address, or a peer: its name, node id or one of its addresses
        #[arg(long, value_name = "IF|GATEWAY|PEER")]
        fail: String,
    },
    /// Take an interface offline: traffic leaves it while it still works
    Offline {
        /// The interface
        #[arg(value_name = "IF")]
        interface: String,
        /// Reason to show in status and log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Put it back after this time, such as 30m or 2h
        #[arg(long = "for", value_name = "TIME", value_parser = time)]
        duration: Option<Duration>,
        /// Even if it is the only working path to something
        #[arg(long)]
        force: bool,
    },
    /// Put an interface back in service
    Online {
        /// The interface
        #[arg(value_name = "IF")]
        interface: String,
    },
    /// Fail back now (for failback policy manual)
    Failback,
    /// Show recent events
    Events {
        /// Keep printing new events
        #[arg(short, long)]
        follow: bool,
        /// Only those after number N
        #[arg(long, value_name = "N")]
        after: Option<u64>,
    },
    /// Reload the configuration
    Reload {
        /// Restore the previous configuration after this time unless `faildctl confirm` is run: 60s, 5m
        #[arg(long, value_name = "TIME", value_parser = trial)]
        confirm: Option<Duration>,
    },
    /// Keep the configuration that is on trial
    Confirm,
    /// Stop faild, and wait until it has exited
    Stop {
        /// Leave all overlays in place for the next faild
        #[arg(long)]
        keep: bool,
    },
    /// Like ipmpstat(8) of Solaris: [-n] [-o all|FIELD,.. [-P]] -a|-g|-i|-p|-t
    #[command(disable_help_flag = true)]
    Ipmpstat {
        /// Its options
        #[arg(value_name = "OPTION", trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Like if_mpadm(8) of Solaris: -d IF, -r IF
    #[command(name = "if_mpadm", disable_help_flag = true)]
    IfMpadm {
        /// Its options
        #[arg(value_name = "OPTION", trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

impl Arguments {
    /// Where the daemon listens.
    pub(super) fn socket(&self) -> PathBuf {
        Path::new(&self.state_dir).join(SOCKET)
    }
}

impl Command {
    /// The first request to the daemon.
    pub(super) fn request(&self) -> Request {
        match self {
            // These two send their own requests, and more than this one.
            Command::Ipmpstat { .. } | Command::IfMpadm { .. } => Request::Groups {},
            Command::Status => Request::Status {},
            Command::Lans => Request::Lans {},
            Command::Peers => Request::Peers { after: None },
            Command::Routes => Request::Routes { after: 0 },
            Command::Groups => Request::Groups {},
            Command::Targets { interface } => Request::Targets { interface: interface.clone() },
            Command::Probes { after, follow: _ } => Request::Probes { after: *after },
            Command::Why { destination } => Request::Why { destination: destination.clone() },
            Command::Plan { fail } => Request::Plan { fail: fail.clone() },
            Command::Offline { interface, reason, duration, force } => Request::Offline {
                interface: interface.clone(),
                reason: reason.clone(),
                for_s: duration.map(|time| time.as_secs().max(1)),
                force: *force,
            },
            Command::Online { interface } => Request::Online { interface: interface.clone() },
            Command::Failback => Request::Failback {},
            Command::Events { follow, after } => Request::Events { after: *after, follow: *follow },
            Command::Reload { confirm } => Request::Reload { within_ms: confirm.map(millis) },
            Command::Confirm => Request::Confirm {},
            Command::Stop { keep } => Request::Stop { keep: *keep },
        }
    }
}

impl Command {
    /// Whether it keeps printing new probes.
    pub(super) const fn follows_probes(&self) -> bool {
        matches!(self, Command::Probes { follow: true, .. })
    }
}

fn trial(text: &str) -> Result<Duration, Complaint> {
    duration_in(text, &TRIAL)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn time(text: &str) -> Result<Duration, String> {
    duration(text).map_err(|complaint| complaint.to_string())
}

/// The help of the program and of each command, to check the manual against.
pub fn help_texts() -> Vec<(String, String)> {
    let mut program = Arguments::command();
    let whole = ("faildctl".to_owned(), program.render_long_help().to_string());
    let commands = program.get_subcommands_mut();
    let each =
        commands.map(|command| (command.get_name().to_owned(), command.render_long_help().to_string()));
    std::iter::once(whole).chain(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_can_be_given_json() {
        let words = |command: &[&str]| {
            let words = ["faildctl"].iter().chain(command).copied().map(String::from).collect::<Vec<_>>();
            Arguments::try_parse_from(words).unwrap()
        };
        assert!(words(&["status", "--json"]).json);
        let events = words(&["--json", "events", "-f", "--after", "7"]).command;
        assert_eq!(events.request(), Request::Events { after: Some(7), follow: true });
        let reload = words(&["reload", "--confirm", "90s"]).command;
        assert_eq!(reload.request(), Request::Reload { within_ms: Some(90_000) });
        assert_eq!(words(&["stop", "--keep"]).command.request(), Request::Stop { keep: true });
        let targets = Request::Targets { interface: Some("eth1".to_owned()) };
        assert_eq!(words(&["targets", "eth1"]).command.request(), targets);
        assert_eq!(words(&["lans", "--state-dir", "/x"]).socket(), Path::new("/x/control.sock"));
    }

    #[test]
    fn the_commands_of_solaris_keep_their_own_options() {
        for line in ["-gPo group,fdt", "-a -n", "-i", "-h", "-i --json", ""] {
            let words: Vec<&str> = line.split_whitespace().collect();
            let whole = ["faildctl", "--state-dir", "/x", "ipmpstat"].iter().chain(&words);
            let arguments = Arguments::try_parse_from(whole).unwrap();
            assert_eq!(arguments.socket(), Path::new("/x/control.sock"));
            let Command::Ipmpstat { words: kept } = arguments.command else { panic!("{line}") };
            assert_eq!(kept, words, "{line}");
        }
    }

    #[test]
    fn the_definitions_are_sound() {
        Arguments::command().debug_assert();
        assert!(help_texts().iter().any(|(name, help)| name == "events" && help.contains("--follow")));
    }
}
