//! What a world is like at the moment, as far as the test has made it so, and what must therefore pass.

use std::net::IpAddr;

use crate::lab::{Family, Host, Loss};

pub(super) const LANS: [char; 2] = ['A', 'B'];
pub(super) const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// An interface of a host, and its port at the switch.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) interface: String,
    /// As `ip addr add` takes them.
    pub(super) prefixes: [String; 2],
    /// The hardware address. Where the others run no faild it is kept when the interface is made again: nobody tells them
    /// of a new one, and their kernels would look for the old one for many seconds.
    pub(super) mac: String,
    pub(super) exists: bool,
    pub(super) renamed: bool,
    /// By the administrator.
    pub(super) up: bool,
    pub(super) carrier: bool,
    pub(super) loss: Option<Loss>,
    /// A firewall of the host drops the probes here.
    pub(super) filtered: bool,
    /// Nobody has flushed its addresses.
    pub(super) addressed: bool,
    /// The others have had answers from its addresses since they were added last. What was never answered is nobody's to
    /// move (rule 4 of faild-protocol(7)).
    pub(super) shown: bool,
    /// What the kernel dropped when it fell is faild's to put back. It cannot be if faild did not run then; the
    /// administrator who sets it up puts it back himself.
    pub(super) kept: bool,
    /// All that belongs on it was seen there since it fell last.
    pub(super) settled: bool,
}

impl Place {
    pub(super) fn new(host: &Host, interface: String, prefixes: [String; 2]) -> Self {
        let link = host.ip(&format!("-br link show dev {interface}"));
        let mac = link.split_whitespace().nth(2).expect("a hardware address").to_owned();
        let (exists, renamed, up, carrier, loss) = (true, false, true, true, None);
        let (filtered, addressed, shown, kept, settled) = (false, true, true, true, true);
        Self {
            interface,
            prefixes,
            mac,
            exists,
            renamed,
            up,
            carrier,
            loss,
            filtered,
            addressed,
            shown,
            kept,
            settled,
        }
    }

    /// Whether routes and addresses can be on it.
    pub(super) fn is_live(&self) -> bool {
        self.exists && !self.renamed && self.up
    }

    /// Whether packets pass, those of faild as well. A few lost ones do not matter.
    fn works(&self) -> bool {
        let passes = matches!(self.loss, None | Some(Loss::Percent(_)));
        self.is_live() && self.carrier && passes && !self.filtered && self.addressed
    }

    /// Whether the host has the place's addresses: here or parked.
    fn has_addresses(&self) -> bool {
        self.addressed && (self.is_live() || self.kept)
    }

    /// Its addresses, without the length of the prefix.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &str> {
        self.prefixes.iter().filter_map(|prefix| prefix.split('/').next())
    }
}

/// The state of a daemon's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Process {
    Running,
    Stopped,
    Dead,
}

/// A route that the administrator of a host has made.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) family: Family,
    pub(super) prefix: String,
    /// What it leads to, and at which host.
    pub(super) to: To,
    pub(super) host: usize,
    pub(super) lan: char,
    /// The gateway on each LAN.
    pub(super) via: [IpAddr; 2],
    pub(super) source: Option<IpAddr>,
    /// None for what the kernel takes by itself.
    pub(super) metric: Option<u32>,
    /// Flushed by somebody.
    pub(super) gone: bool,
}

/// A host.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) places: [Place; 2],
    pub(super) process: Process,
    pub(super) routes: Vec<Route>,
    /// What its kill switch refuses.
    pub(super) guarded: Vec<(Family, String)>,
    pub(super) switch: Option<Switch>,
}

/// A kill switch, while there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Switch {
    /// The word of ip-route(8).
    pub(super) kind: &'static str,
    pub(super) metric: u32,
}

impl Switch {
    /// As ip-route(8) takes it.
    pub(super) fn route(self, prefix: &str) -> String {
        format!("{} {prefix} metric {}", self.kind, self.metric)
    }
}

/// A LAN.
#[derive(Debug, Clone, Default)]
pub(super) struct Cable {
    pub(super) cut: bool,
    pub(super) bridge_down: bool,
}

/// A router that runs no faild.
#[derive(Debug, Clone, Default)]
pub(super) struct Router {
    pub(super) dead: bool,
    /// Its line to the world.
    pub(super) cut: bool,
}

/// The whole of it.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) nodes: Vec<Node>,
    pub(super) cables: [Cable; 2],
    /// One on each LAN, if the hosts behind them are what is to be reached.
    pub(super) routers: Vec<Router>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    /// A host's address on a LAN.
    Lan(char),
    /// Its service address, by two routes with metrics.
    Service,
    /// What is behind it, by one route without a metric.
    Beyond,
    /// The same by one route with a metric, which a kill switch may refuse.
    Guarded,
    /// What is behind the routers, which a kill switch may refuse.
    World,
}

pub(super) fn index(lan: char) -> usize {
    usize::from(lan != 'A')
}

impl Model {
    pub(super) fn place(&self, host: usize, lan: char) -> &Place {
        &self.nodes[host].places[index(lan)]
    }

    pub(super) fn place_mut(&mut self, host: usize, lan: char) -> &mut Place {
        &mut self.nodes[host].places[index(lan)]
    }

    pub(super) fn is_running(&self, host: usize) -> bool {
        self.nodes[host].process == Process::Running
    }

    /// All that must be there was seen there.
    pub(super) fn settle(&mut self) {
        for node in self.nodes.iter_mut().filter(|node| node.process == Process::Running) {
            node.places.iter_mut().for_each(|place| place.settled = place.is_live());
        }
    }

    /// Everybody who is on a LAN that works had the time to ask all others there.
    pub(super) fn acquaint(&mut self) {
        for lan in LANS {
            let is_there = |host| self.is_running(host) && self.place(host, lan).works();
            if self.passes(lan) && (0..self.nodes.len()).all(is_there) {
                self.nodes.iter_mut().for_each(|node| node.places[index(lan)].shown = true);
            }
        }
    }

    fn passes(&self, lan: char) -> bool {
        let cable = &self.cables[index(lan)];
        !cable.cut && !cable.bridge_down
    }

    /// Whether two hosts have a path that works over some LAN.
    fn share(&self, one: usize, other: usize) -> bool {
        LANS.into_iter().any(|lan| self.share_lan(one, other, lan))
    }

    fn share_lan(&self, one: usize, other: usize, lan: char) -> bool {
        [one, other].iter().all(|host| self.place(*host, lan).works()) && self.passes(lan)
    }

    /// Whether a host can know that another has its addresses on a LAN, or needs not know.
    fn knows(&self, from: usize, to: usize, lan: char) -> bool {
        let place = self.place(to, lan);
        place.addressed && (place.shown || !self.routers.is_empty() || self.share_lan(from, to, lan))
    }

    /// Whether traffic from a host to another must arrive, and its answer too.
    pub(super) fn must_pass(&self, from: usize, to: usize, what: To) -> bool {
        if what == To::World {
            return self.reaches_world(from);
        }
        let both_run = self.is_running(from) && self.is_running(to);
        both_run && self.share(from, to) && self.has_route(from, to, what)
    }

    /// By routes that nobody has flushed: without them there is nothing to stand in front of.
    fn reaches_world(&self, from: usize) -> bool {
        let node = &self.nodes[from];
        let leads = |lan| {
            let router = &self.routers[index(lan)];
            self.place(from, lan).works() && self.passes(lan) && !router.dead && !router.cut
        };
        let routed = node.routes.iter().all(|route| !route.gone) && !self.may_refuse(from, To::World);
        self.is_running(from) && routed && LANS.into_iter().any(leads)
    }

    fn has_route(&self, from: usize, to: usize, what: To) -> bool {
        let service = || self.is_routed(from, to, To::Service) && self.is_routed(to, from, To::Service);
        match what {
            To::Lan(lan) => {
                let is_there = |host: &usize| self.place(*host, lan).has_addresses();
                [from, to].iter().all(is_there) && self.knows(from, to, lan) && self.knows(to, from, lan)
            }
            To::Service => service(),
            To::Beyond | To::Guarded => self.is_routed(from, to, what) && service(),
            To::World => true,
        }
    }

    /// Whether a host has a route to what belongs to another: in the kernel, or kept by faild while its interface is
    /// not there.
    fn is_routed(&self, from: usize, to: usize, what: To) -> bool {
        if self.may_refuse(from, what) {
            return false;
        }
        let routes = self.nodes[from].routes.iter().filter(|route| route.host == to && route.to == what);
        let mut routes = routes.filter(|route| !route.gone).peekable();
        // One by an address that its host has given up leads nowhere, and may come first.
        routes.peek().is_some()
            && routes.all(|route| {
                let place = self.place(from, route.lan);
                place.addressed && (place.is_live() || place.kept) && self.knows(from, to, route.lan)
            })
    }

    /// Whether a kill switch stands in front of a route that traffic from a host may take: in front of that by the other
    /// LAN it may decide while the first is not there.
    fn may_refuse(&self, from: usize, what: To) -> bool {
        self.switch(from, what)
            .is_some_and(|switch| self.originals(from, what).any(|metric| switch.metric < metric))
    }

    /// Whether a kill switch refuses traffic from a host: it stands in front of all that anybody wants there.
    pub(super) fn must_not_pass(&self, from: usize, what: To) -> bool {
        self.switch(from, what)
            .is_some_and(|switch| self.originals(from, what).all(|metric| switch.metric < metric))
    }

    /// Whether it was so from the first moment: the lowest metric of any route is 100.
    pub(super) fn has_always_refused(&self, from: usize) -> bool {
        self.nodes[from].switch.is_some_and(|switch| switch.metric < 100)
    }

    fn switch(&self, from: usize, what: To) -> Option<Switch> {
        self.nodes[from].switch.filter(|_| matches!(what, To::Guarded | To::World))
    }

    /// The metrics of the routes to what may be refused that nobody has flushed.
    fn originals(&self, from: usize, what: To) -> impl Iterator<Item = u32> {
        let routes = self.nodes[from].routes.iter().filter(move |route| route.to == what && !route.gone);
        routes.filter_map(|route| route.metric)
    }

    /// The routes that a host must have now.
    pub(super) fn routes(&self, host: usize) -> impl Iterator<Item = &Route> {
        self.nodes[host].routes.iter().filter(move |route| {
            let place = self.place(host, route.lan);
            !route.gone && place.is_live() && place.addressed
        })
    }

    /// What `ip route` takes, and shows, of a route.
    pub(super) fn text(&self, host: usize, route: &Route) -> String {
        let Route { prefix, lan, via, source, metric, .. } = route;
        let (via, interface) = (via[index(*lan)], &self.place(host, *lan).interface);
        let source = source.map(|source| format!(" src {source}")).unwrap_or_default();
        let metric = metric.map(|metric| format!(" metric {metric}")).unwrap_or_default();
        format!("{prefix} via {via} dev {interface} proto static{source}{metric}")
    }

    /// The command that makes a route, or finds it there.
    pub(super) fn command(&self, host: usize, route: &Route) -> String {
        let (flag, text) = (flag(route.family), self.text(host, route));
        match route.metric {
            Some(_) => format!("ip {flag} route replace {text}\n"),
            // An overlay may stand in front with the same key: append leaves that alone. The same route may have been
            // put back already.
            None => format!("ip {flag} route append {text} 2>/dev/null || true\n"),
        }
    }

    /// The commands for all routes of a host on a LAN.
    pub(super) fn commands(&self, host: usize, lan: char) -> String {
        let routes = self.nodes[host].routes.iter().filter(|route| route.lan == lan && !route.gone);
        routes.map(|route| self.command(host, route)).collect()
    }

    /// Whether all interfaces and routes of a host are there.
    pub(super) fn is_undisturbed(&self, host: usize) -> bool {
        let node = &self.nodes[host];
        let places = node.places.iter().all(|place| place.is_live() && place.addressed && place.settled);
        places && node.routes.iter().all(|route| !route.gone)
    }

    /// Whether routes with metric 100 to service addresses go by LAN B.
    pub(super) fn is_diverted(&self, host: usize) -> bool {
        self.nodes[host].routes.iter().any(|route| route.is_first() && route.lan == 'B')
    }
}

impl Route {
    /// Of the two to a service address.
    pub(super) fn is_first(&self) -> bool {
        self.to == To::Service && self.metric == Some(100)
    }
}

pub(super) fn flag(family: Family) -> &'static str {
    match family {
        Family::V4 => "-4",
        Family::V6 => "-6",
    }
}
