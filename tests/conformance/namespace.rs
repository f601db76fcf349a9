//! The network namespace, and what the kernel shows of it.

use std::process::Command;

use faild::interface::{Interface, InterfaceIndex, InterfaceKind, MacAddress};
use faild::route::RouteType;

/// Of the names of our namespaces; the process id follows.
const PREFIX: &str = "faild-conformance-";

/// A network namespace of our own, removed at the end.
pub(crate) struct Namespace(String);

impl Namespace {
    pub(crate) fn new() -> Option<Self> {
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

    pub(crate) fn promote_secondaries(&self, on: bool) -> Result<(), String> {
        let on = u8::from(on);
        self.run(&format!("sysctl -qw net.ipv4.conf.all.promote_secondaries={on}"))?;
        self.run(&format!("sysctl -qw net.ipv4.conf.default.promote_secondaries={on}")).map(drop)
    }

    /// A veth pair, both ends up, without addresses but the link-local one.
    pub(crate) fn create(&self, name: &str) -> Result<(), String> {
        let (peer, mac) = (peer_of(name), mac_text(name));
        self.ip(&format!("link add {name} address {mac} type veth peer name {peer}"))?;
        self.run(&format!("sysctl -qw net.ipv6.conf.{peer}.disable_ipv6=1"))?;
        self.ip(&format!("link set {peer} up"))?;
        self.ip(&format!("link set {name} up")).map(drop)
    }

    fn run(&self, command: &str) -> Result<String, String> {
        run(&format!("ip netns exec {} {command}", self.0))
    }

    pub(crate) fn ip(&self, words: &str) -> Result<String, String> {
        run(&format!("ip -n {} {words}", self.0))
    }

    pub(crate) fn routes(&self) -> Vec<String> {
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
    let (mut source, mut linkdown, mut kind) = (String::new(), "", None);
    while let Some(word) = words.next() {
        match word {
            // RTN_UNICAST.
            "1" => {}
            "6" | "7" | "8" | "9" if prefix.is_empty() => {
                let number = word.parse().expect("a number");
                kind = RouteType::from_number(number).word().map(|word| format!(" {word}"));
            }
            // IPv6 has them on lo.
            "dev" if kind.is_some() => drop(words.next()),
            "error" => drop(words.next()),
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
    let kind = kind.unwrap_or_default();
    format!("{prefix}{legs} proto {protocol} metric {metric}{source}{table}{kind}{linkdown}")
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
pub(crate) fn interface(namespace: &Namespace, name: &str) -> Interface {
    let line = namespace.ip(&format!("-o link show {name}")).expect("the interface is there");
    let index = line.split(':').next().and_then(|i| i.trim().parse().ok()).expect("an index");
    let loopback = name == "lo";
    Interface {
        kind: if loopback { InterfaceKind::Loopback } else { InterfaceKind::Ethernet },
        mac: (!loopback).then(|| mac_of(name)),
        ..Interface::new(InterfaceIndex(index), name)
    }
}

pub(crate) fn peer_of(name: &str) -> String {
    name.replace("eth", "p")
}

fn mac_of(name: &str) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, name.as_bytes()[3]])
}

fn mac_text(name: &str) -> String {
    mac_of(name).0.map(|byte| format!("{byte:02x}")).join(":")
}

/// Orders by prefix, table and metric, and leaves equals in their order: that is the kernel's.
pub(crate) fn sort_by_key(routes: &mut [String]) {
    routes.sort_by_key(|line| {
        let mut words = line.split(' ').skip_while(|w| *w != "metric").skip(1);
        let metric: Option<u32> = words.next().and_then(|m| m.parse().ok());
        (line.split(' ').next().map(str::to_owned), line.contains(" table "), metric)
    });
}
