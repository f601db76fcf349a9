//! What can happen to an interface of a host.

use super::model::{Model, Place, Process, index};
use super::random::Random;
use super::story::Script;
use crate::lab::{Lab, Loss};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Local {
    Cut(Loss),
    Heal,
    CarrierOff,
    CarrierOn,
    /// Off and on again.
    CarrierFlap,
    Down,
    Up,
    /// Down and up again.
    Bounce,
    Delete,
    Create,
    /// Deleted and made again.
    Recreate,
    Rename,
    RenameBack,
    /// Renamed and renamed back.
    RenameFlap,
    Filter,
    Unfilter,
    FlushAddresses,
    AddAddresses,
    /// Both, as network managers do.
    RenewAddresses,
    FlushRoutes,
    AddRoutes,
}

impl Local {
    /// What faild must not undo: should it die before it has seen it, nobody could know.
    pub(super) fn is_deliberate(self) -> bool {
        matches!(self, Self::FlushAddresses | Self::FlushRoutes | Self::AddAddresses | Self::AddRoutes)
    }

    /// What must not be taken for the work of the kernel.
    pub(super) fn takes_away(self) -> bool {
        matches!(self, Self::FlushAddresses | Self::FlushRoutes)
    }

    pub(super) fn faults(model: &Model, host: usize, lan: char, random: &mut Random) -> Vec<Self> {
        let (place, mut all) = (model.place(host, lan), Vec::new());
        if place.loss.is_none() {
            let percent = Loss::Percent(*random.pick(&[3, 10]));
            all.extend([Loss::Silent, Loss::ToHost, Loss::FromHost, percent].map(Self::Cut));
        }
        if place.carrier && place.exists {
            all.extend([Self::CarrierOff, Self::CarrierFlap]);
        }
        if !place.filtered {
            all.push(Self::Filter);
        }
        if place.is_live() {
            all.extend([Self::Down, Self::Bounce, Self::Rename, Self::RenameFlap]);
            if place.addressed {
                all.extend([Self::Delete, Self::Recreate, Self::RenewAddresses]);
                // What is still to be put back cannot be flushed.
                if model.is_running(host) && place.settled {
                    all.extend([Self::FlushAddresses, Self::FlushRoutes]);
                }
            }
        }
        all
    }

    pub(super) fn repairs(model: &Model, host: usize, lan: char) -> Vec<Self> {
        let (place, mut all) = (model.place(host, lan), Vec::new());
        if place.loss.is_some() {
            all.push(Self::Heal);
        }
        if !place.carrier && place.exists {
            all.push(Self::CarrierOn);
        }
        if place.filtered {
            all.push(Self::Unfilter);
        }
        if !place.exists {
            all.push(Self::Create);
        } else if place.renamed {
            all.push(Self::RenameBack);
        } else if !place.up {
            all.push(Self::Up);
        } else if !place.addressed {
            // What comes and goes with its interface while the daemon is stopped was never seen by it.
            if model.is_running(host) {
                all.push(Self::AddAddresses);
            }
        } else if place.settled && model.nodes[host].routes.iter().any(|route| route.gone && route.lan == lan)
        {
            // The kernel refuses them before faild has put back the addresses that their gateways need.
            all.push(Self::AddRoutes);
        }
        all
    }

    /// Remembers it, and says what does it.
    pub(super) fn perform<'a>(self, lab: &'a Lab, model: &mut Model, host: usize, lan: char) -> Script<'a> {
        let runs = match model.nodes[host].process {
            Process::Running => true,
            // It will read that it fell, and knows what stood there if that was seen before.
            Process::Stopped => model.place(host, lan).settled,
            Process::Dead => false,
        };
        self.remember(model.place_mut(host, lan), runs);
        if matches!(self, Self::FlushRoutes | Self::AddRoutes) {
            let routes = model.nodes[host].routes.iter_mut().filter(|route| route.lan == lan);
            routes.for_each(|route| route.gone = self == Self::FlushRoutes);
        }
        let (here, switch) = (&lab.hosts()[host], lab.switch());
        let (port, routes) = (here.port(lan), model.commands(host, lan));
        // Of hosts whose daemons ask each other, and of what is asked beyond a router.
        let asked: &[&str] = match model.routers.is_empty() {
            true => &["udp dport 64029"],
            false => &["meta l4proto icmp", "icmpv6 type { echo-request, echo-reply }"],
        };
        let keeps_mac = !model.routers.is_empty();
        let switched = switch.netns();
        let commands = Commands { lan, port: &port, switch: switched, routes: &routes, asked, keeps_mac };
        let script = commands.of(self, &model.nodes[host].places[index(lan)]);
        (if self.is_at_switch() { switch } else { here }, script)
    }

    fn remember(self, place: &mut Place, runs: bool) {
        place.settled &=
            self.is_at_switch() || matches!(self, Self::Filter | Self::Unfilter | Self::FlushRoutes);
        match self {
            Self::Cut(loss) => place.loss = Some(loss),
            Self::Heal => place.loss = None,
            Self::CarrierOff => place.carrier = false,
            Self::CarrierOn => place.carrier = true,
            Self::Down => (place.up, place.kept) = (false, runs),
            Self::Up => place.up = true,
            Self::Delete => (place.exists, place.kept) = (false, runs),
            Self::Create => (place.exists, place.up, place.carrier) = (true, true, true),
            Self::Recreate => (place.carrier, place.kept) = (true, runs),
            Self::Rename => (place.renamed, place.kept) = (true, runs),
            Self::RenameBack => place.renamed = false,
            Self::Bounce | Self::RenameFlap => place.kept = runs,
            Self::Filter => place.filtered = true,
            Self::Unfilter => place.filtered = false,
            Self::FlushAddresses => (place.addressed, place.shown) = (false, false),
            Self::AddAddresses => place.addressed = true,
            Self::CarrierFlap | Self::RenewAddresses | Self::FlushRoutes | Self::AddRoutes => {}
        }
    }

    fn is_at_switch(self) -> bool {
        use Local::{CarrierFlap, CarrierOff, CarrierOn, Cut, Heal};
        matches!(self, Cut(_) | Heal | CarrierOff | CarrierOn | CarrierFlap)
    }
}

/// What the commands need to know.
struct Commands<'a> {
    lan: char,
    port: &'a str,
    switch: &'a str,
    routes: &'a str,
    /// What a firewall drops, in the words of nft(8).
    asked: &'a [&'a str],
    /// An interface that is made again has the hardware address of the one before.
    keeps_mac: bool,
}

impl Commands<'_> {
    fn of(&self, what: Local, place: &Place) -> String {
        let Self { lan, port, switch, routes, asked, keeps_mac } = self;
        let interface = &place.interface;
        let mac = if *keeps_mac { format!("address {}", place.mac) } else { String::new() };
        let addresses =
            place.prefixes.each_ref().map(|prefix| format!("ip addr replace {prefix} dev {interface}\n"));
        let addresses = addresses.concat();
        let restored =
            if place.kept || !place.addressed { String::new() } else { format!("{addresses}{routes}") };
        let (down, up) = (format!("ip link set {interface} down\n"), format!("ip link set {interface} up\n"));
        let delete = format!("ip link del {interface}\n");
        let create = format!(
            "ip link add {interface} {mac} type veth peer name {port} netns {switch}\n\
             ip -n {switch} link set {port} master lan{lan} up\n{up}{addresses}{restored}"
        );
        let away = format!("ip link set {interface} name gone{lan}\n");
        let back = format!("ip link set gone{lan} name {interface}\n");
        let flush = format!("ip addr flush dev {interface} scope global\n");
        match what {
            Local::Cut(loss) => cut(port, &[(*port).to_owned()], loss),
            Local::Heal => heal(port),
            Local::CarrierOff => format!("ip link set {port} down"),
            Local::CarrierOn => format!("ip link set {port} up"),
            Local::CarrierFlap => format!("ip link set {port} down; ip link set {port} up"),
            Local::Down => down,
            Local::Up => up + &restored,
            Local::Bounce => down + &up + &restored,
            Local::Delete => delete,
            Local::Create => create,
            Local::Recreate => delete + &create,
            Local::Rename => format!("{down}{away}ip link set gone{lan} up\n"),
            Local::RenameBack => format!("ip link set gone{lan} down\n{back}{up}{restored}"),
            Local::RenameFlap => down + &away + &back + &up + &restored,
            Local::Filter => {
                let chain = |hook: &str, way: &str| {
                    let kind = format!("type filter hook {hook} priority 0;");
                    let rule = |asked: &&str| format!("{way} \"{interface}\" {asked} drop;");
                    format!("chain {hook} {{ {kind} {} }};", asked.iter().map(rule).collect::<String>())
                };
                let chains = format!("{} {}", chain("input", "iifname"), chain("output", "oifname"));
                format!("nft 'table inet filter_{lan} {{ {chains} }}'")
            }
            Local::Unfilter => format!("nft 'delete table inet filter_{lan}'"),
            Local::FlushAddresses => flush,
            Local::AddAddresses => format!("{addresses}{routes}"),
            Local::RenewAddresses => format!("{flush}{addresses}{routes}"),
            Local::FlushRoutes => {
                ["-4", "-6"].map(|f| format!("ip {f} route flush proto static dev {interface}\n")).concat()
            }
            Local::AddRoutes => (*routes).to_owned(),
        }
    }
}

/// The command that loses packets at ports of the switch.
pub(super) fn cut(name: &str, ports: &[String], loss: Loss) -> String {
    format!("nft '{}'", Lab::cut_rules(name, ports, loss))
}

/// The command that ends it.
pub(super) fn heal(name: &str) -> String {
    format!("nft 'delete table bridge cut_{name}'")
}
