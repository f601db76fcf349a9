//! LANs that a default route leaves by, and that nobody named.

use std::time::Duration;

use super::rig::{ETH0, ETH1, Rig, interface, kernel, route, settings};
use crate::interface::InterfaceIndex;
use crate::reconcile::{Notice, Settings};

fn warned(rig: &mut Rig) -> Vec<String> {
    let interface = |notice| {
        let Notice::DefaultRouteOnLan { interface } = notice else { return None };
        Some(interface)
    };
    rig.take_notices().into_iter().filter_map(interface).collect()
}

#[test]
fn each_lan_with_a_default_route_is_told_once() {
    let mut kernel = kernel();
    let standing = route("0.0.0.0/0", "10.0.0.9", ETH0, 100);
    kernel.add_route(&standing, crate::reconcile::mirror::Insert::Exclusive).unwrap();
    let mut rig = Rig::with_kernel(kernel);
    assert_eq!(warned(&mut rig), ["eth0"]);
    rig.add(&route("::/0", "fd00::9", ETH0, 100));
    rig.delete(&standing);
    rig.add(&standing);
    assert_eq!(warned(&mut rig), [""; 0]);
    rig.add(&route("::/0", "fd01::9", ETH1, 200));
    assert_eq!(warned(&mut rig), ["eth1"]);
}

#[test]
fn an_interface_that_becomes_a_lan_later_is_told_too() {
    let mut rig = Rig::new();
    let late = InterfaceIndex(9);
    rig.event(|kernel| kernel.add_interface(interface(late, "wan7", &["192.0.2.7/24"])));
    rig.add(&route("0.0.0.0/0", "192.0.2.1", late, 0));
    assert_eq!(warned(&mut rig), [""; 0]);
    rig.plan.lans.push("wan7".to_owned());
    rig.hand_in_plan();
    rig.wait(Duration::from_secs(1));
    assert_eq!(warned(&mut rig), ["wan7"]);
}

#[test]
fn lans_that_were_named_are_meant() {
    let mut rig = Rig::with_settings(kernel(), Settings { lans_named: true, ..settings() });
    rig.add(&route("0.0.0.0/0", "10.0.0.9", ETH0, 100));
    assert_eq!(warned(&mut rig), [""; 0]);
}
