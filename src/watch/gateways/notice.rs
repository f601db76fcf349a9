//! What people should know of destinations and next hops, as values; here is the only place that words them.

use std::fmt;

use log::Level;

use crate::event::EventName;
use crate::route::MAIN_TABLE;
use crate::watch::plan::{Destination, Hop};

/// What a next hop failed of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureCause {
    /// Its interface is absent or down, or has no carrier.
    Link,
    /// The gateway does not answer.
    NoAnswer,
    /// The gateway answers, and too few of the targets beyond it.
    TargetsDead,
    /// Too many probes are lost.
    Loss,
    /// Answers take too long.
    Latency,
}

impl fmt::Display for FailureCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FailureCause::Link => "no-carrier",
            FailureCause::NoAnswer => "no-answer",
            FailureCause::TargetsDead => "targets",
            FailureCause::Loss => "loss",
            FailureCause::Latency => "latency",
        })
    }
}

/// Why traffic goes another way than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveCause {
    /// A next hop that carried it failed, or is not good enough.
    Failed(FailureCause),
    /// The administrator took its interface out of service.
    Offline,
    /// Its route is gone from the kernel, or from the settings.
    Gone,
    /// A better one works.
    Better,
}

impl fmt::Display for MoveCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MoveCause::Failed(cause) => cause.fmt(f),
            MoveCause::Offline => f.write_str("offline"),
            MoveCause::Gone => f.write_str("removed"),
            MoveCause::Better => f.write_str("better"),
        }
    }
}

/// Something that happened. [`fmt::Display`] gives one line: event name, then key=value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// There is nothing to judge a next hop or member by.
    Unjudged {
        /// Whose.
        interface: String,
    },

    // ----- next hops
    /// A next hop no longer serves.
    NextHopFailed {
        /// Of which destination.
        destination: Destination,
        /// Which.
        hop: Hop,
        /// Why.
        cause: FailureCause,
    },
    /// A next hop works: again, or found for the first time.
    NextHopWorks {
        /// Of which destination.
        destination: Destination,
        /// Which.
        hop: Hop,
    },
    /// Traffic goes another way.
    RouteMoved {
        /// Whose.
        destination: Destination,
        /// By these before; empty: not known.
        from: Vec<Hop>,
        /// By these now.
        to: Vec<Hop>,
        /// Why.
        cause: MoveCause,
    },
    /// Traffic goes by a next hop of lower rank again.
    RouteFailedBack {
        /// Whose.
        destination: Destination,
        /// By these before.
        from: Vec<Hop>,
        /// By these now.
        to: Vec<Hop>,
    },
    /// No next hop is answered: it may be us, or what was asked.
    AllNextHopsSilent {
        /// Of which destination.
        destination: Destination,
    },
    /// One is answered again.
    NextHopsHeard {
        /// Of which destination.
        destination: Destination,
    },
}

impl Notice {
    /// Which event it is.
    pub const fn name(&self) -> EventName {
        match self {
            Notice::Unjudged { .. } => EventName::InterfaceNotProbed,
            Notice::NextHopFailed { .. } => EventName::NextHopDown,
            Notice::NextHopWorks { .. } => EventName::NextHopUp,
            Notice::RouteMoved { .. } => EventName::RouteFailover,
            Notice::RouteFailedBack { .. } => EventName::RouteFailback,
            Notice::AllNextHopsSilent { .. } => EventName::RouteDown,
            Notice::NextHopsHeard { .. } => EventName::RouteUp,
        }
    }

    /// How much it matters.
    pub fn level(&self) -> Level {
        match self {
            Notice::Unjudged { .. } | Notice::NextHopFailed { .. } | Notice::RouteMoved { .. } => Level::Warn,
            Notice::NextHopWorks { .. } | Notice::RouteFailedBack { .. } | Notice::NextHopsHeard { .. } => {
                Level::Info
            }
            Notice::AllNextHopsSilent { .. } => Level::Error,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name().fmt(f)?;
        match self {
            Notice::Unjudged { interface } => write!(
                f,
                " interface={interface} cause=\"only its carrier is monitored\" fix=\"configure targets beyond it\""
            ),
            Notice::NextHopFailed { destination, hop, cause } => {
                write!(f, " {} next-hop={hop} cause={cause}", To(destination))
            }
            Notice::NextHopWorks { destination, hop } => {
                write!(f, " {} next-hop={hop}", To(destination))
            }
            Notice::RouteMoved { destination, from, to, cause } => {
                let (from, to) = (Hops(from), Hops(to));
                write!(f, " {} from={from} to={to} cause={cause}", To(destination))
            }
            Notice::RouteFailedBack { destination, from, to } => {
                let (from, to) = (Hops(from), Hops(to));
                write!(f, " {} from={from} to={to}", To(destination))
            }
            Notice::AllNextHopsSilent { destination } => {
                write!(f, " {} action=\"nothing is moved\"", To(destination))
            }
            Notice::NextHopsHeard { destination } => {
                write!(f, " {}", To(destination))
            }
        }
    }
}

/// A destination, and its table unless that is main.
struct To<'a>(&'a Destination);

impl fmt::Display for To<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "destination={}", self.0.prefix)?;
        if self.0.table == MAIN_TABLE { Ok(()) } else { write!(f, " table={}", self.0.table) }
    }
}

/// Several next hops as one word.
struct Hops<'a>(&'a [Hop]);

impl fmt::Display for Hops<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("unknown");
        }
        for (place, hop) in self.0.iter().enumerate() {
            write!(f, "{}{hop}", if place > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_is_one_line_and_has_its_level() {
        let destination = Destination { table: 254, prefix: "0.0.0.0/0".parse().unwrap() };
        let other = Destination { table: 7, prefix: "10.0.0.0/8".parse().unwrap() };
        let hop = |interface: &str, via: Option<&str>| Hop {
            interface: interface.to_owned(),
            via: via.map(|via| via.parse().unwrap()),
            weight: 1,
        };
        let one = || hop("eth0", Some("192.0.2.1"));
        let two = || hop("eth1", Some("198.51.100.1"));
        let failed = |cause| Notice::NextHopFailed { destination, hop: one(), cause };
        let moved =
            |from, cause| Notice::RouteMoved { destination, from, to: vec![hop("ppp0", None)], cause };
        for (notice, level, line) in [
            (
                Notice::Unjudged { interface: "eth0".to_owned() },
                Level::Warn,
                "interface-not-probed interface=eth0 cause=\"only its carrier is monitored\" fix=\"configure targets beyond it\"",
            ),
            (
                failed(FailureCause::Link),
                Level::Warn,
                "next-hop-down destination=0.0.0.0/0 next-hop=192.0.2.1%eth0 cause=no-carrier",
            ),
            (
                failed(FailureCause::NoAnswer),
                Level::Warn,
                "next-hop-down destination=0.0.0.0/0 next-hop=192.0.2.1%eth0 cause=no-answer",
            ),
            (
                failed(FailureCause::TargetsDead),
                Level::Warn,
                "next-hop-down destination=0.0.0.0/0 next-hop=192.0.2.1%eth0 cause=targets",
            ),
            (
                failed(FailureCause::Loss),
                Level::Warn,
                "next-hop-down destination=0.0.0.0/0 next-hop=192.0.2.1%eth0 cause=loss",
            ),
            (
                failed(FailureCause::Latency),
                Level::Warn,
                "next-hop-down destination=0.0.0.0/0 next-hop=192.0.2.1%eth0 cause=latency",
            ),
            (
                Notice::NextHopWorks { destination: other, hop: one() },
                Level::Info,
                "next-hop-up destination=10.0.0.0/8 table=7 next-hop=192.0.2.1%eth0",
            ),
            (
                moved(vec![one(), two()], MoveCause::Failed(FailureCause::TargetsDead)),
                Level::Warn,
                "route-failover destination=0.0.0.0/0 from=192.0.2.1%eth0,198.51.100.1%eth1 to=ppp0 cause=targets",
            ),
            (
                moved(Vec::new(), MoveCause::Offline),
                Level::Warn,
                "route-failover destination=0.0.0.0/0 from=unknown to=ppp0 cause=offline",
            ),
            (
                moved(vec![one()], MoveCause::Gone),
                Level::Warn,
                "route-failover destination=0.0.0.0/0 from=192.0.2.1%eth0 to=ppp0 cause=removed",
            ),
            (
                moved(vec![one()], MoveCause::Better),
                Level::Warn,
                "route-failover destination=0.0.0.0/0 from=192.0.2.1%eth0 to=ppp0 cause=better",
            ),
            (
                Notice::RouteFailedBack { destination, from: vec![one()], to: vec![two()] },
                Level::Info,
                "route-failback destination=0.0.0.0/0 from=192.0.2.1%eth0 to=198.51.100.1%eth1",
            ),
            (
                Notice::AllNextHopsSilent { destination },
                Level::Error,
                "route-down destination=0.0.0.0/0 action=\"nothing is moved\"",
            ),
            (
                Notice::NextHopsHeard { destination: other },
                Level::Info,
                "route-up destination=10.0.0.0/8 table=7",
            ),
        ] {
            assert_eq!((notice.level(), notice.to_string().as_str()), (level, line));
        }
    }
}
