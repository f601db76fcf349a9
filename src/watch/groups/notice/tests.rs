//! How each event reads.

use super::*;
use Level::{Debug, Error, Info, Warn};

#[test]
fn each_event_is_one_line_and_has_its_level() {
    let interface = || "eth1".to_owned();
    let other = || "eth0".to_owned();
    let group = || "lan0".to_owned();
    let address: IpAddr = "10.0.0.7".parse().unwrap();
    let second = Duration::from_secs(1);
    let failed = |cause, losses, silent| Notice::InterfaceFailed {
        interface: interface(),
        group: group(),
        cause,
        losses,
        silent,
    };
    let repaired =
        |group, proof, active| Notice::InterfaceRepaired { interface: interface(), group, proof, active };
    let spare = |standby| Notice::SpareActivated { interface: interface(), group: group(), standby };
    let stood_in = |mute| Notice::StoodIn { interface: interface(), group: group(), by: other(), mute };
    let skipped = |slow| Notice::TargetLeftOut { interface: interface(), target: address, slow };
    for (notice, level, line) in [
        (Notice::LinkDown { interface: interface() }, Warn, "interface-down interface=eth1"),
        (Notice::LinkUp { interface: interface() }, Info, "interface-up interface=eth1"),
        (
            failed(Failure::NoReply, 5, Some(Duration::from_millis(7140))),
            Warn,
            "interface-failed interface=eth1 group=lan0 cause=no-answer losses=5 silent=7.14s",
        ),
        (failed(Failure::Link, 0, None), Warn, "interface-failed interface=eth1 group=lan0 cause=no-carrier"),
        (failed(Failure::Gone, 0, None), Warn, "interface-failed interface=eth1 group=lan0 cause=absent"),
        (
            repaired(String::new(), Proof::Answers, true),
            Info,
            "interface-repaired interface=eth1 group=- cause=answers active=true",
        ),
        (
            repaired(group(), Proof::Link, false),
            Info,
            "interface-repaired interface=eth1 group=lan0 cause=carrier active=false",
        ),
        (
            Notice::GroupFailed { group: group(), members: 2, with_link: 1 },
            Error,
            "group-failed group=lan0 members=2 links-up=1 action=\"nothing is moved\" fix=\"if the links are up, check the targets\"",
        ),
        (Notice::GroupUsable { group: group(), all: false }, Info, "group-degraded group=lan0"),
        (Notice::GroupUsable { group: group(), all: true }, Info, "group-ok group=lan0"),
        (spare(true), Info, "standby-activated interface=eth1 group=lan0"),
        (spare(false), Info, "interface-activated interface=eth1 group=lan0"),
        (
            Notice::StandbyReleased { interface: interface(), group: group() },
            Info,
            "standby-deactivated interface=eth1 group=lan0",
        ),
        (stood_in(false), Info, "group-failover interface=eth1 group=lan0 to=eth0"),
        (
            stood_in(true),
            Warn,
            "group-failover interface=eth1 group=lan0 to=eth0 cause=\"the active member has no address for replies\" fix=\"give it an address in the subnet\"",
        ),
        (
            Notice::StandInEnded { interface: interface(), group: group() },
            Info,
            "group-failback interface=eth1 group=lan0",
        ),
        (
            Notice::InterfaceOffline { interface: interface(), group: group() },
            Info,
            "interface-offline interface=eth1 group=lan0",
        ),
        (
            Notice::InterfaceOnline { interface: interface(), group: group(), failed: false },
            Info,
            "interface-online interface=eth1 group=lan0 failed=false",
        ),
        (
            Notice::LinkHeld { interface: interface(), group: group(), wait: second * 60 },
            Warn,
            "link-flapping interface=eth1 group=lan0 wait=60s cause=\"it came up more than twice in a minute\"",
        ),
        (
            Notice::TestAddressShared { group: group(), address, interfaces: vec![other(), interface()] },
            Warn,
            "duplicate-test-address address=10.0.0.7 group=lan0 interfaces=eth0,eth1 action=\"not probing from it\"",
        ),
        (
            Notice::TestAddressUnique { group: group(), address },
            Info,
            "duplicate-test-address-cleared address=10.0.0.7 group=lan0",
        ),
        (
            Notice::TestAddressDeprecated { interface: interface(), prefix: "10.0.0.7/24".parse().unwrap() },
            Warn,
            "test-address-deprecated interface=eth1 address=10.0.0.7/24 cause=\"Linux ignores the deprecated flag for IPv4 and may use it as a source\" fix=\"use 10.0.0.7/32 noprefixroute scope link; faild adds it if it is missing\"",
        ),
        (
            Notice::TestAddressMissing { interface: interface(), group: group() },
            Info,
            "test-address-missing interface=eth1 group=lan0 action=\"judging it by its link alone\"",
        ),
        (
            Notice::TestAddressFound { interface: interface(), group: String::new() },
            Info,
            "test-address-found interface=eth1 group=-",
        ),
        (
            Notice::MacDuplicate {
                interface: interface(),
                group: group(),
                other: other(),
                mac: MacAddress([2, 0, 0, 0, 0, 9]),
            },
            Warn,
            "duplicate-mac interface=eth1 group=lan0 other=eth0 mac=02:00:00:00:00:09 action=\"taking it offline until its address is unique\"",
        ),
        (
            Notice::MacUnique { interface: interface(), group: group() },
            Info,
            "duplicate-mac-cleared interface=eth1 group=lan0",
        ),
        (
            Notice::DetectionRaised {
                group: group(),
                interface: interface(),
                family: Family::V6,
                configured: second * 10,
                time: second * 28,
            },
            Info,
            "detection-time-raised group=lan0 interface=eth1 family=ipv6 time=28.00s configured=10.00s",
        ),
        (
            Notice::DetectionLowered { group: group(), time: second * 10 },
            Info,
            "detection-time-lowered group=lan0 time=10.00s",
        ),
        (skipped(true), Debug, "target-skipped interface=eth1 target=10.0.0.7 cause=slow"),
        (skipped(false), Debug, "target-skipped interface=eth1 target=10.0.0.7 cause=no-answer"),
    ] {
        assert_eq!((notice.level(), notice.to_string().as_str()), (level, line));
    }
}
