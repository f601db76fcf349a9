//! A route, in the words of `ip route` and as the model has it.

use faild::interface::InterfaceIndex;
use faild::reconcile::Mirror;
use faild::route::{Leg, MAIN_TABLE, Route, RouteKey, RouteType};

const STATIC: u8 = 4;
const OURS: u8 = 250;

/// A route in words that both sides understand.
pub(crate) struct Spec {
    kind: RouteType,
    prefix: &'static str,
    /// Gateway, interface, weight.
    legs: Vec<(Option<&'static str>, &'static str, u16)>,
    table: u32,
    metric: u32,
    protocol: u8,
    source: Option<&'static str>,
}

pub(crate) fn via(prefix: &'static str, gateway: &'static str, interface: &'static str, metric: u32) -> Spec {
    let legs = vec![(Some(gateway), interface, 1)];
    Spec { kind: RouteType::Unicast, prefix, legs, table: MAIN_TABLE, metric, protocol: STATIC, source: None }
}

/// One that refuses packets, or has no use for them.
pub(crate) fn refusing(kind: RouteType, prefix: &'static str, metric: u32) -> Spec {
    Spec { kind, legs: Vec::new(), ..via(prefix, "", "", metric) }
}

impl Spec {
    pub(crate) fn ours(self) -> Self {
        Self { protocol: OURS, ..self }
    }

    pub(crate) fn from(self, source: &'static str) -> Self {
        Self { source: Some(source), ..self }
    }

    pub(crate) fn and(mut self, gateway: &'static str, interface: &'static str) -> Self {
        self.legs.push((Some(gateway), interface, 1));
        self
    }

    pub(crate) fn weighing(mut self, first: u16, second: u16) -> Self {
        self.legs[0].2 = first;
        self.legs[1].2 = second;
        self
    }

    pub(crate) fn into_table(self, table: u32) -> Self {
        Self { table, ..self }
    }

    pub(crate) fn family(&self) -> &'static str {
        if self.prefix.contains(':') { "-6" } else { "-4" }
    }

    /// As `ip route` wants to hear it.
    pub(crate) fn words(&self) -> String {
        let leg = |(gateway, interface, weight): &(Option<&str>, &str, u16)| {
            let gateway = gateway.map_or_else(String::new, |g| format!(" via {g}"));
            let weight = if *weight == 1 { String::new() } else { format!(" weight {weight}") };
            format!("{gateway} dev {interface}{weight}")
        };
        let mut words = self.kind.word().map(|word| format!("{word} ")).unwrap_or_default() + self.prefix;
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

    pub(crate) fn route(&self, model: &Mirror) -> Route {
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
            kind: self.kind,
            nexthop_id: None,
            encapsulated: false,
            linkdown: false,
            attributes: Vec::new(),
            flags: 0,
        }
    }
}
