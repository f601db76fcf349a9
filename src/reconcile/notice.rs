//! What reconcile has to say to people: every event as a value, worded here.
//!
//! Ten thousand routes do not write ten thousand lines: each event counts what it stands for and shows one of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use log::Level;

use super::cause::Owner;
use crate::engine::{NextHop, Subject};
use crate::event::EventName;
use crate::operation::Refusal;
use crate::watch::Destination;
use crate::words::shell_word;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The routes of a subject take a detour.
    OverlayLaid {
        /// Whose.
        subject: Subject,
        /// The detour.
        way: NextHop,
        /// How many overlays were laid.
        routes: usize,
    },
    /// The routes of a subject are home.
    OverlayLifted {
        /// Whose; absent: the routes that they stood in front of were deleted by somebody.
        subject: Option<Subject>,
        /// How many overlays were lifted.
        routes: usize,
        /// One of them.
        route: String,
    },
    /// A destination is led by other hops than the best route of others has.
    RouteOverlaid {
        /// The destination.
        destination: Destination,
        /// The hops, `gateway%interface`, joined by commas.
        by: String,
    },
    /// A destination needs no route of ours.
    RouteLifted {
        /// The destination.
        destination: Destination,
        /// The hops of the route that serves it.
        by: String,
    },
    /// A destination's best route belongs to a program whose routes are not overlaid.
    DestinationLeftAlone {
        /// The destination.
        destination: Destination,
        /// The route.
        route: String,
        /// Who made it: rtm_protocol.
        protocol: u8,
    },
    /// The routes over a failed member of a group go by the interface that stands in for it.
    MemberOverlaid {
        /// The member.
        interface: String,
        /// The stand-in.
        by: String,
        /// How many overlays were laid.
        routes: usize,
    },
    /// The routes over a member are home.
    MemberLifted {
        /// The member.
        interface: String,
        /// How many overlays were lifted.
        routes: usize,
    },
    /// Somebody removed a test address; it is made again.
    TestAddressRemoved {
        /// The interface.
        interface: String,
        /// The address.
        address: Ipv4Addr,
        /// How often that happened lately.
        removals: u32,
    },
    /// Overlays vanished and it was neither faild nor an interface that fell. They will be laid again.
    OverlayRemovedByOthers {
        /// Whose.
        owner: Owner,
        /// How many.
        routes: usize,
        /// One of them.
        route: String,
    },
    /// An overlay was removed again and again; attempts get rarer.
    Contested {
        /// Whose.
        owner: Owner,
        /// What is removed.
        route: String,
        /// How often it was.
        removals: u32,
    },
    /// The kernel refused operations; they will be tried again.
    OperationRefused {
        /// How many.
        operations: usize,
        /// One of them.
        operation: String,
        /// What the kernel said.
        refusal: Refusal,
    },
    /// Nothing can stand in front of a route.
    CannotOverlay {
        /// Whose.
        owner: Owner,
        /// The route.
        route: String,
    },
    /// A route of others has the one place that an overlay may have, or stands in front of it; nothing is laid.
    OverlayBlocked {
        /// Whose.
        owner: Owner,
        /// How many.
        routes: usize,
        /// What one of them would have stood in front of.
        route: Option<String>,
        /// What is in the way of that one.
        by: String,
    },
    /// Nothing is in the way of a subject's overlays any more.
    OverlayUnblocked {
        /// Whose.
        owner: Owner,
    },
    /// The kernel does otherwise than was decided: another route or a rule comes first.
    RouteOverridden {
        /// The destination.
        destination: Destination,
        /// The hops that were decided for, `gateway%interface`, joined by commas.
        by: String,
        /// The address that the kernel was asked for.
        asked: IpAddr,
        /// What it does.
        kernel: String,
        /// It leads by an interface that is excluded, as somebody wanted.
        is_excluded: bool,
    },
    /// The kernel does as was decided again.
    RouteOverriddenCleared {
        /// The destination.
        destination: Destination,
    },
    /// Routes that the kernel flushed with their interface were put back.
    RoutePutBack {
        /// How many.
        routes: usize,
        /// One of them.
        route: String,
    },
    /// A static IPv6 address that the kernel flushed with its interface was put back.
    AddressPutBack {
        /// The interface.
        interface: String,
        /// The address.
        address: IpNet,
    },
    /// An address whose interface is down waits on `lo`, so that sessions go on.
    AddressWaits {
        /// The interface that it belongs to.
        interface: String,
        /// The address.
        address: IpAddr,
    },
    /// An address waits no longer.
    AddressReturned {
        /// The interface that has it again; absent: it is not coming back.
        interface: Option<String>,
        /// The address.
        address: IpAddr,
    },
    /// faild ends and leaves overlays in place.
    LeftBehind {
        /// IPv4 overlays.
        ipv4: usize,
        /// IPv6 overlays.
        ipv6: usize,
        /// Addresses that wait on `lo`.
        addresses: Vec<IpNet>,
        /// Test addresses, with their interfaces.
        tests: Vec<(Ipv4Addr, String)>,
    },
    /// The journal of the last run is of another boot or another network namespace.
    JournalOutdated,
    /// Lines of the last run's journal cannot be read; what they knew is lost, what stands in the kernel is not.
    JournalIgnored {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        fault: String,
    },
    /// A default route leaves by a LAN that was chosen by itself.
    DefaultRouteOnLan {
        /// The LAN's interface.
        interface: String,
    },
    /// More routes lie over the LANs than are looked at.
    TooManyRoutes {
        /// How many there are.
        routes: usize,
        /// How many are looked at.
        limit: usize,
    },
}

impl Notice {
    /// Which event it is.
    pub const fn name(&self) -> EventName {
        match self {
            Notice::OverlayLaid { .. } => EventName::OverlayInstalled,
            Notice::OverlayLifted { .. } => EventName::OverlayRemoved,
            Notice::RouteOverlaid { .. } => EventName::OverlayInstalled,
            Notice::RouteLifted { .. } => EventName::OverlayRemoved,
            Notice::DestinationLeftAlone { .. } => EventName::RouteSkipped,
            Notice::MemberOverlaid { .. } => EventName::OverlayInstalled,
            Notice::MemberLifted { .. } => EventName::OverlayRemoved,
            Notice::TestAddressRemoved { .. } => EventName::TestAddressLost,
            Notice::OverlayRemovedByOthers { .. } => EventName::OverlayLost,
            Notice::Contested { .. } => EventName::OverlayContested,
            Notice::OperationRefused { .. } => EventName::OperationRefused,
            Notice::CannotOverlay { .. } => EventName::OverlayImpossible,
            Notice::OverlayBlocked { .. } => EventName::OverlayBlocked,
            Notice::OverlayUnblocked { .. } => EventName::OverlayBlockedCleared,
            Notice::RouteOverridden { .. } => EventName::RouteOverridden,
            Notice::RouteOverriddenCleared { .. } => EventName::RouteOverriddenCleared,
            Notice::RoutePutBack { .. } => EventName::RouteRestored,
            Notice::AddressPutBack { .. } => EventName::AddressRestored,
            Notice::AddressWaits { .. } => EventName::AddressParked,
            Notice::AddressReturned { .. } => EventName::AddressUnparked,
            Notice::LeftBehind { .. } => EventName::LeftInPlace,
            Notice::JournalOutdated => EventName::JournalOutdated,
            Notice::JournalIgnored { .. } => EventName::JournalUnreadable,
            Notice::DefaultRouteOnLan { .. } => EventName::DefaultRouteOnLan,
            Notice::TooManyRoutes { .. } => EventName::TooManyRoutes,
        }
    }

    /// How loud: error, a promise is broken and a person is needed; warn, still served, redundancy or configuration is
    /// not as wished; info, a state that people notice changed; debug, why a decision went so.
    pub const fn level(&self) -> Level {
        match self {
            Notice::OverlayLaid { .. }
            | Notice::OverlayLifted { .. }
            | Notice::RouteOverlaid { .. }
            | Notice::RouteLifted { .. }
            | Notice::MemberOverlaid { .. }
            | Notice::MemberLifted { .. }
            | Notice::RoutePutBack { .. }
            | Notice::OverlayUnblocked { .. }
            | Notice::RouteOverridden { is_excluded: true, .. }
            | Notice::RouteOverriddenCleared { .. }
            | Notice::AddressPutBack { .. }
            | Notice::AddressWaits { .. }
            | Notice::AddressReturned { .. }
            | Notice::JournalOutdated => Level::Info,
            Notice::OverlayRemovedByOthers { .. }
            | Notice::Contested { .. }
            | Notice::DestinationLeftAlone { .. }
            | Notice::TestAddressRemoved { .. }
            | Notice::OperationRefused { .. }
            | Notice::CannotOverlay { .. }
            | Notice::OverlayBlocked { .. }
            | Notice::RouteOverridden { is_excluded: false, .. }
            | Notice::LeftBehind { .. }
            | Notice::JournalIgnored { .. }
            | Notice::DefaultRouteOnLan { .. }
            | Notice::TooManyRoutes { .. } => Level::Warn,
        }
    }
}

impl fmt::Display for Notice {
    /// `event-name key=value ...`, one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name().fmt(f)?;
        match self {
            Notice::OverlayLaid { subject: Subject { home, address }, way, routes } => write!(
                f,
                " address={address} home={home} interface={} via={} routes={routes}",
                way.interface, way.via
            ),
            Notice::OverlayLifted { subject: Some(Subject { home, address }), routes, .. } => {
                write!(f, " address={address} home={home} routes={routes}")
            }
            Notice::OverlayLifted { subject: None, routes, route } => {
                write!(f, " cause=original-deleted routes={routes} route=\"{route}\"")
            }
            Notice::RouteOverlaid { destination, by } => {
                write!(f, " {} next-hops={by}", Owner::Destination(*destination))
            }
            Notice::RouteLifted { destination, by } => {
                write!(f, " {} next-hops={by}", Owner::Destination(*destination))
            }
            Notice::DestinationLeftAlone { destination, route, protocol } => write!(
                f,
                " {} route=\"{route}\" protocol={protocol} \
                 cause=\"its best route belongs to another program\" \
                 fix=\"add the protocol to route-protocols, or remove the route\"",
                Owner::Destination(*destination)
            ),
            Notice::MemberOverlaid { interface, by, routes } => {
                write!(f, " interface={interface} to={by} routes={routes}")
            }
            Notice::MemberLifted { interface, routes } => {
                write!(f, " interface={interface} routes={routes}")
            }
            Notice::TestAddressRemoved { interface, address, removals } => {
                write!(f, " interface={interface} address={address} removals={removals}")
            }
            Notice::OverlayRemovedByOthers { owner, routes, route } => {
                write!(f, " {owner} routes={routes} route=\"{route}\"")
            }
            Notice::Contested { owner, route, removals } => write!(
                f,
                " {owner} removals={removals} route=\"{route}\" \
                 cause=\"another program keeps removing it\" action=\"retrying at most once a minute\""
            ),
            Notice::OperationRefused { operations, operation, refusal } => write!(
                f,
                " operations={operations} operation=\"{operation}\" errno={} error=\"{}\"",
                refusal.errno, refusal.text
            ),
            Notice::CannotOverlay { owner, route } => write!(
                f,
                " {owner} route=\"{route}\" \
                 cause=\"no lower metric is free\" fix=\"give the route a higher metric\""
            ),
            Notice::OverlayBlocked { owner, routes, route, by } => {
                write!(f, " {owner} routes={routes}")?;
                if let Some(route) = route {
                    write!(f, " route=\"{route}\"")?;
                }
                write!(
                    f,
                    " cause=\"{by}\" action=\"nothing is installed: no route of others is passed\" fix=\"if it \
                     shall not decide, remove it, or give it a higher metric than the route that faild protects\""
                )
            }
            Notice::RouteOverridden { destination, by, asked, kernel, is_excluded } => {
                let owner = Owner::Destination(*destination);
                write!(f, " {owner} next-hops={by} asked={asked} kernel=\"{kernel}\" ")?;
                f.write_str(if *is_excluded {
                    "cause=\"a route by an excluded interface comes first\" action=\"it is left alone\""
                } else {
                    "cause=\"another route or a rule comes first\" fix=\"ip rule; ip route show table all\""
                })
            }
            Notice::RouteOverriddenCleared { destination } => {
                write!(f, " {}", Owner::Destination(*destination))
            }
            Notice::OverlayUnblocked { owner } => write!(f, " {owner}"),
            Notice::RoutePutBack { routes, route } => {
                write!(f, " routes={routes} route=\"{route}\"")
            }
            Notice::AddressPutBack { interface, address } => {
                write!(f, " interface={interface} address={address}")
            }
            Notice::AddressWaits { interface, address } => {
                write!(f, " interface={interface} address={address} on=lo")
            }
            Notice::AddressReturned { interface: Some(interface), address } => {
                write!(f, " interface={interface} address={address}")
            }
            Notice::AddressReturned { interface: None, address } => {
                write!(f, " address={address} cause=interface-deleted")
            }
            Notice::LeftBehind { ipv4, ipv6, addresses, tests } => {
                write!(f, " ipv4={ipv4} ipv6={ipv6} addresses={}", addresses.len() + tests.len())?;
                let of_test = |(address, name): &(Ipv4Addr, String)| {
                    format!("ip addr del {address}/32 dev {}", shell_word(name))
                };
                let commands =
                    undo_commands(*ipv4, *ipv6, addresses).into_iter().chain(tests.iter().map(of_test));
                write!(f, " undo=\"{}\"", commands.collect::<Vec<_>>().join("; "))
            }
            Notice::JournalOutdated => f.write_str(" cause=other-boot action=\"ignoring it\""),
            Notice::JournalIgnored { line, fault } => {
                write!(f, " line={line} error=\"{fault}\"")
            }
            Notice::DefaultRouteOnLan { interface } => write!(
                f,
                " interface={interface} cause=\"selected automatically; if it leads to a provider, hosts \
                 there hear our broadcasts and can pose as peers\" fix=\"exclude it with -x {}, or name every LAN with \
                 -i\"",
                shell_word(interface)
            ),
            Notice::TooManyRoutes { routes, limit } => {
                write!(f, " routes={routes} limit={limit}")
            }
        }
    }
}

/// The commands that remove what faild left.
fn undo_commands(ipv4: usize, ipv6: usize, addresses: &[IpNet]) -> Vec<String> {
    let flush = |family: &str| format!("ip{family} route flush proto {}", crate::route::PROTOCOL);
    let v4 = (ipv4 > 0).then(|| flush(""));
    let v6 = (ipv6 > 0).then(|| flush(" -6"));
    let delete = |prefix: &IpNet| match prefix {
        IpNet::V4(_) => format!("ip addr del {prefix} dev lo"),
        IpNet::V6(_) => format!("ip -6 addr del {prefix} dev lo"),
    };
    v4.into_iter().chain(v6).chain(addresses.iter().map(delete)).collect()
}

#[cfg(test)]
mod tests;
