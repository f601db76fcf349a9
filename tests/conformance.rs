//! The model of the kernel (`reconcile::Mirror`) against the kernel itself: one script of link, address and route
//! operations is played to both, and after each step both must hold the same routes and must have refused the same.
//!
//! ```text
//!   one network namespace:   eth0 --veth-- p0      p0, p1: no IPv6, only there to give carrier
//!                            eth1 --veth-- p1
//! ```
//!
//! Needs root and `ip`; says so and passes where they are missing.

use std::process::Command;
use std::time::Duration;

use faild::interface::{Interface, InterfaceAddress, InterfaceIndex, InterfaceKind, MacAddress};
use faild::reconcile::mirror::Insert;
use faild::reconcile::{Leg, MAIN_TABLE, Mirror, Operation, Refusal, Route, RouteKey};

/// Links settle within this; carrier events are held back for up to a second.
const PATIENCE: Duration = Duration::from_secs(5);

const PAUSE: Duration = Duration::from_millis(20);

/// Of the names of our namespaces; the process id follows.
const PREFIX: &str = "faild-conformance-";

const STATIC: u8 = 4;
const OURS: u8 = 250;

/// One step of the script.
enum Step {
    Up(&'static str, bool),
    Carrier(&'static str, bool),
    AddAddress(&'static str, &'static str),
    /// As faild makes its test addresses.
    AddTestAddress(&'static str, &'static str),
    DeleteAddress(&'static str, &'static str),
    Route(Insert, Spec),
    DeleteRoute(Spec),
    PromoteSecondaries(bool),
    DeleteLink(&'static str),
    CreateLink(&'static str),
}

/// A route in words that both sides understand.
struct Spec {
    prefix: &'static str,
    /// Gateway, interface, weight.
    legs: Vec<(Option<&'static str>, &'static str, u16)>,
    table: u32,
    metric: u32,
    protocol: u8,
    source: Option<&'static str>,
}

fn via(prefix: &'static str, gateway: &'static str, interface: &'static str, metric: u32) -> Spec {
    let legs = vec![(Some(gateway), interface, 1)];
    Spec { prefix, legs, table: MAIN_TABLE, metric, protocol: STATIC, source: None }
}

fn script() -> Vec<Step> {
    use Insert::{Append, Exclusive, Prepend, Replace};
    use Step::{
        AddAddress, AddTestAddress, Carrier, CreateLink, DeleteAddress, DeleteLink, DeleteRoute,
        PromoteSecondaries, Up,
    };
    let route = Step::Route;
    let default = || via("0.0.0.0/0", "10.0.0.9", "eth0", 0);
    let overlay = || via("0.0.0.0/0", "10.1.0.9", "eth1", 0).ours().from("10.0.0.1");
    vec![
        AddAddress("eth0", "10.0.0.1/24"),
        AddAddress("eth1", "10.1.0.1/24"),
        AddAddress("eth0", "fd00::1/64"),
        AddAddress("eth1", "fd01::1/64"),
        AddAddress("eth0", "10.0.0.1/24"),
        // Refusals.
        route(Exclusive, via("192.0.2.0/24", "172.16.0.1", "eth0", 0)),
        route(Exclusive, via("192.0.2.0/24", "10.0.0.9", "eth1", 0)),
        route(Exclusive, via("192.0.2.0/24", "10.0.0.9", "eth0", 0).from("10.9.9.9")),
        route(Exclusive, via("2001:db8::/32", "fd99::1", "eth0", 0)),
        route(Exclusive, via("2001:db8::/32", "fd00::9", "eth0", 0).from("fd99::1")),
        DeleteRoute(via("192.0.2.0/24", "10.0.0.9", "eth0", 0)),
        // Keys, and places among equals.
        route(Exclusive, default()),
        route(Exclusive, default()),
        route(Exclusive, overlay()),
        route(Prepend, overlay()),
        route(Prepend, overlay()),
        DeleteRoute(via("0.0.0.0/0", "10.1.0.8", "eth1", 0).ours()),
        route(Append, via("0.0.0.0/0", "10.0.0.8", "eth0", 0)),
        route(Replace, via("0.0.0.0/0", "10.0.0.7", "eth0", 0)),
        route(Prepend, overlay()),
        DeleteRoute(overlay()),
        // Twins that differ in their source alone: a delete that names one hits that one.
        route(Prepend, overlay()),
        route(Prepend, overlay().from("10.1.0.1")),
        DeleteRoute(overlay()),
        route(Prepend, overlay()),
        DeleteRoute(via("0.0.0.0/0", "10.1.0.9", "eth1", 0).ours()),
        DeleteRoute(via("0.0.0.0/0", "10.1.0.9", "eth1", 0).ours()),
        route(Exclusive, via("198.51.100.0/24", "10.0.0.9", "eth0", 100)),
        route(Exclusive, via("198.51.100.0/24", "10.1.0.9", "eth1", 99).ours().from("10.0.0.1")),
        route(Exclusive, via("10.0.0.2/32", "10.1.0.2", "eth1", 0).ours().from("10.0.0.1")),
        route(Exclusive, via("203.0.113.0/24", "10.0.0.9", "eth0", 0).and("10.1.0.9", "eth1")),
        route(Exclusive, via("2001:db8::/32", "fd00::9", "eth0", 0)),
        route(Exclusive, via("2001:db8::/32", "fd01::9", "eth1", 1023).ours().from("fd00::1")),
        route(Exclusive, via("fd00::2/128", "fd01::2", "eth1", 1024).ours().from("fd00::1")),
        route(Exclusive, via("2001:db8:1::/48", "fe80::9", "eth0", 1024)),
        route(Exclusive, via("2001:db8:2::/48", "fd00::9", "eth0", 1024).and("fd01::9", "eth1")),
        // A delete without metric is a wildcard.
        DeleteRoute(via("198.51.100.0/24", "10.0.0.9", "eth0", 0)),
        route(Exclusive, via("198.51.100.0/24", "10.0.0.9", "eth0", 100)),
        // Carrier.
        Carrier("eth0", false),
        Carrier("eth0", true),
        // Down and up.
        Up("eth0", false),
        route(Exclusive, via("192.0.2.0/24", "10.0.0.9", "eth0", 0)),
        AddAddress("lo", "fd00::1/128"),
        route(Exclusive, via("fd00::3/128", "fd01::2", "eth1", 1024).ours().from("fd00::1")),
        Up("eth0", true),
        AddAddress("eth0", "fd00::1/64"),
        DeleteAddress("lo", "fd00::1/128"),
        route(Exclusive, default()),
        route(Exclusive, overlay()),
        route(Prepend, overlay()),
        // Addresses.
        AddAddress("eth0", "10.0.0.11/24"),
        AddAddress("eth0", "10.5.0.1/24"),
        DeleteAddress("eth0", "10.0.0.1/24"),
        route(Exclusive, via("192.0.2.0/24", "10.5.0.9", "eth0", 0)),
        DeleteAddress("eth0", "10.5.0.1/24"),
        DeleteAddress("eth0", "fd00::1/64"),
        DeleteAddress("eth0", "fd00::1/64"),
        // An interface that is deleted and made again.
        AddAddress("eth0", "10.0.0.1/24"),
        AddAddress("eth0", "fd00::1/64"),
        route(Exclusive, default()),
        route(Exclusive, via("203.0.113.0/24", "10.0.0.9", "eth0", 0).and("10.1.0.9", "eth1")),
        route(Exclusive, via("2001:db8:3::/48", "fd00::9", "eth0", 1024).and("fd01::9", "eth1")),
        route(Exclusive, via("10.0.0.3/32", "10.1.0.2", "eth1", 0).ours().from("10.0.0.1")),
        DeleteLink("eth0"),
        CreateLink("eth0"),
        AddAddress("eth0", "10.0.0.1/24"),
        route(Exclusive, default()),
        // Secondaries.
        PromoteSecondaries(true),
        AddAddress("eth0", "10.6.0.1/24"),
        AddAddress("eth0", "10.6.0.2/24"),
        AddAddress("eth0", "10.6.0.3/24"),
        route(Exclusive, via("192.0.2.0/24", "10.6.0.9", "eth0", 0).from("10.6.0.2")),
        DeleteAddress("eth0", "10.6.0.1/24"),
        PromoteSecondaries(false),
        DeleteAddress("eth0", "10.6.0.2/24"),
        // Weights, and a table of its own.
        AddAddress("eth0", "10.0.0.1/24"),
        route(
            Exclusive,
            via("203.0.113.0/24", "10.0.0.9", "eth0", 0).and("10.1.0.9", "eth1").weighing(3, 2).ours(),
        ),
        DeleteRoute(
            via("203.0.113.0/24", "10.0.0.9", "eth0", 0).and("10.1.0.9", "eth1").weighing(2, 3).ours(),
        ),
        route(
            Exclusive,
            via("2001:db8:4::/48", "fe80::9", "eth0", 50).and("fe80::8", "eth1").weighing(3, 2).ours(),
        ),
        DeleteRoute(
            via("203.0.113.0/24", "10.0.0.9", "eth0", 0).and("10.1.0.9", "eth1").weighing(3, 2).ours(),
        ),
        route(Exclusive, default().into_table(77)),
        route(Exclusive, overlay().into_table(77)),
        route(Prepend, overlay().into_table(77)),
        route(Exclusive, via("2001:db8:5::/48", "fe80::9", "eth0", 50).into_table(77).ours()),
        DeleteRoute(via("0.0.0.0/0", "10.1.0.8", "eth1", 0).ours().into_table(77)),
        DeleteRoute(overlay().into_table(77)),
        // A test address holds the routes of its interface, and its loss is that of the last address.
        AddTestAddress("eth1", "10.1.0.77/32"),
        route(Exclusive, via("198.51.100.0/24", "10.1.0.9", "eth1", 0).into_table(77)),
        DeleteAddress("eth1", "10.1.0.1/24"),
        route(Exclusive, via("192.0.2.0/24", "10.1.0.9", "eth1", 0)),
        DeleteAddress("eth1", "10.1.0.77/32"),
        AddTestAddress("eth1", "10.1.0.77/32"),
        AddTestAddress("eth1", "10.1.0.77/32"),
        AddAddress("eth1", "10.1.0.1/24"),
        route(Exclusive, overlay()),
        route(Prepend, overlay()),
        // Both ways at once.
        Up("eth1", false),
        Up("eth0", false),
        Up("eth1", true),
        Up("eth0", true),
    ]
}

#[test]
fn the_model_holds_the_same_routes_as_the_kernel_after_each_step() {
    let Some(namespace) = Namespace::new() else {
        eprintln!("skipped: network namespaces need root and ip(8)");
        return;
    };
    let mut model = Mirror::default();
    for name in ["lo", "eth0", "eth1"] {
        model.add_interface(interface(&namespace, name));
    }
    compare(&namespace, &model, "at the start");
    for (number, step) in script().into_iter().enumerate() {
        let when = format!("after step {number}, {}", step.text());
        let said = step.play_kernel(&namespace);
        let refused = step.play_model(&mut model, &namespace);
        match (&said, &refused) {
            (Ok(()), Ok(())) => {}
            (Err(said), Err(refusal)) if is_meant(said, refusal) => {}
            _ => panic!("{when}: the kernel says {said:?}, the model {refused:?}"),
        }
        compare(&namespace, &model, &when);
    }
}

/// The kernel's words, or at least its error number: not every version explains itself.
fn is_meant(said: &str, refusal: &Refusal) -> bool {
    said.contains(&refusal.text) || said.contains(nix::errno::Errno::from_raw(refusal.errno).desc())
}

impl Step {
    fn text(&self) -> String {
        match self {
            Step::Up(name, up) => format!("{name} up={up}"),
            Step::Carrier(name, carrier) => format!("{name} carrier={carrier}"),
            Step::AddAddress(name, prefix) => format!("{name} address add {prefix}"),
            Step::AddTestAddress(name, prefix) => format!("{name} test address add {prefix}"),
            Step::DeleteAddress(name, prefix) => format!("{name} address del {prefix}"),
            Step::Route(insert, spec) => format!("{insert:?} {}", spec.words()),
            Step::DeleteRoute(spec) => format!("delete {}", spec.words()),
            Step::PromoteSecondaries(on) => format!("promote_secondaries={on}"),
            Step::DeleteLink(name) => format!("{name} deleted"),
            Step::CreateLink(name) => format!("{name} created"),
        }
    }

    fn play_kernel(&self, namespace: &Namespace) -> Result<(), String> {
        let ip = |words: String| namespace.ip(&words).map(drop);
        let state = |up: &bool| if *up { "up" } else { "down" };
        match self {
            Step::Up(name, up) => ip(format!("link set {name} {}", state(up))),
            Step::Carrier(name, carrier) => ip(format!("link set {} {}", peer_of(name), state(carrier))),
            Step::AddAddress(name, prefix) => {
                let nodad = if prefix.contains(':') { "nodad" } else { "" };
                let noprefixroute = if *name == "lo" { "noprefixroute" } else { "" };
                ip(format!("addr add {prefix} dev {name} {nodad} {noprefixroute}"))
            }
            Step::AddTestAddress(name, prefix) => {
                ip(format!("addr add {prefix} dev {name} scope link noprefixroute"))
            }
            Step::DeleteAddress(name, prefix) => ip(format!("addr del {prefix} dev {name}")),
            Step::Route(insert, spec) => {
                let verb = match insert {
                    Insert::Exclusive => "add",
                    Insert::Prepend => "prepend",
                    Insert::Append => "append",
                    Insert::Replace => "replace",
                };
                ip(format!("{} route {verb} {}", spec.family(), spec.words()))
            }
            Step::DeleteRoute(spec) => ip(format!("{} route del {}", spec.family(), spec.words())),
            Step::PromoteSecondaries(on) => namespace.promote_secondaries(*on),
            Step::DeleteLink(name) => ip(format!("link del {name}")),
            Step::CreateLink(name) => namespace.create(name),
        }
    }

    fn play_model(&self, model: &mut Mirror, namespace: &Namespace) -> Result<(), Refusal> {
        let index = |model: &Mirror, name: &str| model.interface_named(name).expect("an interface").index;
        match self {
            Step::Up(name, true) => drop(model.execute(&Operation::SetUp(index(model, name)))?),
            Step::Up(name, false) => drop(model.set_up(index(model, name), false)),
            Step::Carrier(name, carrier) => drop(model.set_carrier(index(model, name), *carrier)),
            Step::AddAddress(name, prefix) => {
                let address = InterfaceAddress { no_prefix_route: *name == "lo", ..address(prefix) };
                drop(model.add_address(index(model, name), address)?);
            }
            Step::AddTestAddress(name, prefix) => {
                let test = InterfaceAddress { no_prefix_route: true, scope: 253, ..address(prefix) };
                drop(model.add_address(index(model, name), test)?);
            }
            Step::DeleteAddress(name, prefix) => {
                drop(model.delete_address(index(model, name), &address(prefix).prefix)?);
            }
            Step::Route(insert, spec) => drop(model.add_route(&spec.route(model), *insert)?),
            Step::DeleteRoute(spec) => drop(model.delete_route(&spec.route(model))?),
            Step::PromoteSecondaries(on) => model.promote_secondaries = *on,
            Step::DeleteLink(name) => drop(model.delete_interface(index(model, name))),
            Step::CreateLink(name) => drop(model.add_interface(interface(namespace, name))),
        }
        Ok(())
    }
}

impl Spec {
    fn ours(self) -> Self {
        Self { protocol: OURS, ..self }
    }

    fn from(self, source: &'static str) -> Self {
        Self { source: Some(source), ..self }
    }

    fn and(mut self, gateway: &'static str, interface: &'static str) -> Self {
        self.legs.push((Some(gateway), interface, 1));
        self
    }

    fn weighing(mut self, first: u16, second: u16) -> Self {
        self.legs[0].2 = first;
        self.legs[1].2 = second;
        self
    }

    fn into_table(self, table: u32) -> Self {
        Self { table, ..self }
    }

    fn family(&self) -> &'static str {
        if self.prefix.contains(':') { "-6" } else { "-4" }
    }

    /// As `ip route` wants to hear it.
    fn words(&self) -> String {
        let leg = |(gateway, interface, weight): &(Option<&str>, &str, u16)| {
            let gateway = gateway.map_or_else(String::new, |g| format!(" via {g}"));
            let weight = if *weight == 1 { String::new() } else { format!(" weight {weight}") };
            format!("{gateway} dev {interface}{weight}")
        };
        let mut words = self.prefix.to_owned();
        if self.legs.len() == 1 {
            words += &leg(&self.legs[0]);
        }
        if self.metric != 0 {
            words += &format!(" metric {}", self.metric);
        }
        if self.table != MAIN_TABLE {
            words += &format!(" table {}", self.table);
        }
        words += &format!(" proto {}", self.protocol);
        words += &self.source.map_or_else(String::new, |s| format!(" src {s}"));
        if self.legs.len() > 1 {
            words += &self.legs.iter().map(|l| format!(" nexthop{}", leg(l))).collect::<String>();
        }
        words
    }

    fn route(&self, model: &Mirror) -> Route {
        let leg = |(gateway, name, weight): &(Option<&str>, &str, u16)| Leg {
            gateway: gateway.map(|g| g.parse().expect("a literal address")),
            interface: model.interface_named(name).map_or(InterfaceIndex(0), |i| i.index),
            weight: *weight,
        };
        let destination = self.prefix.parse().expect("a literal prefix");
        Route {
            key: RouteKey { table: self.table, destination, tos: 0, metric: self.metric },
            protocol: self.protocol,
            scope: 0,
            source: self.source.map(|s| s.parse().expect("a literal address")),
            legs: self.legs.iter().map(leg).collect(),
            nexthop_id: None,
            encapsulated: false,
            linkdown: false,
            attributes: Vec::new(),
            flags: 0,
        }
    }
}

/// Waits until both hold the same routes, or tells what differs.
fn compare(namespace: &Namespace, model: &Mirror, when: &str) {
    let expected = of_model(model);
    let mut waited = Duration::ZERO;
    loop {
        let real = namespace.routes();
        if real == expected {
            return;
        }
        assert!(waited < PATIENCE, "{when}\nkernel:\n{}\nmodel:\n{}", real.join("\n"), expected.join("\n"));
        pause();
        waited += PAUSE;
    }
}

/// The model's routes, worded as [`Namespace::routes`] words them.
fn of_model(model: &Mirror) -> Vec<String> {
    let name = |index: InterfaceIndex| model.interface(index).map_or("?", |i| i.name.as_str());
    let text = |route: &Route| {
        let mut text = route.key.destination.to_string();
        for leg in &route.legs {
            text += &leg.gateway.map_or_else(String::new, |g| format!(" via {g}"));
            text += &format!(" dev {}", name(leg.interface));
            if leg.weight != 1 {
                text += &format!(" weight {}", leg.weight);
            }
        }
        text += &format!(" proto {} metric {}", route.protocol, route.key.metric);
        text += &route.source.map_or_else(String::new, |s| format!(" src {s}"));
        if route.key.table != MAIN_TABLE {
            text += &format!(" table {}", route.key.table);
        }
        text + if route.linkdown { " linkdown" } else { "" }
    };
    let mut routes: Vec<String> = model.routes().iter().map(|r| text(r)).collect();
    sort_by_key(&mut routes);
    routes
}

/// Orders by prefix, table and metric, and leaves equals in their order: that is the kernel's.
fn sort_by_key(routes: &mut [String]) {
    routes.sort_by_key(|line| {
        let mut words = line.split(' ').skip_while(|w| *w != "metric").skip(1);
        let metric: Option<u32> = words.next().and_then(|m| m.parse().ok());
        (line.split(' ').next().map(str::to_owned), line.contains(" table "), metric)
    });
}

/// A network namespace of our own, removed at the end.
struct Namespace(String);

impl Namespace {
    fn new() -> Option<Self> {
        Self::remove_orphans();
        let name = format!("{PREFIX}{}", std::process::id());
        run(&format!("ip netns add {name}")).ok()?;
        let namespace = Self(name);
        for setting in ["net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0"] {
            namespace.run(&format!("sysctl -qw {setting}")).ok()?;
        }
        namespace.promote_secondaries(false).ok()?;
        namespace.ip("link set lo up").ok()?;
        namespace.create("eth0").ok()?;
        namespace.create("eth1").ok()?;
        Some(namespace)
    }

    /// Those of runs that were killed.
    fn remove_orphans() {
        for line in run("ip netns list").unwrap_or_default().lines() {
            let name = line.split(' ').next().unwrap_or_default();
            let pid = name.strip_prefix(PREFIX);
            if pid.is_some_and(|pid| !std::path::Path::new("/proc").join(pid).exists()) {
                let _ = run(&format!("ip netns del {name}"));
            }
        }
    }

    fn promote_secondaries(&self, on: bool) -> Result<(), String> {
        let on = u8::from(on);
        self.run(&format!("sysctl -qw net.ipv4.conf.all.promote_secondaries={on}"))?;
        self.run(&format!("sysctl -qw net.ipv4.conf.default.promote_secondaries={on}")).map(drop)
    }

    /// A veth pair, both ends up, without addresses but the link-local one.
    fn create(&self, name: &str) -> Result<(), String> {
        let (peer, mac) = (peer_of(name), mac_text(name));
        self.ip(&format!("link add {name} address {mac} type veth peer name {peer}"))?;
        self.run(&format!("sysctl -qw net.ipv6.conf.{peer}.disable_ipv6=1"))?;
        self.ip(&format!("link set {peer} up"))?;
        self.ip(&format!("link set {name} up")).map(drop)
    }

    fn run(&self, command: &str) -> Result<String, String> {
        run(&format!("ip netns exec {} {command}", self.0))
    }

    fn ip(&self, words: &str) -> Result<String, String> {
        run(&format!("ip -n {} {words}", self.0))
    }

    fn routes(&self) -> Vec<String> {
        let mut routes = Vec::new();
        for (table, name) in [("main", ""), ("77", " table 77")] {
            for (family, v4) in [("-4", true), ("-6", false)] {
                // A table without routes may not exist.
                let shown =
                    self.ip(&format!("-N -d -o {family} route show table {table}")).unwrap_or_default();
                routes.extend(shown.lines().map(|line| parse(line, v4, name)));
            }
        }
        sort_by_key(&mut routes);
        routes
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = run(&format!("ip netns del {}", self.0));
    }
}

/// One line of `ip -N -d -o route show`, in the words of the model.
fn parse(line: &str, v4: bool, table: &str) -> String {
    let line = line.replace('\\', " ");
    let mut words = line.split_whitespace();
    let (mut prefix, mut legs, mut protocol, mut metric) = (String::new(), String::new(), "", "0");
    let (mut source, mut linkdown) = (String::new(), "");
    while let Some(word) = words.next() {
        match word {
            // RTN_UNICAST.
            "1" => {}
            "default" => prefix = if v4 { "0.0.0.0/0" } else { "::/0" }.to_owned(),
            "via" | "dev" => legs += &format!(" {word} {}", words.next().expect("a next hop")),
            "proto" => protocol = words.next().expect("a protocol"),
            "metric" => metric = words.next().expect("a metric"),
            "src" => source = format!(" src {}", words.next().expect("a source")),
            "linkdown" | "dead" => linkdown = " linkdown",
            "weight" => match words.next().expect("a weight") {
                "1" => {}
                weight => legs += &format!(" weight {weight}"),
            },
            "scope" | "pref" | "expires" | "table" => drop(words.next()),
            "nexthop" | "onlink" => {}
            word if prefix.is_empty() => prefix = with_length(word, v4),
            word => panic!("{word:?} in {line:?} is not understood"),
        }
    }
    format!("{prefix}{legs} proto {protocol} metric {metric}{source}{table}{linkdown}")
}

fn with_length(prefix: &str, v4: bool) -> String {
    let length = if v4 { 32 } else { 128 };
    if prefix.contains('/') { prefix.to_owned() } else { format!("{prefix}/{length}") }
}

fn run(command: &str) -> Result<String, String> {
    let mut words = command.split_whitespace();
    let program = words.next().expect("a program");
    let output = Command::new(program).args(words).output().map_err(|e| e.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// An interface as the namespace has just made it.
fn interface(namespace: &Namespace, name: &str) -> Interface {
    let line = namespace.ip(&format!("-o link show {name}")).expect("the interface is there");
    let index = line.split(':').next().and_then(|i| i.trim().parse().ok()).expect("an index");
    let loopback = name == "lo";
    Interface {
        index: InterfaceIndex(index),
        name: name.to_owned(),
        kind: if loopback { InterfaceKind::Loopback } else { InterfaceKind::Ethernet },
        up: true,
        carrier: true,
        master: None,
        mac: (!loopback).then(|| mac_of(name)),
        addresses: Vec::new(),
    }
}

fn address(prefix: &str) -> InterfaceAddress {
    InterfaceAddress::new(prefix.parse().expect("a literal prefix"))
}

fn peer_of(name: &str) -> String {
    name.replace("eth", "p")
}

fn mac_of(name: &str) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, name.as_bytes()[3]])
}

fn mac_text(name: &str) -> String {
    mac_of(name).0.map(|byte| format!("{byte:02x}")).join(":")
}

#[expect(clippy::disallowed_methods, reason = "the kernel needs time, and this is a test")]
fn pause() {
    std::thread::sleep(PAUSE);
}
