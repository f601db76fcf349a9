//! The kernel is asked whether it does as was decided.

use super::*;

fn rules(answer: Result<Answer, Refusal>) -> Rig {
    let mut rig = uplinks("0.0.0.0/0", FAMILIES[0].1);
    rig.answers = Some(answer);
    rig.lead("0.0.0.0/0", &[AWAY]);
    rig.wait(Duration::from_secs(2));
    rig
}

/// What the kernel does instead of what was decided, as each notice of it says.
fn decided(rig: &mut Rig) -> Vec<String> {
    let kernel = |notice| {
        let Notice::RouteOverridden { kernel, .. } = notice else { return None };
        Some(kernel)
    };
    rig.take_notices().into_iter().filter_map(kernel).collect()
}

fn leaves(interface: InterfaceIndex, gateway: &str, table: u32) -> Answer {
    Answer { kind: RouteType::Unicast, interface: Some(interface), gateway: Some(ip(gateway)), table }
}

#[test]
fn a_kernel_that_does_otherwise_is_told_of_once_and_once_that_it_no_longer_does() {
    let mut rig = rules(Ok(leaves(ETH0, "10.0.0.9", 200)));
    let told = rig.told(&[EventName::RouteOverridden]);
    let [Notice::RouteOverridden { by, asked, kernel, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!((by.as_str(), *asked), ("10.1.0.9%eth1", ip("192.0.2.1")));
    assert_eq!(kernel, "via 10.0.0.9 dev eth0 table 200");
    let found = rig.core.watched().routes[0].overridden.clone().unwrap();
    assert_eq!((found.kernel.as_str(), found.is_excluded), ("via 10.0.0.9 dev eth0 table 200", false));
    rig.wait(Duration::from_secs(120));
    assert_eq!(rig.take_notices(), []);
    // Rules change without a word; the slow timer finds out.
    rig.answers = None;
    rig.wait(Duration::from_secs(11));
    assert_eq!(rig.told(&[EventName::RouteOverriddenCleared]).len(), 1);
    assert_eq!(rig.core.watched().routes[0].overridden, None);
}

#[test]
fn what_refuses_is_named_by_its_route_or_by_what_the_kernel_says() {
    let refuses = Refusal::new(nix::errno::Errno::EACCES, "Permission denied");
    let mut rig = rules(Err(refuses));
    assert_eq!(decided(&mut rig), ["prohibit"]);
    let mut rig = uplinks("0.0.0.0/0", FAMILIES[0].1);
    rig.add(&refusing(RouteType::Unreachable, "0.0.0.0/0", 10));
    rig.wait(Duration::from_secs(2));
    assert_eq!(decided(&mut rig), ["unreachable default metric 10"]);
}

#[test]
fn an_answer_that_passes_is_no_news() {
    let mut rig = rules(Ok(leaves(ETH1, "10.1.0.9", 254)));
    rig.answers = Some(Ok(leaves(ETH0, "10.0.0.9", 254)));
    rig.add(&route("198.51.100.0/24", "10.0.0.9", ETH0, 0));
    rig.wait(Duration::from_millis(300));
    rig.answers = None;
    rig.add(&route("198.51.101.0/24", "10.0.0.9", ETH0, 0));
    rig.wait(Duration::from_secs(30));
    assert_eq!(rig.told(&[EventName::RouteOverridden]), []);
}

#[test]
fn a_vpn_on_an_excluded_interface_is_told_of_and_no_fault() {
    let mut rig = vpn(50);
    rig.lead("0.0.0.0/0", &[HOME]);
    rig.wait(Duration::from_secs(2));
    let told = rig.told(&[EventName::RouteOverridden]);
    assert!(
        matches!(&told[..], [Notice::RouteOverridden { kernel, is_excluded: true, .. }] if kernel == "dev tun0 table main"),
        "{told:?}"
    );
    assert!(rig.core.watched().routes[0].overridden.as_ref().unwrap().is_excluded);
}

#[test]
fn it_is_asked_for_what_no_other_route_leads_to_and_first_for_a_target() {
    let mut rig = uplinks("0.0.0.0/0", FAMILIES[0].1);
    rig.watch.targets.insert(rig::destination("0.0.0.0/0"), vec![ip("198.51.100.7"), ip("203.0.113.9")]);
    rig.add(&route("198.51.100.0/24", "10.2.0.9", InterfaceIndex(4), 0));
    rig.answers = Some(Ok(leaves(ETH0, "10.0.0.8", 254)));
    rig.lead("0.0.0.0/0", &[AWAY]);
    rig.wait(Duration::from_secs(2));
    let told = rig.told(&[EventName::RouteOverridden]);
    let [Notice::RouteOverridden { asked, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(*asked, ip("203.0.113.9"));
}

#[test]
fn a_more_specific_route_of_ours_is_no_reason_for_an_alarm() {
    let mut rig = uplinks("0.0.0.0/0", FAMILIES[0].1);
    // The first address of both that would be asked for is the same.
    rig.lead("172.16.0.0/24", &[AWAY]);
    rig.lead("172.16.0.0/12", &[HOME]);
    // A target of one lies in another, or is a host that is led elsewhere.
    let targets = vec![ip("172.16.0.7"), ip("10.0.0.7")];
    rig.watch.targets.insert(rig::destination("0.0.0.0/0"), targets);
    rig.detour("eth0", "10.0.0.7", "eth1", "10.1.0.2");
    rig.lead("0.0.0.0/0", &[HOME]);
    rig.wait(Duration::from_secs(30));
    assert_eq!(rig.told(&[EventName::RouteOverridden]), []);
}

#[test]
fn while_all_interfaces_of_a_destination_are_down_the_kernel_is_not_asked() {
    let mut rig = Rig::watching(&["eth0", "eth1", "eth2"]);
    rig.lead("198.51.100.0/24", &[HOME]);
    rig.wait(Duration::from_secs(2));
    rig.event(|kernel| kernel.set_up(ETH0, false));
    rig.wait(Duration::from_secs(30));
    assert_eq!(rig.told(&[EventName::RouteOverridden]), []);
    // It is asked again as soon as one is up.
    rig.answers = Some(Ok(leaves(ETH1, "10.1.0.9", 200)));
    rig.event(|kernel| kernel.set_up(ETH0, true));
    rig.wait(Duration::from_secs(12));
    assert_eq!(rig.told(&[EventName::RouteOverridden]).len(), 1);
}

#[test]
fn of_a_destination_that_is_left_to_another_program_the_kernel_is_not_asked() {
    let mut rig = uplinks("0.0.0.0/0", FAMILIES[0].1);
    rig.lead("0.0.0.0/0", &[AWAY]);
    rig.wait(Duration::from_secs(2));
    let other = Route { protocol: 186, ..route("0.0.0.0/0", HOME.0, ETH0, 20) };
    rig.add(&other);
    rig.wait(Duration::from_secs(30));
    let told = rig.told(&[EventName::RouteSkipped, EventName::RouteOverridden]);
    assert!(matches!(told[..], [Notice::DestinationLeftAlone { .. }]), "{told:?}");
}
