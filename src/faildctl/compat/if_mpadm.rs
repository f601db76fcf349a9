//! `faildctl if_mpadm`: takes an interface of a group offline, and puts it back.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use super::ipmpstat::groups;
use super::{Fatal, ask, connect, unexpected};
use crate::control::{Group, GroupState, Member, MemberState, Reply, Request};

/// Runs the command with these arguments, on the daemon that listens on `socket`.
pub(crate) fn main(socket: &Path, words: &[String]) -> ExitCode {
    let (what, interface) = match words {
        [flag, interface] if flag == "-d" => (What::Offline, interface),
        [flag, interface] if flag == "-r" => (What::Online, interface),
        _ => {
            let _ = writeln!(io::stderr(), "usage: if_mpadm -d INTERFACE | -r INTERFACE");
            return ExitCode::FAILURE;
        }
    };
    match run(socket, what, interface) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fatal) => {
            let reason = fatal.to_string().replace('\n', "; ");
            let _ = writeln!(io::stderr(), "if_mpadm: fatal: cannot {} {interface}: {reason}", what.word());
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Offline,
    Online,
}

impl What {
    const fn word(self) -> &'static str {
        match self {
            What::Offline => "offline",
            What::Online => "online",
        }
    }
}

fn run(socket: &Path, what: What, interface: &str) -> Result<(), Fatal> {
    let mut client = connect(socket)?;
    check(&groups(&mut client)?, what, interface).map_err(Fatal::new)?;
    let interface = interface.to_owned();
    let request = match what {
        What::Offline => Request::Offline { interface, reason: None, for_s: None, force: false },
        What::Online => Request::Online { interface },
    };
    let Reply::Done(_) = ask(&mut client, &request)? else { return Err(unexpected()) };
    Ok(())
}

/// The refusals of if_mpadm(8), in its order. The daemon checks anything harmful again, and more than this.
fn check(groups: &[Group], what: What, interface: &str) -> Result<(), &'static str> {
    let of_group = |group| move |member| (group, member);
    let mut members = groups.iter().flat_map(|group| group.members.iter().map(of_group(group)));
    let Some((group, member)) =
        members.find(|(_, member): &(_, &Member)| member.snapshot.interface == interface)
    else {
        return Err("not an interface of a group");
    };
    let is_offline = member.snapshot.state == MemberState::Offline || member.offline.is_some();
    match what {
        What::Offline if is_offline => Err("already offline"),
        What::Offline if !has_other(group, member) => Err("no other functioning interface in its group"),
        What::Online if !is_offline => Err("not offline"),
        What::Online if member.snapshot.duplicate_mac => Err("duplicate hardware address"),
        What::Offline | What::Online => Ok(()),
    }
}

/// Whether another member is usable or, if the whole group has failed, not offline.
fn has_other(group: &Group, member: &Member) -> bool {
    let is_spare = |other: &Member| match (other.snapshot.state, group.state) {
        (MemberState::Ok | MemberState::Unknown, _) | (MemberState::Failed, GroupState::Failed) => true,
        (MemberState::Failed | MemberState::Offline, _) => false,
    };
    let mut others =
        group.members.iter().filter(|other| other.snapshot.interface != member.snapshot.interface);
    !group.name.is_empty() && others.any(is_spare)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::MemberSnapshot;
    use crate::faildctl::compat::rows::tests::{group, member};
    use GroupState::{Degraded, Failed, Ok as AllOk};

    const NO_OTHER: &str = "no other functioning interface in its group";

    fn refusal(group: &Group, what: What, interface: &str) -> &'static str {
        check(std::slice::from_ref(group), what, interface).err().unwrap_or("")
    }

    fn with(state: GroupState, members: [(&str, MemberState); 2]) -> Group {
        let members = members.map(|(name, state)| MemberSnapshot { state, ..member(name) });
        group("lan0", state, None, &members)
    }

    #[test]
    fn the_last_usable_interface_stays_and_any_other_may_go() {
        use MemberState as M;
        let both = with(AllOk, [("a", M::Ok), ("b", M::Ok)]);
        assert_eq!(refusal(&both, What::Offline, "a"), "");
        let one = with(Degraded, [("a", M::Ok), ("b", M::Failed)]);
        assert_eq!(refusal(&one, What::Offline, "a"), NO_OTHER, "case 27");
        let none = with(Failed, [("a", M::Failed), ("b", M::Failed)]);
        assert_eq!(refusal(&none, What::Offline, "a"), "", "case 28");
        let rest = with(Failed, [("a", M::Failed), ("b", M::Offline)]);
        assert_eq!(refusal(&rest, What::Offline, "a"), NO_OTHER);
        let untold = with(AllOk, [("a", M::Ok), ("b", M::Unknown)]);
        assert_eq!(refusal(&untold, What::Offline, "a"), "", "without a target it counts as working");
        let bare = MemberSnapshot { no_data_address: true, ..member("b") };
        let spare = group("g", AllOk, None, &[member("a"), bare]);
        assert_eq!(refusal(&spare, What::Offline, "a"), "", "a standby needs no address of its own");
    }

    #[test]
    fn a_second_time_is_refused() {
        let away = with(Degraded, [("a", MemberState::Offline), ("b", MemberState::Ok)]);
        assert_eq!(refusal(&away, What::Offline, "a"), "already offline", "case 29");
        assert_eq!(refusal(&away, What::Online, "b"), "not offline", "case 29");
        assert_eq!(refusal(&away, What::Online, "a"), "");
        let twin = MemberSnapshot { state: MemberState::Offline, duplicate_mac: true, ..member("b") };
        let twins = group("lan0", Degraded, None, &[member("a"), twin]);
        assert_eq!(refusal(&twins, What::Online, "b"), "duplicate hardware address", "case 33");
    }

    #[test]
    fn nothing_takes_over_outside_a_named_group() {
        let anonymous = group("", AllOk, None, &[member("a"), member("b")]);
        assert_eq!(refusal(&anonymous, What::Offline, "a"), NO_OTHER, "case 41");
        assert_eq!(refusal(&anonymous, What::Offline, "c"), "not an interface of a group");
    }
}
