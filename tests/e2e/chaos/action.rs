//! What can be done to a world, and what of it the test remembers.

use std::fmt;

use super::local::{Local, cut, heal};
use super::model::{LANS, Model, Process, Switch, flag, index};
use super::random::Random;
use super::story::Script;
use crate::lab::{Lab, Loss, Uplinks};

/// Of a host's daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Kill,
    Terminate,
    Start,
    KillAndStart,
    TerminateAndStart,
    Stop,
    Continue,
}

impl Signal {
    fn is_orderly(self) -> bool {
        matches!(self, Self::Start | Self::Terminate | Self::TerminateAndStart)
    }

    /// A daemon runs that did not, and looks at what it finds.
    pub(super) fn begins(self) -> bool {
        matches!(self, Self::Start | Self::KillAndStart | Self::TerminateAndStart | Self::Continue)
    }
}

/// Of a host's routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    FlushOverlays,
    /// The first route to each service address goes by LAN B as well.
    Divert,
    DivertBack,
    /// A kill switch.
    Refuse(Switch),
    Permit,
}

/// Of a LAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wide {
    Cut,
    Heal,
    BridgeDown,
    BridgeUp,
}

/// Of the router on a LAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Far {
    /// It dies, and the link to it stays.
    Die,
    Revive,
    /// It lives and leads nowhere.
    Cut,
    Heal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Place(usize, char, Local),
    Lan(char, Wide),
    Router(char, Far),
    Daemon(usize, Signal),
    Routes(usize, Change),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place(host, lan, what) => write!(f, "h{} at LAN {lan} {what:?}", host + 1),
            Self::Lan(lan, what) => write!(f, "LAN {lan} {what:?}"),
            Self::Router(lan, what) => write!(f, "router of LAN {lan} {what:?}"),
            Self::Daemon(host, what) => write!(f, "h{} faild {what:?}", host + 1),
            Self::Routes(host, what) => write!(f, "h{} routes {what:?}", host + 1),
        }
    }
}

impl Action {
    /// Faults that can happen now.
    pub(super) fn faults(model: &Model, random: &mut Random) -> Vec<Self> {
        let mut all = Vec::new();
        for lan in LANS {
            let cable = &model.cables[index(lan)];
            all.extend((!cable.cut).then_some(Self::Lan(lan, Wide::Cut)));
            all.extend((!cable.bridge_down).then_some(Self::Lan(lan, Wide::BridgeDown)));
            if let Some(router) = model.routers.get(index(lan)) {
                all.extend((!router.dead).then_some(Self::Router(lan, Far::Die)));
                all.extend((!router.cut).then_some(Self::Router(lan, Far::Cut)));
            }
            for host in 0..model.nodes.len() {
                let local = Local::faults(model, host, lan, random);
                all.extend(local.into_iter().map(|what| Self::Place(host, lan, what)));
            }
        }
        (0..model.nodes.len()).for_each(|host| all.extend(host_faults(model, host, random)));
        all
    }

    /// What would heal what is broken now.
    pub(super) fn repairs(model: &Model) -> Vec<Self> {
        let mut all = Vec::new();
        for lan in LANS {
            let cable = &model.cables[index(lan)];
            all.extend(cable.cut.then_some(Self::Lan(lan, Wide::Heal)));
            all.extend(cable.bridge_down.then_some(Self::Lan(lan, Wide::BridgeUp)));
            if let Some(router) = model.routers.get(index(lan)) {
                all.extend(router.dead.then_some(Self::Router(lan, Far::Revive)));
                all.extend(router.cut.then_some(Self::Router(lan, Far::Heal)));
            }
            for host in 0..model.nodes.len() {
                all.extend(
                    Local::repairs(model, host, lan).into_iter().map(|what| Self::Place(host, lan, what)),
                );
            }
        }
        (0..model.nodes.len()).for_each(|host| all.extend(host_repairs(model, host)));
        all
    }

    /// Whether two can happen in any order, or at once, with the same result.
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        match (self, other) {
            // A route that is put back needs its interface; one of the other LAN may be its neighbour.
            (Self::Place(one, lan, a), Self::Place(other, lan_of_other, b)) => {
                one != other || (lan != lan_of_other && !a.is_deliberate() && !b.is_deliberate())
            }
            (Self::Daemon(one, _), Self::Daemon(other, _)) => one != other,
            (Self::Routes(one, _), Self::Routes(other, _)) => one != other,
            // A daemon that has only begun to look has seen nothing that it could keep, and one that ends in order keeps
            // only what it has seen fall.
            (Self::Place(one, _, what), Self::Daemon(other, signal))
            | (Self::Daemon(other, signal), Self::Place(one, _, what)) => {
                one != other || !(what.is_deliberate() || signal.is_orderly())
            }
            (Self::Place(one, ..), Self::Routes(other, change))
            | (Self::Routes(other, change), Self::Place(one, ..)) => {
                one != other || !matches!(change, Change::Divert | Change::DivertBack)
            }
            (Self::Lan(one, _), Self::Lan(other, _)) => one != other,
            (Self::Router(one, _), Self::Router(other, _)) => one != other,
            _ => true,
        }
    }

    /// Remembers it, and says what does it. Signals are for the caller.
    pub(super) fn perform<'a>(&self, lab: &'a Lab, model: &mut Model) -> Option<Script<'a>> {
        match *self {
            Self::Place(host, lan, what) => Some(what.perform(lab, model, host, lan)),
            Self::Lan(lan, what) => Some((lab.switch(), perform_wide(lab, model, lan, what))),
            Self::Router(lan, what) => Some(perform_far(lab, model, lan, what)),
            Self::Routes(host, change) => Some((&lab.hosts()[host], perform_change(model, host, change))),
            Self::Daemon(host, signal) => {
                model.nodes[host].process = match signal {
                    Signal::Kill | Signal::Terminate => Process::Dead,
                    Signal::Stop => Process::Stopped,
                    Signal::Start | Signal::KillAndStart | Signal::TerminateAndStart | Signal::Continue => {
                        Process::Running
                    }
                };
                None
            }
        }
    }
}

fn host_faults(model: &Model, host: usize, random: &mut Random) -> Vec<Action> {
    let (node, mut all) = (&model.nodes[host], Vec::new());
    if node.process == Process::Running {
        use Signal::{Kill, KillAndStart, Stop, Terminate, TerminateAndStart};
        let signals = [Kill, KillAndStart, KillAndStart, Stop, Terminate, TerminateAndStart];
        all.extend(signals.map(|signal| Action::Daemon(host, signal)));
    }
    let mut changes = vec![Change::FlushOverlays];
    let divertible = node.routes.iter().any(super::model::Route::is_first);
    if divertible && model.is_undisturbed(host) && !model.is_diverted(host) {
        changes.push(Change::Divert);
    }
    if node.switch.is_none() {
        // In the place of an overlay, far in front, between the two originals, and behind them.
        let metric = *random.pick(&[99, 99, 50, 150, 300]);
        let kind: &&str = random.pick(&["prohibit", "unreachable"]);
        changes.push(Change::Refuse(Switch { kind, metric }));
    }
    all.extend(changes.into_iter().map(|change| Action::Routes(host, change)));
    all
}

fn host_repairs(model: &Model, host: usize) -> Vec<Action> {
    let (node, mut all) = (&model.nodes[host], Vec::new());
    match node.process {
        Process::Running => {}
        Process::Stopped => all.push(Action::Daemon(host, Signal::Continue)),
        Process::Dead => all.push(Action::Daemon(host, Signal::Start)),
    }
    if model.is_diverted(host) && model.is_undisturbed(host) {
        all.push(Action::Routes(host, Change::DivertBack));
    }
    all.extend(node.switch.map(|_| Action::Routes(host, Change::Permit)));
    all
}

fn perform_wide(lab: &Lab, model: &mut Model, lan: char, what: Wide) -> String {
    let (cable, name) = (&mut model.cables[index(lan)], format!("lan{lan}"));
    match what {
        Wide::Cut => {
            cable.cut = true;
            let ports: Vec<String> = lab.hosts().iter().map(|host| host.port(lan)).collect();
            cut(&name, &ports, Loss::Silent)
        }
        Wide::Heal => {
            cable.cut = false;
            heal(&name)
        }
        Wide::BridgeDown => {
            cable.bridge_down = true;
            format!("ip link set {name} down")
        }
        Wide::BridgeUp => {
            cable.bridge_down = false;
            format!("ip link set {name} up")
        }
    }
}

fn perform_far<'a>(lab: &'a Lab, model: &mut Model, lan: char, what: Far) -> Script<'a> {
    let state = &mut model.routers[index(lan)];
    let router = &lab.hosts()[1 + index(lan)];
    let port = router.port('C');
    match what {
        Far::Die => {
            state.dead = true;
            (router, "ip link set outside down".to_owned())
        }
        Far::Revive => {
            state.dead = false;
            (router, Uplinks::revival(if lan == 'A' { 1 } else { 2 }))
        }
        Far::Cut => {
            state.cut = true;
            (lab.switch(), cut(&port, std::slice::from_ref(&port), Loss::Silent))
        }
        Far::Heal => {
            state.cut = false;
            (lab.switch(), heal(&port))
        }
    }
}

fn perform_change(model: &mut Model, host: usize, change: Change) -> String {
    match change {
        // What faild removes in this moment is flushed as well; it is the flush that complains then.
        Change::FlushOverlays => "for f in -4 -6; do ip $f route flush proto 250 || true; done".to_owned(),
        Change::Divert | Change::DivertBack => {
            let lan = if change == Change::Divert { 'B' } else { 'A' };
            let routes = model.nodes[host].routes.iter_mut().filter(|route| route.is_first());
            routes.for_each(|route| route.lan = lan);
            let routes = model.nodes[host].routes.iter().filter(|route| route.is_first());
            routes.map(|route| model.command(host, route)).collect()
        }
        Change::Refuse(switch) => {
            model.nodes[host].switch = Some(switch);
            kill_switch(model, host, |prefix, flag| {
                let route = switch.route(prefix);
                // An overlay of ours may have the place: the administrator insists.
                format!("ip {flag} route add {route} 2>/dev/null || ip {flag} route replace {route}\n")
            })
        }
        Change::Permit => {
            let switch = model.nodes[host].switch.take();
            kill_switch(model, host, |prefix, flag| {
                switch
                    .map(|switch| format!("ip {flag} route del {}\n", switch.route(prefix)))
                    .unwrap_or_default()
            })
        }
    }
}

/// A line for each prefix of a kill switch.
fn kill_switch(model: &Model, host: usize, line: impl Fn(&str, &str) -> String) -> String {
    model.nodes[host].guarded.iter().map(|(family, prefix)| line(prefix, flag(*family))).collect()
}
