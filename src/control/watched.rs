//! What can be seen of the watch: groups of interfaces, destinations with their next hops, and the hosts that are
//! probed for both. The words are those of ipmpstat(8) where it has some.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::view::Offline;
use super::why::Reason;

/// Interfaces that stand in for each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name; empty: anonymous, nothing stands in.
    pub name: String,
    /// What it is worth.
    pub state: GroupState,
    /// Within this time a silent member is found failed; absent if none is probed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detection_ms: Option<u64>,
    /// The interfaces.
    pub members: Vec<Member>,
}

/// What a group is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupState {
    /// All its members are usable.
    Ok,
    /// Some are not.
    Degraded,
    /// None is.
    Failed,
}

/// One interface of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name.
    pub interface: String,
    /// How it is.
    pub state: MemberState,
    /// Carries traffic.
    pub active: bool,
    /// Is used only while another one is not.
    pub standby: bool,
    /// Works and is held back.
    pub inactive: bool,
    /// Its MAC address is another member's too.
    pub duplicate_mac: bool,
    /// Has no address that data could bear.
    pub no_data_address: bool,
    /// Its link.
    pub link: Link,
    /// What its probes say.
    pub probe: Probing,
    /// Who stands in for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stand_in: Option<String>,
    /// The administrator has taken it out of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<Offline>,
    /// Its addresses for data: neither the test address nor one of the link alone.
    pub addresses: Vec<DataAddress>,
}

/// How an interface of a group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberState {
    /// It works.
    Ok,
    /// It does not.
    Failed,
    /// It is out of service.
    Offline,
    /// Nobody can tell.
    Unknown,
}

/// The link of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// Packets can pass.
    Up,
    /// They cannot.
    Down,
    /// The driver does not tell.
    Unknown,
}

/// What the probes of an interface say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probing {
    /// They are answered.
    Ok,
    /// They are not.
    Failed,
    /// There is nobody to ask.
    Unknown,
    /// There is no address to ask from.
    Disabled,
}

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataAddress {
    /// The address.
    pub address: IpAddr,
    /// It can be used: the interface is set up, and nobody else was found to have it.
    pub up: bool,
}

/// All hosts that are probed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Targets {
    /// By the interfaces of groups, a family each.
    pub members: Vec<MemberTargets>,
    /// By next hops: themselves, and hosts beyond them.
    pub next_hops: Vec<NextHopTargets>,
}

/// The hosts that one interface of a group asks in one family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberTargets {
    /// The group; empty: anonymous.
    pub group: String,
    /// The interface.
    pub interface: String,
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// Where they come from.
    pub mode: Mode,
    /// Where probes come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_address: Option<IpAddr>,
    /// In the order in which they are asked.
    pub targets: Vec<Target>,
    /// Answers that were none: from somebody else, by another interface, or a second time.
    #[serde(default)]
    pub bogus: u64,
}

/// Where the targets of an interface come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Routers of the routing table, or what the settings name.
    Routes,
    /// Hosts that were found.
    Multicast,
    /// Nobody is asked.
    Disabled,
}

/// The hosts by which one next hop of a destination is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextHopTargets {
    /// The destination, a prefix.
    pub destination: String,
    /// Its routing table.
    pub table: u32,
    /// The interface.
    pub interface: String,
    /// The gateway; absent on a link with only one other end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<IpAddr>,
    /// The gateway itself first.
    pub targets: Vec<Target>,
}

/// One probed host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its name in the configuration, or its address.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
    /// How it is asked.
    pub method: Method,
    /// What is thought of it.
    pub state: HopState,
    /// Probes missed in a row.
    pub missed: u32,
    /// Probes answered in a row.
    pub good: u32,
    /// Percent of probes lost within the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_percent: Option<u8>,
    /// Mean round trip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_us: Option<u64>,
    /// How long ago it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_ms: Option<u64>,
}

/// How a host is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// ARP or neighbour discovery.
    Neighbour,
    /// ICMP echo.
    Echo,
    /// INQ and ACK: it runs faild.
    Peer,
}

/// What is thought of a next hop or target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HopState {
    /// Not decided.
    Unknown,
    /// It works.
    Works,
    /// It answers, with too much loss or too slowly.
    Poor,
    /// It does not answer.
    Failed,
}

/// A destination that follows the next hop that works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Destination {
    /// The prefix.
    pub destination: String,
    /// The routing table.
    pub table: u32,
    /// Why it goes where it goes.
    pub reason: Reason,
    /// Our route to it, as `ip route` would write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay: Option<String>,
    /// The best route of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<String>,
    /// What does not go as wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// By rank.
    pub next_hops: Vec<DestinationHop>,
}

/// A next hop of a destination.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DestinationHop {
    /// The interface.
    pub interface: String,
    /// The gateway; absent on a link with only one other end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<IpAddr>,
    /// The lowest that works is used.
    pub rank: u8,
    /// Its share among equals.
    pub weight: u8,
    /// What is thought of it.
    pub state: HopState,
    /// Carries traffic.
    pub in_use: bool,
    /// Why it is not used, or why it is as it is, in words; may be empty.
    pub reason: String,
    /// Damping penalty by now.
    pub penalty: f64,
    /// What that rests on; only in the answer to `why`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Target>,
}

/// A group by whose interface traffic leaves, or would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupAccount {
    /// Why it leaves by that interface.
    pub reason: Reason,
    /// The group.
    pub group: Group,
    /// What its interfaces ask.
    pub targets: Vec<MemberTargets>,
}

/// The last probes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probes {
    /// When this was answered, in milliseconds since 1970 in UTC.
    pub time_ms: u64,
    /// In the order in which they were answered or given up.
    pub items: Vec<Probe>,
}

/// A probe that was answered or given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Counts all since the start, from 1; a gap tells of some that were missed.
    pub number: u64,
    /// When it was sent, in milliseconds since 1970 in UTC.
    pub time_ms: u64,
    /// The interface.
    pub interface: String,
    /// Its number in its series.
    pub sequence: u16,
    /// Who was asked.
    pub target: IpAddr,
    /// How.
    pub method: Method,
    /// From sending to the kernel's stamp of the answer; absent: it was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_us: Option<u64>,
    /// Smoothed round trip of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_us: Option<u64>,
    /// Smoothed deviation of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation_us: Option<u64>,
}

/// How many groups there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GroupCounts {
    /// All.
    pub known: usize,
    /// Those with a member that is not usable, and with another that is.
    pub degraded: usize,
    /// Those without a usable member.
    pub failed: usize,
}

/// How many destinations there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DestinationCounts {
    /// All.
    pub known: usize,
    /// Those with a next hop that does not work, or poorly.
    pub degraded: usize,
    /// Those that do not go by their first choice.
    pub moved: usize,
    /// Those none of whose next hops works.
    pub silent: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Reply;

    fn target() -> Target {
        Target {
            name: "gate".to_owned(),
            address: [192, 0, 2, 1].into(),
            method: Method::Echo,
            state: HopState::Works,
            missed: 0,
            good: 7,
            loss_percent: Some(0),
            round_trip_us: Some(420),
            answered_ms: Some(9),
        }
    }

    fn member_targets() -> MemberTargets {
        MemberTargets {
            group: "lan0".to_owned(),
            interface: "eth0".to_owned(),
            family: "ipv4".to_owned(),
            mode: Mode::Routes,
            test_address: Some([192, 0, 2, 11].into()),
            targets: vec![target()],
            bogus: 0,
        }
    }

    fn group() -> Group {
        let member = Member {
            interface: "eth0".to_owned(),
            state: MemberState::Offline,
            active: false,
            standby: false,
            inactive: false,
            duplicate_mac: false,
            no_data_address: false,
            link: Link::Up,
            probe: Probing::Disabled,
            stand_in: Some("eth1".to_owned()),
            offline: Some(Offline { reason: "x".to_owned(), since_ms: 1, until_ms: Some(2) }),
            addresses: vec![DataAddress { address: [192, 0, 2, 20].into(), up: true }],
        };
        let name = "lan0".to_owned();
        Group { name, state: GroupState::Degraded, detection_ms: Some(10_000), members: vec![member] }
    }

    fn destination() -> Destination {
        let hop = DestinationHop {
            interface: "eth0".to_owned(),
            via: Some([192, 0, 2, 1].into()),
            rank: 1,
            weight: 1,
            state: HopState::Works,
            in_use: true,
            reason: "works".to_owned(),
            penalty: 0.0,
            targets: vec![target()],
        };
        Destination {
            destination: "0.0.0.0/0".to_owned(),
            table: 254,
            reason: Reason { word: "moved".to_owned(), text: "x".to_owned() },
            overlay: Some("x".to_owned()),
            original: Some("x".to_owned()),
            trouble: Some("x".to_owned()),
            next_hops: vec![hop],
        }
    }

    fn everything() -> Vec<Reply> {
        let hop = NextHopTargets {
            destination: "::/0".to_owned(),
            table: 254,
            interface: "eth0".to_owned(),
            via: Some([192, 0, 2, 1].into()),
            targets: vec![target()],
        };
        let probe = Probe {
            number: 1,
            time_ms: 2,
            interface: "eth0".to_owned(),
            sequence: 3,
            target: [192, 0, 2, 1].into(),
            method: Method::Neighbour,
            round_trip_us: Some(1),
            average_us: Some(1),
            deviation_us: Some(1),
        };
        let reason = Reason { word: "member-works".to_owned(), text: "x".to_owned() };
        let account = GroupAccount { reason, group: group(), targets: vec![member_targets()] };
        let why = crate::control::Why {
            destination: "::/0".to_owned(),
            kernel: crate::control::KernelWay::Local {},
            route: None,
            rule: Some(destination()),
            group: Some(account),
            decision: None,
        };
        let page = crate::control::Page { items: vec![], more: None };
        vec![
            Reply::Groups(vec![group()]),
            Reply::Targets(Targets { members: vec![member_targets()], next_hops: vec![hop] }),
            Reply::Probes(Probes { time_ms: 1, items: vec![probe] }),
            Reply::Routes(crate::control::Routes { destinations: vec![destination()], page }),
            Reply::Why(Box::new(why)),
        ]
    }

    fn names(value: &serde_json::Value, found: &mut Vec<String>) {
        if let Some(object) = value.as_object() {
            found.extend(object.keys().cloned());
            object.values().for_each(|value| names(value, found));
        }
        value.as_array().into_iter().flatten().for_each(|value| names(value, found));
    }

    #[test]
    fn answers_survive_the_wire_and_the_manual_has_every_member() {
        let manual = include_str!("../../man/faild-control.7");
        let words: Vec<&str> = manual.split_whitespace().collect();
        for reply in everything() {
            let line = reply.to_line();
            assert_eq!(Reply::from_line(&line).unwrap(), reply);
            let mut found = Vec::new();
            names(&serde_json::from_str(&line).unwrap(), &mut found);
            assert!(found.len() > 5, "{line}");
            for name in found.iter().filter(|name| *name != "version") {
                assert!(words.contains(&name.as_str()), "{name} is not in faild-control.7");
            }
        }
    }
}
