//! What the engine has to say to people: every event as a value, worded here.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use log::Level as Loudness;

use super::path::is_link_local;
use super::{LeftOut, NextHop};
use crate::event::EventName;
use crate::interface::{Family, InterfaceIndex, MacAddress};
use crate::wire::{Level, NodeId};
use crate::words::shell_word;

/// What a change of a path rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// Our own interface lost its carrier, was set down, or is gone.
    Carrier,
    /// So many slots in a row were missed.
    Missed(u32),
    /// So many clean slots in a row.
    Good(u32),
    /// One round trip, where that is enough.
    Answer,
    /// The peer says so.
    Report,
    /// The administrator has taken its LAN out of service.
    Offline,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Evidence::Carrier => f.write_str("carrier"),
            Evidence::Missed(count) => write!(f, "missed:{count}"),
            Evidence::Good(count) => write!(f, "good:{count}"),
            Evidence::Answer => f.write_str("answer"),
            Evidence::Report => f.write_str("peer-report"),
            Evidence::Offline => f.write_str("offline"),
        }
    }
}

/// Why an overlay that was found is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unclaimed {
    /// Its next hop is a node that lives, and has other addresses.
    NextHopDiffers,
    /// Its next hop answers nothing.
    NextHopSilent,
    /// Its address answers at home.
    HomeAnswers,
}

impl fmt::Display for Unclaimed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unclaimed::NextHopDiffers => "next-hop-differs",
            Unclaimed::NextHopSilent => "next-hop-silent",
            Unclaimed::HomeAnswers => "home-answers",
        })
    }
}

/// Why an interface cannot pass packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InterfaceFault {
    /// No carrier: cable, switch, the other end.
    NoCarrier,
    /// Somebody set it down.
    SetDown,
    /// There is no interface of that name.
    Gone,
    /// It has another name by now, and the settings want the old one.
    Renamed(String),
}

impl fmt::Display for InterfaceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InterfaceFault::NoCarrier => f.write_str("reason=no-carrier"),
            InterfaceFault::SetDown => f.write_str("reason=set-down"),
            InterfaceFault::Gone => f.write_str("reason=gone"),
            InterfaceFault::Renamed(name) => write!(f, "reason=renamed now={name}"),
        }
    }
}

/// Why a path that is up may not be gone home to yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Failback policy: the administrator has to say so.
    Manual,
    /// Failback policy: up for so much longer.
    Delay(Duration),
    /// Failback policy: at that time of day, in seconds since midnight.
    Window {
        /// Start.
        from: u32,
        /// End.
        until: u32,
    },
    /// It has failed too often lately.
    Damped {
        /// The penalty by now.
        penalty: u32,
        /// How long until it is low enough.
        wait: Duration,
    },
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |wait: &Duration| wait.as_secs_f64().ceil();
        let clock = |seconds: u32| format!("{:02}:{:02}", seconds / 3600, seconds / 60 % 60);
        match self {
            Hold::Manual => f.write_str("reason=policy-manual hint=\"faildctl failback\""),
            Hold::Delay(wait) => write!(f, "reason=policy-delay wait={}s", seconds(wait)),
            Hold::Window { from, until } => {
                write!(f, "reason=policy-window from={} until={}", clock(*from), clock(*until))
            }
            Hold::Damped { penalty, wait } => {
                write!(f, "reason=damped penalty={penalty} wait={}s", seconds(wait))
            }
        }
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the line says; each variant says what happened")]
pub enum Notice {
    /// An interface was chosen as a LAN.
    LanChosen { interface: String },
    /// An interface that is gone or bare stays the LAN that it was before a restart.
    LanKept { interface: String },
    /// An interface was not chosen.
    InterfaceLeftOut { interface: String, reason: LeftOut },
    /// No interface was chosen; `alone` if there are no groups and destinations to care for either.
    NoLan { left_out: Vec<(String, LeftOut)>, alone: bool },
    /// A named interface does not exist; it is waited for.
    InterfaceAbsent { interface: String },
    /// An interface is no LAN any more, by other settings.
    LanLeft { interface: String },
    /// A LAN's interface got another name.
    LanRenamed { from: String, to: String },
    /// A LAN's interface can pass packets.
    InterfaceUp { interface: String, index: InterfaceIndex },
    /// It can not.
    InterfaceDown { interface: String, reason: InterfaceFault },
    /// Two of our interfaces have the same hardware address.
    SameMac { interface: String, other: String, mac: MacAddress },
    /// Two of our interfaces are on one LAN.
    LansJoined { one: String, other: String },
    /// A peer, or another path to it, was found.
    PathFound { peer: NodeId, interface: String, address: IpAddr },
    /// The verdict on a path changed.
    PathChanged {
        peer: NodeId,
        interface: String,
        family: Family,
        level: Level,
        before: Level,
        evidence: Evidence,
        missed: u32,
        address: Option<IpAddr>,
    },
    /// A peer is silent on all paths.
    PeerAbsent { peer: NodeId, said_goodbye: bool },
    /// It is back, or there for the first time.
    PeerPresent { peer: NodeId, interface: String },
    /// It runs anew.
    PeerRestarted { peer: NodeId },
    /// It has been away for long and is forgotten.
    PeerForgotten { peer: NodeId, was_proven: bool },
    /// Two hosts bear one node id.
    PeerCloned { peer: NodeId, address: IpAddr, other: Option<IpAddr>, interface: String, ignored: bool },
    /// Another host bears our node id.
    OwnIdCloned { node: NodeId, own: Option<IpAddr>, other: IpAddr, interface: String, redraw: bool },
    /// Traffic for an address leaves home.
    FailedOver { peer: NodeId, address: IpAddr, from: String, to: NextHop, adopted: bool },
    /// A path with traffic away is up, and may not be gone home to yet.
    FailbackWaits { peer: NodeId, interface: String, family: Family, hold: Hold },
    /// Traffic for an address is home again.
    FailedBack { peer: NodeId, address: IpAddr, interface: String },
    /// Two nodes claim an address.
    AddressFloats { address: IpAddr },
    /// A peer no longer has an address.
    AddressWithdrawn { peer: NodeId, address: IpAddr },
    /// An overlay that was found at the start is removed: no node that is known has the address.
    OverlayUnclaimed { address: IpAddr, interface: String, cause: Unclaimed },
    /// ARP or ND is answered, INQs are not. An address that is merely claimed may be another host's.
    PortFiltered { peer: NodeId, address: IpAddr, interface: String, claimed: bool },
    /// Broadcasts do not reach a peer, unicast does.
    BroadcastFiltered { peer: NodeId, interface: String },
    /// Broadcasts reach it again.
    BroadcastHeard { peer: NodeId, interface: String },
    /// A LAN has no address to probe from.
    LanMute { interface: String },
    /// All peers on a LAN are silent.
    LanSilent { interface: String },
    /// They are heard again.
    LanHeard { interface: String },
    /// All peers on all LANs are silent.
    AllSilent { peers: usize },
    /// One is heard again.
    SilenceEnded,
    /// More peers than the packet budget allows to ask so often, or no longer.
    IntervalRaised { interval: Duration, paths: usize, configured: Duration },
    /// A LAN that is out of service carries traffic for a peer, because nothing else does.
    DrainSuspended { peer: NodeId, interface: String, family: Family },
    /// Something else does again.
    DrainResumed { peer: NodeId, interface: String, family: Family },
    /// The daemon itself ran late.
    Stalled { lag: Duration, interface: String },
}

impl Notice {
    /// Which event it is.
    pub const fn name(&self) -> EventName {
        match self {
            Notice::LanChosen { .. } => EventName::LanChosen,
            Notice::LanKept { .. } => EventName::LanKept,
            Notice::InterfaceLeftOut { .. } => EventName::InterfaceLeftOut,
            Notice::NoLan { .. } => EventName::NoLan,
            Notice::InterfaceAbsent { .. } => EventName::InterfaceAbsent,
            Notice::LanLeft { .. } => EventName::LanLeft,
            Notice::LanRenamed { .. } => EventName::LanRenamed,
            Notice::InterfaceUp { .. } => EventName::InterfaceUp,
            Notice::InterfaceDown { .. } => EventName::InterfaceDown,
            Notice::SameMac { .. } => EventName::SameMac,
            Notice::LansJoined { .. } => EventName::LansJoined,
            Notice::PathFound { .. } => EventName::PathFound,
            Notice::PathChanged { level: Level::Up, .. } => EventName::PathUp,
            Notice::PathChanged { level: Level::Down, .. } => EventName::PathDown,
            Notice::PathChanged { level: Level::Unknown, .. } => EventName::PathUnknown,
            Notice::PeerAbsent { .. } => EventName::PeerAbsent,
            Notice::PeerPresent { .. } => EventName::PeerPresent,
            Notice::PeerRestarted { .. } => EventName::PeerRestarted,
            Notice::PeerForgotten { .. } => EventName::PeerForgotten,
            Notice::PeerCloned { .. } => EventName::PeerCloned,
            Notice::OwnIdCloned { .. } => EventName::OwnIdCloned,
            Notice::FailedOver { adopted: true, .. } => EventName::DetourAdopted,
            Notice::FailedOver { .. } => EventName::Failover,
            Notice::FailbackWaits { .. } => EventName::FailbackWaits,
            Notice::FailedBack { .. } => EventName::Failback,
            Notice::AddressFloats { .. } => EventName::AddressFloats,
            Notice::AddressWithdrawn { .. } => EventName::AddressWithdrawn,
            Notice::OverlayUnclaimed { .. } => EventName::OverlayUnclaimed,
            Notice::PortFiltered { .. } => EventName::PortFiltered,
            Notice::BroadcastFiltered { .. } => EventName::BroadcastFiltered,
            Notice::BroadcastHeard { .. } => EventName::BroadcastHeard,
            Notice::LanMute { .. } => EventName::LanMute,
            Notice::LanSilent { .. } => EventName::LanSilent,
            Notice::LanHeard { .. } => EventName::LanHeard,
            Notice::AllSilent { .. } => EventName::AllSilent,
            Notice::SilenceEnded => EventName::SilenceEnded,
            Notice::IntervalRaised { .. } => EventName::IntervalChanged,
            Notice::DrainSuspended { .. } => EventName::DrainSuspended,
            Notice::DrainResumed { .. } => EventName::DrainResumed,
            Notice::Stalled { .. } => EventName::Stalled,
        }
    }

    /// How loud: error, a promise is broken and a person is needed; warn, still served, redundancy or configuration is
    /// not as wished; info, a state that people notice changed; debug, why a decision went so.
    pub fn level(&self) -> Loudness {
        match self {
            Notice::AllSilent { .. } => Loudness::Error,
            // Link-local addresses only serve as gateways: the address beside them tells people enough.
            Notice::FailedOver { address, .. } | Notice::FailedBack { address, .. }
                if is_link_local(address) =>
            {
                Loudness::Debug
            }
            Notice::PathChanged { evidence: Evidence::Offline, .. } => Loudness::Info,
            Notice::PathChanged { level: Level::Down, .. }
            | Notice::InterfaceAbsent { .. }
            | Notice::LanKept { .. }
            | Notice::NoLan { alone: true, .. }
            | Notice::InterfaceDown { .. }
            | Notice::SameMac { .. }
            | Notice::LansJoined { .. }
            | Notice::PeerAbsent { said_goodbye: false, .. }
            | Notice::PeerCloned { .. }
            | Notice::OwnIdCloned { .. }
            | Notice::FailedOver { .. }
            | Notice::AddressFloats { .. }
            | Notice::PortFiltered { claimed: false, .. }
            | Notice::LanMute { .. }
            | Notice::LanSilent { .. }
            | Notice::DrainSuspended { .. }
            | Notice::Stalled { .. }
            | Notice::IntervalRaised { .. } => Loudness::Warn,
            Notice::InterfaceLeftOut { reason: LeftOut::SameSubnet(_) | LeftOut::TooMany, .. } => {
                Loudness::Warn
            }
            Notice::AddressWithdrawn { .. } => Loudness::Debug,
            Notice::LanChosen { .. }
            | Notice::OverlayUnclaimed { .. }
            | Notice::NoLan { .. }
            | Notice::PortFiltered { .. }
            | Notice::InterfaceLeftOut { .. }
            | Notice::LanLeft { .. }
            | Notice::LanRenamed { .. }
            | Notice::InterfaceUp { .. }
            | Notice::PathFound { .. }
            | Notice::PathChanged { .. }
            | Notice::PeerAbsent { .. }
            | Notice::PeerPresent { .. }
            | Notice::PeerRestarted { .. }
            | Notice::PeerForgotten { .. }
            | Notice::FailbackWaits { .. }
            | Notice::FailedBack { .. }
            | Notice::BroadcastFiltered { .. }
            | Notice::BroadcastHeard { .. }
            | Notice::LanHeard { .. }
            | Notice::DrainResumed { .. }
            | Notice::SilenceEnded => Loudness::Info,
        }
    }
}

impl Notice {
    /// The peer that this is about, if it may be one that somebody has invented: it has shown no more than that it
    /// sends. Whether it has shown more is for [`Engine::is_proven`](super::Engine::is_proven) to say.
    pub fn hearsay_of(&self) -> Option<NodeId> {
        let (Notice::PathFound { peer, .. }
        | Notice::PathChanged { peer, .. }
        | Notice::PeerPresent { peer, .. }
        | Notice::PeerAbsent { peer, .. }
        | Notice::PeerRestarted { peer }
        | Notice::PeerForgotten { peer, was_proven: false }
        | Notice::PortFiltered { peer, .. }
        | Notice::BroadcastFiltered { peer, .. }
        | Notice::BroadcastHeard { peer, .. }) = self
        else {
            return None;
        };
        Some(*peer)
    }

    /// Interface and addresses of the two hosts that this is about, if people will have to find them by their
    /// hardware addresses: those belong to the line as far as the kernel knows them. A host without an address here is
    /// one whose address nobody knows.
    pub fn hosts(&self) -> Option<(&str, [Option<IpAddr>; 2])> {
        if let Notice::PeerCloned { address, other, interface, .. } = self {
            return Some((interface, [Some(*address), *other]));
        }
        let Notice::OwnIdCloned { own, other, interface, .. } = self else { return None };
        Some((interface, [*own, Some(*other)]))
    }
}

impl fmt::Display for Notice {
    /// `event-name key=value ...`, one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name().fmt(f)?;
        match self {
            Notice::LanChosen { interface } => write!(f, " interface={interface} reason=fits"),
            Notice::LanKept { interface } => write!(
                f,
                " interface={interface} why=\"it was a LAN before the restart, and is gone or has no address\" \
                 action=\"wait for it\""
            ),
            Notice::InterfaceLeftOut { interface, reason } => {
                write!(f, " interface={interface} {reason}")
            }
            Notice::NoLan { left_out, .. } => write!(
                f,
                " why=\"{}\" action=\"nobody is probed until one fits\" mend=\"name the LANs with -i\"",
                reasons(left_out)
            ),
            Notice::InterfaceAbsent { interface } => {
                write!(f, " interface={interface} action=\"wait for it\"")
            }
            Notice::LanLeft { interface } => {
                write!(f, " interface={interface} action=\"its overlays are lifted\"")
            }
            Notice::LanRenamed { from, to } => write!(f, " interface={to} was={from}"),
            Notice::InterfaceUp { interface, index } => {
                write!(f, " interface={interface} index={index}")
            }
            Notice::InterfaceDown { interface, reason } => {
                write!(f, " interface={interface} {reason}")
            }
            Notice::SameMac { interface, other, mac } => write!(
                f,
                " interface={interface} other={other} mac={mac} mend=\"ip link set dev {} address \
                 ANOTHER\"",
                shell_word(interface)
            ),
            Notice::LansJoined { one, other } => write!(
                f,
                " interface={one} other={other} hint=\"both are on one network: there is no redundancy\""
            ),
            Notice::PathFound { peer, interface, address } => {
                write!(f, " peer={peer} interface={interface} address={address}")
            }
            Notice::PathChanged { .. } => self.fmt_path(f),
            Notice::PeerAbsent { peer, said_goodbye } => {
                let why = if *said_goodbye { "goodbye" } else { "silent-on-all-lans" };
                write!(f, " peer={peer} evidence={why} action=\"nothing is moved\"")
            }
            Notice::PeerPresent { peer, interface } => {
                write!(f, " peer={peer} interface={interface}")
            }
            Notice::PeerRestarted { peer } => write!(f, " peer={peer}"),
            Notice::PeerForgotten { peer, .. } => write!(f, " peer={peer}"),
            Notice::PeerCloned { peer, address, other, interface, ignored } => {
                write!(f, " peer={peer} interface={interface} address={address}")?;
                if let Some(other) = other {
                    write!(f, " other={other}")?;
                }
                let action = if *ignored { "this one is ignored" } else { "nothing is moved for them" };
                write!(
                    f,
                    " hint=\"two hosts bear this id: was a disk copied? delete state.toml on one\" action=\"{action}\""
                )
            }
            Notice::OwnIdCloned { node, other, interface, redraw, .. } => {
                let action = if *redraw { "we draw a new one" } else { "the other one draws a new one" };
                write!(f, " node={node} other={other} interface={interface} action=\"{action}\"")
            }
            Notice::FailedOver { peer, address, from, to, .. } => {
                let NextHop { interface, via } = to;
                write!(f, " peer={peer} address={address} from={from} to={interface} via={via}")
            }
            Notice::FailbackWaits { peer, interface, family, hold } => {
                write!(f, " peer={peer} interface={interface} family={family} {hold}")
            }
            Notice::FailedBack { peer, address, interface } => {
                write!(f, " peer={peer} address={address} to={interface}")
            }
            Notice::AddressFloats { address } => write!(
                f,
                " address={address} hint=\"two nodes that live claim it\" action=\"it is left alone\""
            ),
            Notice::AddressWithdrawn { peer, address } => {
                write!(f, " peer={peer} address={address}")
            }
            Notice::OverlayUnclaimed { address, interface, cause } => {
                write!(f, " address={address} home={interface} cause={cause} action=\"removing it\"")
            }
            Notice::PortFiltered { peer, address, interface, claimed } => {
                let doubt = if *claimed {
                    ", or is it another host's address, that the peer only claims"
                } else {
                    ""
                };
                write!(
                    f,
                    " peer={peer} interface={interface} address={address} hint=\"its host answers ARP or \
                     ND but not our probes: does a firewall drop the port there or here{doubt}?\""
                )
            }
            Notice::BroadcastFiltered { peer, interface } => {
                write!(f, " peer={peer} interface={interface} action=\"asked by unicast from here on\"")
            }
            Notice::BroadcastHeard { peer, interface } => {
                write!(f, " peer={peer} interface={interface}")
            }
            Notice::LanMute { interface } => write!(
                f,
                " interface={interface} why=\"no address with a subnet: nobody can be probed there\" \
                 mend=\"ip addr add ADDRESS/LENGTH dev {}; a /32 has no neighbours\"",
                shell_word(interface)
            ),
            Notice::LanSilent { interface } => {
                write!(f, " interface={interface} evidence=\"all peers silent, some heard elsewhere\"")
            }
            Notice::LanHeard { interface } => write!(f, " interface={interface}"),
            Notice::DrainSuspended { peer, interface, family } => write!(
                f,
                " peer={peer} interface={interface} family={family} hint=\"it is offline, and nothing \
                 else reaches the peer: do not unplug it\""
            ),
            Notice::DrainResumed { peer, interface, family } => {
                write!(f, " peer={peer} interface={interface} family={family}")
            }
            Notice::AllSilent { peers } => {
                write!(f, " peers={peers} action=\"nothing is moved: it may be us\"")
            }
            Notice::SilenceEnded => Ok(()),
            Notice::IntervalRaised { interval, paths, configured } => {
                write!(f, " interval={interval:?} configured={configured:?} paths={paths}")
            }
            Notice::Stalled { lag, interface } => {
                write!(
                    f,
                    " interface={interface} lag={lag:?} action=\"what was not heard meanwhile does not count\""
                )
            }
        }
    }
}

/// Why each interface is no LAN, of the first ones only: a host of containers has hundreds.
fn reasons(left_out: &[(String, LeftOut)]) -> String {
    const MOST: usize = 8;
    let reason = |(interface, reason): &(String, LeftOut)| format!("{interface}: {}", reason.word());
    let mut reasons: Vec<String> = left_out.iter().take(MOST).map(reason).collect();
    match left_out.len() {
        0 => reasons.push("there is no interface beside the loopback one".to_owned()),
        all if all > MOST => reasons.push(format!("{} more", all - MOST)),
        _ => {}
    }
    reasons.join(", ")
}

impl Notice {
    fn fmt_path(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Notice::PathChanged { peer, interface, family, before, evidence, missed, address, .. } = self
        else {
            return Ok(());
        };
        write!(f, " peer={peer} interface={interface} family={family}")?;
        if let Some(address) = address {
            write!(f, " address={address}")?;
        }
        write!(f, " evidence={evidence} missed={missed} was={before}")
    }
}

#[cfg(test)]
mod tests;
