//! The samples of ipmpstat(8), to the letter, but for the nominations (flags m, b, M) that Linux does not know.

use super::*;
use crate::control::{
    DataAddress, GroupState, HopState, InstanceSnapshot, Link, ProbeRecord, TargetSnapshot,
};
use crate::faildctl::compat::columns::{Choice, Layout};
use crate::interface::Family;
use crate::time::Instant;

/// An interface that works.
pub(in crate::faildctl::compat) fn member(interface: &str) -> MemberSnapshot {
    MemberSnapshot {
        interface: interface.to_owned(),
        state: MemberState::Ok,
        active: true,
        standby: false,
        inactive: false,
        duplicate_mac: false,
        no_data_address: false,
        link: Link::Up,
        probing: Probing::Ok,
        taken_over_by: None,
        instances: Vec::new(),
    }
}

pub(in crate::faildctl::compat) fn group(
    name: &str,
    state: GroupState,
    detection_ms: Option<u64>,
    members: &[MemberSnapshot],
) -> Group {
    let members = members.iter().map(|member| Member {
        snapshot: member.clone(),
        offline: None,
        addresses: Vec::new(),
    });
    let detection = detection_ms.map(Duration::from_millis);
    Group { name: name.to_owned(), state, detection, members: members.collect() }
}

fn inactive(interface: &str) -> MemberSnapshot {
    MemberSnapshot { active: false, standby: true, inactive: true, ..member(interface) }
}

fn failed(interface: &str) -> MemberSnapshot {
    MemberSnapshot {
        active: false,
        state: MemberState::Failed,
        probing: Probing::Failed,
        ..member(interface)
    }
}

fn sample() -> Vec<Group> {
    vec![
        group("lan0", GroupState::Ok, Some(10_000), &[member("eth0"), member("eth1"), inactive("eth2")]),
        group("san1", GroupState::Degraded, Some(28_000), &[failed("eth3"), member("eth4")]),
        group("dmz0", GroupState::Failed, None, &[failed("eth6"), failed("eth5")]),
    ]
}

fn table(columns: &'static [Column], choice: &Choice, rows: &[Row]) -> String {
    let (mut layout, _) = Layout::new(columns, choice, false, 24).unwrap();
    rows.iter().map(|row| layout.row(row)).collect()
}

fn parsable(columns: &'static [Column], names: &str, rows: &[Row]) -> String {
    let names = Choice::Named(names.split(',').map(str::to_owned).collect());
    let (mut layout, _) = Layout::new(columns, &names, true, 24).unwrap();
    rows.iter().map(|row| layout.row(row)).collect()
}

#[test]
fn groups_list_their_interfaces_by_use() {
    let expected = "\
GROUP       GROUPNAME   STATE     FDT       INTERFACES
lan0        lan0        ok        10.00s    eth0 eth1 (eth2)
san1        san1        degraded  28.00s    eth4 [eth3]
dmz0        dmz0        failed    --        [eth6 eth5]
";
    assert_eq!(table(GROUPS, &Choice::Fitting, &groups(&sample())), expected);
}

#[test]
fn programs_read_groups_as_case_43_has_them() {
    let text = parsable(GROUPS, "group,fdt,interfaces", &groups(&sample()));
    assert_eq!(text.lines().next(), Some("lan0:10.00s:eth0 eth1 (eth2)"));
    assert_eq!(parsable(GROUPS, "group,fdt", &groups(&sample())).lines().last(), Some("dmz0:"));
}

#[test]
fn interfaces_bear_their_flags_in_fixed_places() {
    let twin = MemberSnapshot {
        active: false,
        state: MemberState::Offline,
        probing: Probing::Disabled,
        no_data_address: true,
        duplicate_mac: true,
        ..member("eth7")
    };
    let groups = [
        group(
            "lan0",
            GroupState::Ok,
            None,
            &[member("eth0"), MemberSnapshot { active: false, ..inactive("eth2") }],
        ),
        group("san1", GroupState::Failed, None, &[failed("eth3"), twin]),
        group("", GroupState::Ok, None, &[MemberSnapshot { link: Link::Unknown, ..member("eth9") }]),
    ];
    let expected = "\
INTERFACE   ACTIVE  GROUP       FLAGS     LINK      PROBE     STATE
eth0        yes     lan0        -------   up        ok        ok
eth2        no      lan0        is-----   up        ok        ok
eth3        no      san1        -------   up        failed    failed
eth7        no      san1        -----dh   up        disabled  offline
eth9        yes     --          -------   unknown   ok        ok
";
    assert_eq!(table(INTERFACES, &Choice::Fitting, &interfaces(&groups)), expected);
}

#[test]
fn a_dead_link_is_a_failed_probe_where_one_is_probed() {
    let down =
        |probing| MemberSnapshot { state: MemberState::Failed, link: Link::Down, probing, ..failed("e") };
    for (told, shown) in [
        (Probing::Ok, "failed"),
        (Probing::Failed, "failed"),
        (Probing::Unknown, "unknown"),
        (Probing::Disabled, "disabled"),
    ] {
        assert_eq!(probe(&down(told)).to_string(), shown);
    }
}

#[test]
fn addresses_come_in_where_they_stand_and_leave_by_all_that_are_active() {
    let address = |text: &str, up| DataAddress { address: text.parse().unwrap(), up };
    let members = [member("eth0"), member("eth1"), failed("eth2")];
    let mut groups = [
        group("lan0", GroupState::Degraded, None, &members),
        group("dmz0", GroupState::Failed, None, &[failed("eth5")]),
    ];
    groups[0].members[0].addresses = vec![address("192.0.2.20", true), address("192.0.2.99", false)];
    groups[0].members[2].addresses = vec![address("192.0.2.22", true)];
    groups[1].members[0].addresses = vec![address("2001:db8::5", true)];
    let expected = "\
ADDRESS                   STATE  GROUP       INBOUND     OUTBOUND
192.0.2.20                up     lan0        eth0        eth0 eth1
192.0.2.99                down   lan0        --          --
192.0.2.22                up     lan0        --          eth0 eth1
2001:db8::5               up     dmz0        --          --
";
    assert_eq!(table(ADDRESSES, &Choice::Fitting, &addresses(&groups, &mut Names::new(true))), expected);
}

fn family(interface: &str, mode: Mode, from: Option<&str>, hosts: &[&str]) -> MemberTargets {
    let target = |host: &&str| TargetSnapshot {
        name: (*host).to_owned(),
        address: host.parse().unwrap(),
        method: Method::Echo,
        state: HopState::Up,
        missed: 0,
        good: 1,
        loss_percent: None,
        round_trip: None,
        answered: None,
    };
    MemberTargets {
        group: "lan0".to_owned(),
        interface: interface.to_owned(),
        instance: InstanceSnapshot {
            family: Family::V4,
            mode,
            test_address: from.map(|from| from.parse().unwrap()),
            targets: hosts.iter().map(target).collect(),
            invalid: 0,
        },
    }
}

#[test]
fn targets_have_a_row_for_each_family_that_is_probed() {
    let members = [member("eth0"), failed("eth3"), member("eth4")];
    let groups = [group("lan0", GroupState::Degraded, None, &members)];
    let asked = Targets {
        members: vec![
            family("eth0", Mode::Routes, Some("192.0.2.11"), &["192.0.2.1", "192.0.2.2"]),
            family("eth0", Mode::Multicast, Some("fe80::a:1"), &["fe80::1"]),
            family("eth3", Mode::Disabled, None, &[]),
        ],
        next_hops: Vec::new(),
    };
    let rows = targets(&groups, &asked, &mut Names::new(true));
    let expected = "\
INTERFACE   MODE      TESTADDR            TARGETS
eth0        routes    192.0.2.11          192.0.2.1 192.0.2.2
eth0        multicast fe80::a:1           fe80::1
eth3        disabled  --                  --
eth4        disabled  --                  --
";
    assert_eq!(table(TARGETS, &Choice::Fitting, &rows), expected);
    let text = parsable(TARGETS, "targets,mode", &rows);
    assert_eq!(text.lines().nth(1), Some("fe80\\:\\:1:multicast"), "case 43");
}

#[test]
fn probes_count_from_the_start_and_lost_ones_have_no_round_trip() {
    let us = Duration::from_micros;
    let record = |interface: &str, sequence, round_trip: Option<u64>| ProbeRecord {
        number: 1,
        interface: interface.to_owned(),
        sequence,
        target: "192.0.2.1".parse().unwrap(),
        method: Method::Echo,
        sent: Instant::default(),
        round_trip: round_trip.map(us),
        average: Some(us(600 + u64::from(round_trip.is_none()) * 10)),
        deviation: Some(us(31)),
    };
    let probe = |time_ms, interface, sequence, round_trip| Probe {
        record: record(interface, sequence, round_trip),
        time_ms,
    };
    let mut arp = probe(100_000, "eth0", 7, None);
    arp.record.method = Method::Neighbour;
    let all = [
        probe(99_680, "eth0", 41, Some(550)),
        arp,
        probe(101_070, "eth1", 40, None),
        probe(101_070, "eth9", 3, None),
    ];
    let rows = probes(&all, |name| name != "eth9", 100_000, &mut Names::new(true));
    let expected = "\
TIME      INTERFACE   PROBE  NETRTT    RTT       RTTAVG    TARGET
-0.32s    eth0        41     0.55ms    0.55ms    0.60ms    192.0.2.1
1.07s     eth1        40     --        --        0.61ms    192.0.2.1
";
    assert_eq!(table(PROBES, &Choice::Fitting, &rows), expected);
    assert!(table(PROBES, &Choice::All, &rows).starts_with(
        "TIME      INTERFACE   PROBE  NETRTT    RTT       RTTAVG    TARGET              RTTDEV\n"
    ));
}

#[test]
fn a_name_is_looked_for_once_and_an_address_without_one_is_itself() {
    let mut names = Names::new(false);
    names.known.insert("192.0.2.1".parse().unwrap(), "gate".to_owned());
    assert_eq!(names.of("192.0.2.1".parse().unwrap()), "gate");
    assert_eq!(Names::new(true).of("192.0.2.1".parse().unwrap()), "192.0.2.1");
}
