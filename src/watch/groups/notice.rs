//! What people should know of groups, as values; here is the only place that words them.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use log::Level;

use crate::event::EventName;
use crate::interface::{Family, MacAddress};

/// Why a member of a group failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Its link is down.
    Link,
    /// Its interface is gone.
    Gone,
    /// Probes by it are not answered.
    NoReply,
}

/// What proves a member of a group repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Its link is up, and nobody can be asked.
    Link,
    /// Probes by it are answered.
    Answers,
}

/// Something that happened. [`fmt::Display`] gives one line: event name, then key=value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the line says; each variant says what happened")]
pub enum Notice {
    /// The link of a member of a group went down, was set down, or its interface is gone.
    LinkDown { interface: String },
    /// It is up.
    LinkUp { interface: String },
    /// A member failed, others did not. `silent`: since the last probe that was answered was sent.
    InterfaceFailed {
        interface: String,
        group: String,
        cause: Failure,
        losses: u32,
        silent: Option<Duration>,
    },
    /// It works again; it carries traffic, or is held back.
    InterfaceRepaired { interface: String, group: String, proof: Proof, active: bool },
    /// All members have failed, so many of them with their links up: nothing moves.
    GroupFailed { group: String, members: usize, with_link: usize },
    /// One of them works again; `all`: each of them.
    GroupUsable { group: String, all: bool },
    /// A member that was held back carries traffic.
    SpareActivated { interface: String, group: String, standby: bool },
    /// A standby is held back again.
    StandbyReleased { interface: String, group: String },
    /// Traffic of a member goes by another. `mute`: which lacks an address of some family.
    StoodIn { interface: String, group: String, by: String, mute: bool },
    /// It goes by the member itself again.
    StandInEnded { interface: String, group: String },
    /// A member is out of service.
    InterfaceOffline { interface: String, group: String },
    /// It is back in service, or has failed meanwhile.
    InterfaceOnline { interface: String, group: String, failed: bool },
    /// A link that came up too often is not trusted yet.
    LinkHeld { interface: String, group: String, wait: Duration },
    /// Members have the same test address: none of them is probed from it.
    TestAddressShared { group: String, address: IpAddr, interfaces: Vec<String> },
    /// Only one has it.
    TestAddressUnique { group: String, address: IpAddr },
    /// The test address is one that is deprecated, which IPv4 heeds not.
    TestAddressDeprecated { interface: String, prefix: IpNet },
    /// A member has no address to probe from: its link alone speaks for it.
    TestAddressMissing { interface: String, group: String },
    /// It has one.
    TestAddressFound { interface: String, group: String },
    /// A member has the hardware address of another and goes out of service.
    MacDuplicate { interface: String, group: String, other: String, mac: MacAddress },
    /// It has its own.
    MacUnique { interface: String, group: String },
    /// Targets answer so slowly that detection takes longer than configured.
    DetectionRaised { group: String, interface: String, family: Family, configured: Duration, time: Duration },
    /// They answer quickly again.
    DetectionLowered { group: String, time: Duration },
    /// A target is left out for a while: it is slow or dead, others are not.
    TargetLeftOut { interface: String, target: IpAddr, slow: bool },
}

impl Notice {
    /// Which event it is.
    pub const fn name(&self) -> EventName {
        match self {
            Notice::LinkDown { .. } => EventName::InterfaceDown,
            Notice::LinkUp { .. } => EventName::InterfaceUp,
            Notice::InterfaceFailed { .. } => EventName::InterfaceFailed,
            Notice::InterfaceRepaired { .. } => EventName::InterfaceRepaired,
            Notice::GroupFailed { .. } => EventName::GroupFailed,
            Notice::GroupUsable { all: false, .. } => EventName::GroupDegraded,
            Notice::GroupUsable { .. } => EventName::GroupOk,
            Notice::SpareActivated { standby: true, .. } => EventName::StandbyActivated,
            Notice::SpareActivated { .. } => EventName::InterfaceActivated,
            Notice::StandbyReleased { .. } => EventName::StandbyDeactivated,
            Notice::StoodIn { .. } => EventName::GroupFailover,
            Notice::StandInEnded { .. } => EventName::GroupFailback,
            Notice::InterfaceOffline { .. } => EventName::InterfaceOffline,
            Notice::InterfaceOnline { .. } => EventName::InterfaceOnline,
            Notice::LinkHeld { .. } => EventName::LinkFlapping,
            Notice::TestAddressShared { .. } => EventName::DuplicateTestAddress,
            Notice::TestAddressUnique { .. } => EventName::DuplicateTestAddressCleared,
            Notice::TestAddressDeprecated { .. } => EventName::TestAddressDeprecated,
            Notice::TestAddressMissing { .. } => EventName::TestAddressMissing,
            Notice::TestAddressFound { .. } => EventName::TestAddressFound,
            Notice::MacDuplicate { .. } => EventName::DuplicateMac,
            Notice::MacUnique { .. } => EventName::DuplicateMacCleared,
            Notice::DetectionRaised { .. } => EventName::DetectionTimeRaised,
            Notice::DetectionLowered { .. } => EventName::DetectionTimeLowered,
            Notice::TargetLeftOut { .. } => EventName::TargetSkipped,
        }
    }

    /// How much it matters.
    pub fn level(&self) -> Level {
        match self {
            Notice::GroupFailed { .. } => Level::Error,
            Notice::LinkDown { .. }
            | Notice::InterfaceFailed { .. }
            | Notice::LinkHeld { .. }
            | Notice::TestAddressShared { .. }
            | Notice::TestAddressDeprecated { .. }
            | Notice::StoodIn { mute: true, .. }
            | Notice::MacDuplicate { .. } => Level::Warn,
            Notice::LinkUp { .. }
            | Notice::InterfaceRepaired { .. }
            | Notice::GroupUsable { .. }
            | Notice::SpareActivated { .. }
            | Notice::StandbyReleased { .. }
            | Notice::StoodIn { .. }
            | Notice::StandInEnded { .. }
            | Notice::InterfaceOffline { .. }
            | Notice::InterfaceOnline { .. }
            | Notice::TestAddressUnique { .. }
            | Notice::TestAddressMissing { .. }
            | Notice::TestAddressFound { .. }
            | Notice::MacUnique { .. }
            | Notice::DetectionRaised { .. }
            | Notice::DetectionLowered { .. } => Level::Info,
            Notice::TargetLeftOut { .. } => Level::Debug,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name().fmt(f)?;
        match self {
            Notice::LinkDown { interface } => write!(f, " interface={interface}"),
            Notice::LinkUp { interface } => write!(f, " interface={interface}"),
            Notice::InterfaceFailed { interface, group, cause, losses, silent } => {
                write!(f, " interface={interface} group={} cause={cause}", Group(group))?;
                if *losses > 0 {
                    write!(f, " losses={losses}")?;
                }
                silent.map_or(Ok(()), |silent| write!(f, " silent={:.2}s", silent.as_secs_f64()))
            }
            Notice::InterfaceRepaired { interface, group, proof, active } => {
                let group = Group(group);
                write!(f, " interface={interface} group={group} cause={proof} active={active}")
            }
            Notice::GroupFailed { group, members, with_link } => {
                write!(f, " group={group} members={members} links-up={with_link}")?;
                f.write_str(" action=\"nothing is moved\" fix=\"if the links are up, check the targets\"")
            }
            Notice::GroupUsable { group, .. } => write!(f, " group={group}"),
            Notice::SpareActivated { interface, group, .. } => {
                write!(f, " interface={interface} group={group}")
            }
            Notice::StandbyReleased { interface, group } => {
                write!(f, " interface={interface} group={group}")
            }
            Notice::StoodIn { interface, group, by, mute } => {
                write!(f, " interface={interface} group={group} to={by}")?;
                let note = " cause=\"the active member has no address for replies\" fix=\"give it an address in the subnet\"";
                f.write_str(if *mute { note } else { "" })
            }
            Notice::StandInEnded { interface, group } => {
                write!(f, " interface={interface} group={group}")
            }
            Notice::InterfaceOffline { interface, group } => {
                write!(f, " interface={interface} group={group}")
            }
            Notice::InterfaceOnline { interface, group, failed } => {
                write!(f, " interface={interface} group={group} failed={failed}")
            }
            Notice::LinkHeld { interface, group, wait } => {
                let wait = wait.as_secs_f64();
                write!(f, " interface={interface} group={} wait={wait:.0}s", Group(group))?;
                f.write_str(" cause=\"it came up more than twice in a minute\"")
            }
            Notice::TestAddressShared { group, address, interfaces } => {
                let interfaces = interfaces.join(",");
                write!(f, " address={address} group={group} interfaces={interfaces}")?;
                f.write_str(" action=\"not probing from it\"")
            }
            Notice::TestAddressUnique { group, address } => {
                write!(f, " address={address} group={group}")
            }
            Notice::TestAddressDeprecated { interface, prefix } => {
                write!(f, " interface={interface} address={prefix}")?;
                f.write_str(
                    " cause=\"Linux ignores the deprecated flag for IPv4 and may use it as a source\"",
                )?;
                let address = prefix.addr();
                write!(
                    f,
                    " fix=\"use {address}/32 noprefixroute scope link; faild adds it if it is missing\""
                )
            }
            Notice::TestAddressMissing { interface, group } => {
                write!(f, " interface={interface} group={}", Group(group))?;
                f.write_str(" action=\"judging it by its link alone\"")
            }
            Notice::TestAddressFound { interface, group } => {
                write!(f, " interface={interface} group={}", Group(group))
            }
            Notice::MacDuplicate { interface, group, other, mac } => {
                write!(f, " interface={interface} group={group} other={other} mac={mac}")?;
                f.write_str(" action=\"taking it offline until its address is unique\"")
            }
            Notice::MacUnique { interface, group } => {
                write!(f, " interface={interface} group={group}")
            }
            Notice::DetectionRaised { group, interface, family, configured, time } => {
                let (configured, time) = (configured.as_secs_f64(), time.as_secs_f64());
                write!(f, " group={group} interface={interface} family={family}")?;
                write!(f, " time={time:.2}s configured={configured:.2}s")
            }
            Notice::DetectionLowered { group, time } => {
                write!(f, " group={group} time={:.2}s", time.as_secs_f64())
            }
            Notice::TargetLeftOut { interface, target, slow } => {
                let cause = if *slow { "slow" } else { "no-answer" };
                write!(f, " interface={interface} target={target} cause={cause}")
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Failure::Link => "no-carrier",
            Failure::Gone => "absent",
            Failure::NoReply => "no-answer",
        })
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Proof::Link => "carrier",
            Proof::Answers => "answers",
        })
    }
}

/// The name of a group in a line, also of one that has none.
struct Group<'a>(&'a str);

impl fmt::Display for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "-" } else { self.0 })
    }
}

#[cfg(test)]
mod tests;
