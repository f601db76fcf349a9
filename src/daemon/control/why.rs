//! `why`: what the kernel does, what the reconciler has installed, and what the engine decided, as text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::answer::trouble_text;
use super::operate::refusal;
use crate::control::{
    Decision, KernelWay, PathAccount, PathFigures, Reason, Refusal, RefusalKind, Reply, ServingRoute, Why,
};
use crate::daemon::edges::Edges;
use crate::engine::{Explanation, Ground, Obstacle, PathExplanation, Verdict};
use crate::failback::Hold;
use crate::kernel::{Error, Hop};
use crate::reconcile::Serving;
use crate::route::RouteType;
use crate::time::Instant;
use crate::words::shell_word;

impl Edges {
    /// Why traffic for a destination takes the path it takes.
    pub(super) fn why(&mut self, now: Instant, destination: &str) -> Result<Reply, Refusal> {
        let Some(prefix) = parse(destination) else {
            let message =
                format!("{destination:?} is not an address or prefix such as 10.1.0.2 or 10.9.0.0/16");
            return Err(refusal(RefusalKind::BadRequest, message));
        };
        let address = prefix.addr();
        let kernel = self.kernel.hop(sample(address), None);
        let serving = self.core.reconciler().serving(&prefix);
        let is_host = prefix.prefix_len() == prefix.max_prefix_len();
        let own = if is_host { self.core.peers().subjects_at(&address) } else { Vec::new() };
        let by_route = serving.as_ref().and_then(|serving| serving.owner.as_ref()?.subject().cloned());
        let subject = own.into_iter().next().or(by_route);
        let told = subject.and_then(|subject| self.core.peers().explain(now, &subject));
        let watch = self.core.watch().snapshot(now);
        let picture = self.picture(&watch);
        let standing = self.core.reconciler().watched().routes;
        let kernel = self.kernel_way(kernel);
        let group = self.leaves_by(&kernel, serving.as_ref()).find_map(|name| picture.account(&name));
        Ok(Reply::Why(Box::new(Why {
            destination: destination.to_owned(),
            rule: picture.rule(&prefix).map(|rule| self.destination(rule, &standing, true)),
            group,
            kernel,
            route: serving.map(|serving| self.serving_route(&serving)),
            decision: told.map(|told| Self::decision(&told)),
        })))
    }

    fn kernel_way(&self, hop: Result<Hop, Error>) -> KernelWay {
        match hop {
            Ok(hop) if hop.is_local() => KernelWay::Local {},
            Ok(Hop { kind, .. }) if kind != RouteType::Unicast => {
                KernelWay::Refused(kind.word().unwrap_or("not unicast").to_owned())
            }
            Ok(Hop { interface, gateway, source, .. }) => KernelWay::Leaves {
                interface: interface.map(|index| self.core.name(index)).unwrap_or_default(),
                via: gateway,
                source,
            },
            Err(Error::Refused { source, .. }) => KernelWay::Refused(source.text),
            Err(error) => KernelWay::Refused(error.to_string()),
        }
    }

    fn serving_route(&self, serving: &Serving) -> ServingRoute {
        let text = |route: &std::sync::Arc<crate::route::Route>| self.core.reconciler().describe_route(route);
        ServingRoute {
            prefix: serving.prefix.to_string(),
            overlay: serving.overlay.as_ref().map(text),
            original: serving.original.as_ref().map(text),
            original_gone: serving.is_gone,
            problem: serving.trouble.as_ref().map(trouble_text),
        }
    }

    /// The interfaces through which traffic leaves: that of the replaced route, and the one that the kernel uses.
    fn leaves_by(
        &self,
        kernel: &KernelWay,
        serving: Option<&Serving>,
    ) -> impl Iterator<Item = String> + use<> {
        let original = serving.and_then(|serving| serving.original.as_ref()?.legs.first());
        let now = match kernel {
            KernelWay::Leaves { interface, .. } => Some(interface.clone()),
            KernelWay::Local {} | KernelWay::Refused(_) => None,
        };
        original.map(|leg| self.core.name(leg.interface)).into_iter().chain(now)
    }

    fn decision(told: &Explanation) -> Decision {
        let detour = match &told.verdict {
            Verdict::Detour(way) => Some(way.clone()),
            Verdict::Undecided => told.standing.clone(),
            Verdict::Home => None,
        };
        let home = told.paths.first().map(|path| &path.figures);
        Decision {
            address: told.subject.address,
            home: told.subject.home.to_string(),
            node: told.node,
            name: told.name.clone(),
            detour,
            reason: because(told),
            waiting_for: told.obstacles.iter().map(|obstacle| need(*obstacle, home)).collect(),
            paths: told.paths.iter().map(account).collect(),
        }
    }
}

fn parse(text: &str) -> Option<IpNet> {
    match text {
        "default" => return Some(IpNet::V4(Ipv4Net::default())),
        "default6" => return Some(IpNet::V6(Ipv6Net::default())),
        _ => {}
    }
    let address = text.parse::<IpAddr>().ok().map(IpNet::from);
    address.or_else(|| text.parse::<IpNet>().ok().map(|prefix| prefix.trunc()))
}

/// An address that the kernel can be queried for. It takes the all-zero address for the host itself, while a user
/// means the default route: then it is one of those reserved for examples, which only a default route matches.
fn sample(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::new(192, 0, 2, 1).into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    }
}

/// Why it takes the path it takes.
fn because(told: &Explanation) -> Reason {
    let home = &told.subject.home;
    let evidence = told.paths.first().map(|path| path.evidence.to_string()).unwrap_or_default();
    let (word, text) = match told.ground {
        Ground::PeerAbsent => ("peer-absent", "the peer is silent on all LANs; nothing is moved".to_owned()),
        Ground::PeerCloned => {
            ("peer-cloned", "two hosts use the peer's node id; nothing is moved".to_owned())
        }
        Ground::Withdrawn => ("withdrawn", "the peer reports that it no longer has the address".to_owned()),
        Ground::Floating => ("floating", "two nodes claim the address; it is left alone".to_owned()),
        Ground::NeverAnswered => {
            ("never-answered", "the address has never answered; nothing is moved".to_owned())
        }
        Ground::HomeWorks => ("home-up", format!("the home path {home} is up")),
        Ground::HomeUnknown => {
            ("home-unknown", format!("the state of {home} is unknown; existing routes stay in place"))
        }
        Ground::NoDetour => {
            ("no-detour", format!("{home} is down ({evidence}), and no other path is proven"))
        }
        Ground::HomeDead => ("home-down", format!("{home} is down ({evidence}), and the detour is up")),
        Ground::HomeOffline => ("home-offline", format!("{home} is offline, and the detour is up")),
        Ground::HeldBack => ("failback-held", format!("{home} is up, but failback is still held")),
        Ground::DetourDead => {
            ("detour-down", "the detour is down as well, and no other path is proven".to_owned())
        }
    };
    Reason { word: word.to_owned(), text }
}

/// What must still happen on a path.
fn need(obstacle: Obstacle, path: Option<&PathFigures>) -> Reason {
    let (word, text) = match obstacle {
        Obstacle::PeerAbsent => ("peer-absent", "the peer must answer again".to_owned()),
        Obstacle::PeerCloned => ("peer-cloned", "only one host may use the peer's node id".to_owned()),
        Obstacle::NotRunning => {
            ("no-carrier", "the local interface has no carrier, is down or does not exist".to_owned())
        }
        Obstacle::Offline => {
            ("offline", format!("it is offline: run faildctl online {}", shell_word(name(path))))
        }
        Obstacle::NotUp => ("good-slots", slots(path)),
        Obstacle::PeerSaysDown => ("peer-reports-down", "the peer reports this path down".to_owned()),
        Obstacle::PeerSaysNothing => ("no-peer-report", "the peer has not yet reported this path".to_owned()),
        Obstacle::Held(Hold::Manual) => {
            ("policy-manual", "failback is manual: run faildctl failback".to_owned())
        }
        Obstacle::Held(Hold::Delay(left)) => {
            ("policy-delay", format!("failback is delayed: {} left", seconds(left)))
        }
        Obstacle::Held(Hold::Window { from, until }) => (
            "policy-window",
            format!("failback is allowed from {} to {}", clock_text(from), clock_text(until)),
        ),
        Obstacle::Held(Hold::Damped { .. }) => ("damped", damped(path)),
        Obstacle::PeerNotReady => ("peer-not-ready", "the peer is not ready".to_owned()),
        Obstacle::Unanswered => ("unanswered", "this address must answer over the home path".to_owned()),
    };
    Reason { word: word.to_owned(), text }
}

fn name(path: Option<&PathFigures>) -> &str {
    path.map_or("", |path| path.interface.as_str())
}

fn slots(path: Option<&PathFigures>) -> String {
    match path.map(|path| (path.good, path.good_limit)) {
        Some((good, Some(wanted))) => format!("{wanted} clean slots ({good} so far)"),
        Some((_, None)) | None => "the path must be up".to_owned(),
    }
}

fn damped(path: Option<&PathFigures>) -> String {
    let Some(PathFigures { penalty, penalty_reuse: reuse, damped, .. }) = path else {
        return "the penalty must fall below reuse".to_owned();
    };
    match damped {
        Some(left) => format!("penalty {penalty:.0}, falls below {reuse:.0} in {}", seconds(*left)),
        None => format!("the penalty must fall below {reuse:.0}"),
    }
}

fn seconds(time: std::time::Duration) -> String {
    format!("{:.0} s", time.as_secs_f64().ceil())
}

/// Seconds since midnight as HH:MM.
fn clock_text(seconds: u32) -> String {
    format!("{:02}:{:02}", seconds / 3600, seconds / 60 % 60)
}

fn account(path: &PathExplanation) -> PathAccount {
    let PathExplanation { figures, evidence, obstacles } = path;
    let unready = obstacles.iter().map(|obstacle| need(*obstacle, Some(figures))).collect();
    PathAccount { figures: figures.clone(), evidence: evidence.to_string(), unready }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_named_as_in_the_configuration() {
        assert_eq!(parse("default"), "0.0.0.0/0".parse().ok());
        assert_eq!(parse("default6"), "::/0".parse().ok());
        assert_eq!(parse("default7"), None);
    }

    #[test]
    fn the_default_route_is_not_the_host_itself() {
        for (default, asked) in
            [("0.0.0.0/0", "192.0.2.1"), ("::/0", "2001:db8::1"), ("10.1.0.2", "10.1.0.2")]
        {
            assert_eq!(sample(parse(default).unwrap().addr()).to_string(), asked);
        }
    }
}
