//! What the engine has to say to people: every event as a value, worded here.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use log::Level as Loudness;

use super::path::is_link_local;
use super::{LeftOut, NextHop};
use crate::event::EventName;
use crate::failback::Hold;
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
        f.write_str(match self {
            Evidence::Carrier => "no-carrier",
            Evidence::Missed(_) => "missed",
            Evidence::Good(_) => "good",
            Evidence::Answer => "answer",
            Evidence::Report => "peer-report",
            Evidence::Offline => "offline",
        })
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
            InterfaceFault::NoCarrier => f.write_str("cause=no-carrier"),
            InterfaceFault::SetDown => f.write_str("cause=admin-down"),
            InterfaceFault::Gone => f.write_str("cause=absent"),
            InterfaceFault::Renamed(name) => write!(f, "cause=renamed now={name}"),
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |wait: &Duration| wait.as_secs_f64().ceil();
        let clock = |seconds: u32| format!("{:02}:{:02}", seconds / 3600, seconds / 60 % 60);
        match self {
            Hold::Manual => f.write_str("cause=policy-manual fix=\"faildctl failback\""),
            Hold::Delay(wait) => write!(f, "cause=policy-delay wait={}s", seconds(wait)),
            Hold::Window { from, until } => {
                write!(f, "cause=policy-window from={} until={}", clock(*from), clock(*until))
            }
            Hold::Damped { penalty, wait } => {
                write!(f, "cause=damped penalty={penalty} wait={}s", seconds(wait))
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
            Notice::LanChosen { .. } => EventName::LanSelected,
            Notice::LanKept { .. } => EventName::LanKept,
            Notice::InterfaceLeftOut { .. } => EventName::InterfaceSkipped,
            Notice::NoLan { .. } => EventName::NoLan,
            Notice::InterfaceAbsent { .. } => EventName::InterfaceAbsent,
            Notice::LanLeft { .. } => EventName::LanRemoved,
            Notice::LanRenamed { .. } => EventName::LanRenamed,
            Notice::InterfaceUp { .. } => EventName::InterfaceUp,
            Notice::InterfaceDown { .. } => EventName::InterfaceDown,
            Notice::SameMac { .. } => EventName::DuplicateMac,
            Notice::LansJoined { .. } => EventName::LansBridged,
            Notice::PathFound { .. } => EventName::PathFound,
            Notice::PathChanged { level: Level::Up, .. } => EventName::PathUp,
            Notice::PathChanged { level: Level::Down, .. } => EventName::PathDown,
            Notice::PathChanged { level: Level::Unknown, .. } => EventName::PathUnknown,
            Notice::PeerAbsent { .. } => EventName::PeerDown,
            Notice::PeerPresent { .. } => EventName::PeerUp,
            Notice::PeerRestarted { .. } => EventName::PeerRestarted,
            Notice::PeerForgotten { .. } => EventName::PeerExpired,
            Notice::PeerCloned { .. } => EventName::DuplicateNodeId,
            Notice::OwnIdCloned { .. } => EventName::DuplicateNodeId,
            Notice::FailedOver { adopted: true, .. } => EventName::DetourAdopted,
            Notice::FailedOver { .. } => EventName::PeerFailover,
            Notice::FailbackWaits { .. } => EventName::FailbackHeld,
            Notice::FailedBack { .. } => EventName::PeerFailback,
            Notice::AddressFloats { .. } => EventName::AddressFloating,
            Notice::AddressWithdrawn { .. } => EventName::AddressWithdrawn,
            Notice::OverlayUnclaimed { .. } => EventName::OverlayUnclaimed,
            Notice::PortFiltered { .. } => EventName::PortFiltered,
            Notice::BroadcastFiltered { .. } => EventName::BroadcastFiltered,
            Notice::BroadcastHeard { .. } => EventName::BroadcastRestored,
            Notice::LanMute { .. } => EventName::LanNoAddress,
            Notice::LanSilent { .. } => EventName::LanDown,
            Notice::LanHeard { .. } => EventName::LanUp,
            Notice::AllSilent { .. } => EventName::AllPeersSilent,
            Notice::SilenceEnded => EventName::AllPeersSilentCleared,
            Notice::IntervalRaised { .. } => EventName::IntervalChanged,
            Notice::DrainSuspended { .. } => EventName::OfflineSuspended,
            Notice::DrainResumed { .. } => EventName::OfflineResumed,
            Notice::Stalled { .. } => EventName::LoopStalled,
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
            Notice::LanChosen { interface } => write!(f, " interface={interface}"),
            Notice::LanKept { interface } => write!(
                f,
                " interface={interface} cause=\"was a LAN before the restart; now missing or without an \
                 address\" action=\"waiting for it\""
            ),
            Notice::InterfaceLeftOut { interface, reason } => {
                write!(f, " interface={interface} {reason}")
            }
            Notice::NoLan { left_out, .. } => write!(
                f,
                " cause=\"{}\" action=\"probing nothing until a suitable interface appears\" fix=\"name the LANs with \
                 -i\"",
                reasons(left_out)
            ),
            Notice::InterfaceAbsent { interface } => {
                write!(f, " interface={interface} action=\"waiting for it\"")
            }
            Notice::LanLeft { interface } => {
                write!(f, " interface={interface} action=\"removing its overlays\"")
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
                " interface={interface} other={other} mac={mac} fix=\"ip link set dev {} address \
                 ANOTHER\"",
                shell_word(interface)
            ),
            Notice::LansJoined { one, other } => write!(
                f,
                " interface={one} other={other} cause=\"both are on the same network: there is no redundancy\" \
                 fix=\"connect them to separate networks\""
            ),
            Notice::PathFound { peer, interface, address } => {
                write!(f, " peer={peer} interface={interface} address={address}")
            }
            Notice::PathChanged { .. } => self.fmt_path(f),
            Notice::PeerAbsent { peer, said_goodbye } => {
                let why = if *said_goodbye { "goodbye" } else { "silent" };
                write!(f, " peer={peer} cause={why} action=\"nothing is moved\"")
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
                let action = if *ignored { "ignoring this host" } else { "moving nothing for either host" };
                write!(
                    f,
                    " cause=\"two hosts use this node id; was a disk cloned?\" action=\"{action}\" fix=\"delete \
                     state.toml on one of them\""
                )
            }
            Notice::OwnIdCloned { node, other, interface, redraw, .. } => {
                let action =
                    if *redraw { "drawing a new node id" } else { "the other host draws a new node id" };
                write!(f, " node={node} own=yes other={other} interface={interface} action=\"{action}\"")
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
            Notice::AddressFloats { address } => {
                write!(f, " address={address} cause=\"two live nodes claim it\" action=\"leaving it alone\"")
            }
            Notice::AddressWithdrawn { peer, address } => {
                write!(f, " peer={peer} address={address}")
            }
            Notice::OverlayUnclaimed { address, interface, cause } => {
                write!(f, " address={address} home={interface} cause={cause} action=\"removing it\"")
            }
            Notice::PortFiltered { peer, address, interface, claimed } => {
                let doubt = if *claimed { "; the address may belong to another host" } else { "" };
                write!(
                    f,
                    " peer={peer} interface={interface} address={address} cause=\"the host answers ARP \
                     or ND, but not probes{doubt}\" fix=\"allow the UDP port in the firewalls at both ends\""
                )
            }
            Notice::BroadcastFiltered { peer, interface } => {
                write!(f, " peer={peer} interface={interface} action=\"probing by unicast\"")
            }
            Notice::BroadcastHeard { peer, interface } => {
                write!(f, " peer={peer} interface={interface}")
            }
            Notice::LanMute { interface } => write!(
                f,
                " interface={interface} cause=\"no address with a subnet, so nothing can be probed\" \
                 fix=\"ip addr add ADDRESS/LENGTH dev {}; a /32 has no neighbours\"",
                shell_word(interface)
            ),
            Notice::LanSilent { interface } => {
                write!(f, " interface={interface} cause=\"all peers silent, some heard on other LANs\"")
            }
            Notice::LanHeard { interface } => write!(f, " interface={interface}"),
            Notice::DrainSuspended { peer, interface, family } => write!(
                f,
                " peer={peer} interface={interface} family={family} cause=\"no other path to the peer \
                 works\" fix=\"do not unplug the interface\""
            ),
            Notice::DrainResumed { peer, interface, family } => {
                write!(f, " peer={peer} interface={interface} family={family}")
            }
            Notice::AllSilent { peers } => {
                write!(f, " peers={peers} action=\"holding all routes: the fault may be local\"")
            }
            Notice::SilenceEnded => Ok(()),
            Notice::IntervalRaised { interval, paths, configured } => {
                write!(f, " interval={interval:?} configured={configured:?} paths={paths}")
            }
            Notice::Stalled { lag, interface } => {
                write!(
                    f,
                    " interface={interface} lag={lag:?} action=\"ignoring slots missed in the meantime\""
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
        0 => reasons.push("no interface except loopback".to_owned()),
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
        write!(f, " cause={evidence} missed={missed}")?;
        if let Evidence::Good(good) = evidence {
            write!(f, " good={good}")?;
        }
        write!(f, " was={before}")
    }
}

#[cfg(test)]
mod tests;
