//! Faults at the switch and at the hosts. Each lasts until [`Lab::heal`] or the opposite call.

use super::{Host, Lab};

/// A fault that lets the link stay up and loses packets, by rules in the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// All packets, both ways.
    Silent,
    /// Those to the host.
    ToHost,
    /// Those from the host.
    FromHost,
    /// This percentage of those in each direction.
    Percent(u8),
}

impl Lab {
    /// Loses packets at the port of a host; the link stays up.
    pub(crate) fn cut(&self, host: &Host, lan: char, loss: Loss) {
        self.filter(&host.port(lan), &[host.port(lan)], loss);
    }

    /// Loses packets at every port of a LAN.
    pub(crate) fn cut_lan(&self, lan: char, loss: Loss) {
        let ports: Vec<String> = self.hosts().iter().map(|host| host.port(lan)).collect();
        self.filter(&format!("lan{lan}"), &ports, loss);
    }

    fn filter(&self, name: &str, ports: &[String], loss: Loss) {
        self.switch().nft(&Self::cut_rules(name, ports, loss));
    }

    /// The rules that lose packets at these ports of the switch; [`Lab::heal_rules`] knows the name.
    pub(crate) fn cut_rules(name: &str, ports: &[String], loss: Loss) -> String {
        let ports = ports.iter().map(|port| format!("\"{port}\"")).collect::<Vec<_>>().join(", ");
        let random = |percent| format!("numgen random mod 100 < {percent}");
        let (from, to) = match loss {
            Loss::Silent => (Some(String::new()), Some(String::new())),
            Loss::ToHost => (None, Some(String::new())),
            Loss::FromHost => (Some(String::new()), None),
            Loss::Percent(percent) => (Some(random(percent)), Some(random(percent))),
        };
        let rule = |way: &str, what: Option<String>| {
            what.map(|what| format!("{way} {{ {ports} }} {what} drop;")).unwrap_or_default()
        };
        let chain = format!("{} {}", rule("iifname", from), rule("oifname", to));
        switch_rules(name, &chain)
    }

    /// Loads rules of one's own into the switch, under a name for [`Lab::heal_rules`].
    pub(crate) fn filter_switch(&self, name: &str, rules: &str) {
        self.switch().nft(&switch_rules(name, rules));
    }

    /// Heals [`Lab::filter_switch`].
    pub(crate) fn heal_rules(&self, name: &str) {
        self.switch().nft(&format!("delete table bridge cut_{name}"));
    }

    /// Heals [`Lab::cut`].
    pub(crate) fn heal(&self, host: &Host, lan: char) {
        self.heal_rules(&host.port(lan));
    }

    /// Heals [`Lab::cut_lan`].
    pub(crate) fn heal_lan(&self, lan: char) {
        self.heal_rules(&format!("lan{lan}"));
    }

    /// Takes the carrier away: the switch port goes down.
    pub(crate) fn carrier_off(&self, host: &Host, lan: char) {
        self.switch().ip(&format!("link set {} down", host.port(lan)));
    }

    /// Gives the carrier back.
    pub(crate) fn carrier_on(&self, host: &Host, lan: char) {
        self.switch().ip(&format!("link set {} up", host.port(lan)));
    }
}

fn switch_rules(name: &str, rules: &str) -> String {
    let chain = format!("chain c {{ type filter hook forward priority 0; {rules} }}");
    format!("table bridge cut_{name} {{ {chain}; }}")
}
