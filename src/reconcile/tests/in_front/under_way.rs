//! What comes between reading of the kernel and acting on it.

use super::*;

/// The second way's interface, made again while the overlay by the first one was on its way to the kernel.
fn made_again(rig: &mut Rig, destination: &str, via: [&str; 2], switch: Option<&Route>) {
    rig.want(destination, &[(via[1], "eth1")]);
    rig.stall(Duration::from_secs(3), |kernel| {
        let mut told = kernel.delete_interface(ETH1);
        told.extend(kernel.add_interface(interface(NEW_ETH1, "eth1", &["10.1.0.1/24", "fd01::1/64"])));
        let second = route(destination, via[1], NEW_ETH1, 200);
        for route in [&second].into_iter().chain(switch) {
            told.extend(kernel.add_route(route, Insert::Exclusive).unwrap());
        }
        told
    });
}

const NEW_ETH1: InterfaceIndex = InterfaceIndex(13);

#[test]
fn an_overlay_does_not_wait_for_an_interface_that_is_there_under_another_number() {
    for (destination, via, target) in FAMILIES {
        let mut rig = uplinks(destination, via);
        made_again(&mut rig, destination, via, None);
        assert_eq!(rig.kernel.lookup(&ip(target)).unwrap().protocol, PROTOCOL);
        assert_eq!(rig.core.troubles(), []);
    }
}

#[test]
fn an_overlay_that_a_kill_switch_kept_out_stands_when_that_is_gone_whatever_was_refused_before() {
    for (destination, via, target) in FAMILIES {
        let mut rig = uplinks(destination, via);
        let switch = refusing(RouteType::Unreachable, destination, 99);
        made_again(&mut rig, destination, via, Some(&switch));
        assert_eq!(rig.own(), NEVER);
        rig.delete(&switch);
        assert_eq!(rig.kernel.lookup(&ip(target)).unwrap().protocol, PROTOCOL);
        assert_eq!(rig.core.troubles(), []);
    }
}

/// What may happen next, in any order.
const STEPS: [fn(&mut Rig, &Route); 3] = [
    |rig, switch| {
        let equal = rig.kernel.routes().at(&switch.key).first().map(|route| route.protocol);
        match equal {
            None => rig.unheard(|kernel| kernel.add_route(switch, Insert::Exclusive).unwrap()),
            // The administrator insists.
            Some(PROTOCOL) => rig.unheard(|kernel| kernel.add_route(switch, Insert::Replace).unwrap()),
            Some(_) => rig.unheard(|kernel| kernel.delete_route(switch).unwrap()),
        }
    },
    |rig, _| rig.step(false),
    |rig, _| rig.step(true),
];

const MOST_STEPS: u32 = 6;

#[test]
fn a_kill_switch_comes_and_goes_between_all_that_is_read_and_done() {
    for order in 0..3_usize.pow(MOST_STEPS) {
        let steps: Vec<usize> = (0..MOST_STEPS).map(|at| order / 3_usize.pow(at) % 3).collect();
        let changes = steps.iter().filter(|step| **step == 0).count();
        // Each further pair of changes repeats what two of them play.
        if !(1..=3).contains(&changes) {
            continue;
        }
        let (destination, via, target) = FAMILIES[order % 2];
        let mut rig = uplinks(destination, via);
        let switch = refusing(RouteType::Unreachable, destination, 99);
        rig.waits_its_turn = true;
        rig.want(destination, &[(via[1], "eth1")]);
        for step in &steps {
            STEPS[*step](&mut rig, &switch);
            let decides = rig.kernel.lookup(&ip(target)).unwrap();
            let stands = rig.kernel.routes().at(&switch.key).iter().any(|r| r.is_same(&switch));
            assert!(!stands || decides.is_same(&switch), "{steps:?}: {decides:?}");
        }
        rig.settle();
        rig.wait(Duration::from_millis(2100));
        let decides = rig.kernel.lookup(&ip(target)).unwrap();
        if rig.kernel.routes().at(&switch.key).iter().any(|r| r.is_same(&switch)) {
            assert!(decides.is_same(&switch), "{steps:?}: {decides:?}");
            rig.delete(&switch);
            let decides = rig.kernel.lookup(&ip(target)).unwrap();
            assert_eq!(decides.protocol, PROTOCOL, "{steps:?}: {:?}", rig.core.troubles());
        } else {
            assert_eq!(decides.protocol, PROTOCOL, "{steps:?}: {:?}", rig.core.troubles());
        }
    }
}

/// Each: what is led, its original if there is one, and a kill switch that others put in its way.
fn in_its_way() -> [(&'static str, Option<Route>, Route, Insert); 5] {
    let original = |metric| Some(route("203.0.113.0/24", HOME.0, ETH0, metric));
    let led = "203.0.113.0/24";
    [
        (led, None, prohibit(led, 4000), Insert::Exclusive),
        (led, None, prohibit("203.0.0.0/16", 10), Insert::Exclusive),
        (led, original(100), prohibit(led, 99), Insert::Exclusive),
        (led, original(0), prohibit(led, 0), Insert::Replace),
        (led, original(0), prohibit(led, 0), Insert::Prepend),
    ]
}

#[test]
fn an_overlay_that_is_not_laid_yet_passes_no_kill_switch_that_was_read_of_in_the_meantime() {
    for (led, original, switch, insert) in in_its_way() {
        let text = format!("{} {insert:?}", route_text(&switch));
        let mut rig = Rig::watching(&["eth0", "eth1", "eth2"]);
        original.iter().for_each(|original| rig.add(original));
        rig.waits_its_turn = true;
        rig.want(led, &[AWAY]);
        rig.want("198.51.100.0/24", &[AWAY]);
        rig.unheard(|kernel| kernel.add_route(&switch, insert).unwrap());
        rig.step(false);
        for _ in 0..4 {
            rig.step(true);
            assert!(
                rig.kernel.lookup(&ip("203.0.113.1")).unwrap().is_same(&switch),
                "{text}: {:?}",
                rig.own()
            );
        }
        rig.settle();
        rig.wait(SECOND);
        assert!(rig.kernel.lookup(&ip("203.0.113.1")).unwrap().is_same(&switch), "{text}: {:?}", rig.own());
        assert_eq!(rig.own().len(), 1, "the other is laid: {text}");
        rig.delete(&switch);
        rig.wait(SECOND);
        assert_eq!(rig.own().len(), 2, "{text}: {:?}", rig.own());
    }
}

#[test]
fn an_overlay_stays_if_the_route_that_serves_in_its_place_goes_before_it_is_lifted() {
    let mut rig = uplinks("0.0.0.0/0", FAMILIES[0].1);
    rig.lead("0.0.0.0/0", &[AWAY]);
    rig.delete(&route("0.0.0.0/0", HOME.0, ETH0, 100));
    rig.waits_its_turn = true;
    let back = route("0.0.0.0/0", HOME.0, ETH0, 100);
    rig.unheard(|kernel| kernel.add_route(&back, Insert::Exclusive).unwrap());
    rig.step(false);
    rig.want("0.0.0.0/0", &[HOME]);
    rig.unheard(|kernel| kernel.delete_route(&back).unwrap());
    rig.want("0.0.0.0/0", &[AWAY]);
    rig.step(false);
    rig.take_operations();
    rig.settle();
    rig.wait(SECOND);
    assert_eq!((rig.gateway_to("203.0.113.1"), rig.take_operations()), (Some(ip(AWAY.0)), Vec::new()));
}

#[test]
fn more_routes_of_ours_in_one_group_than_a_batch_holds_are_lifted_in_turn() {
    let mut kernel = kernel();
    for metric in 1..=150 {
        let own = Route { protocol: PROTOCOL, ..route("203.0.113.0/24", AWAY.0, ETH1, metric) };
        kernel.add_route(&own, Insert::Exclusive).unwrap();
    }
    let mut rig = Rig::watching_with(kernel, &["eth0", "eth1", "eth2"]);
    rig.waits_its_turn = true;
    rig.add(&route("203.0.113.0/24", HOME.0, ETH0, 1000));
    rig.lead("203.0.113.0/24", &[HOME]);
    assert_eq!(rig.own(), NEVER);
}

/// The destinations that are looked at again because of a route of others, told while a batch is under way.
fn looked_at_again(rig: &Rig, route: Route) -> BTreeSet<IpNet> {
    let mut core = rig.core.clone();
    core.work.on_submitted(&crate::reconcile::Batch::default());
    core.handle(rig.now, Input::RouteAdded(route));
    std::iter::from_fn(|| core.work.next_group()).map(|group| group.destination).collect()
}

#[test]
fn only_overlays_within_a_refused_prefix_are_looked_at_again() {
    let hosts = ["10.0.0.2", "10.0.0.3", "10.0.0.130", "fd00::2", "fd00::3"];
    let prefix = |text: &str| text.parse::<IpNet>().unwrap();
    for (refused, concerned) in [
        ("10.0.0.2/32", vec!["10.0.0.2/32"]),
        ("10.0.0.0/30", vec!["10.0.0.2/32", "10.0.0.3/32"]),
        ("10.0.0.128/25", vec!["10.0.0.130/32"]),
        ("10.0.0.77/32", vec![]),
        ("198.51.100.0/24", vec![]),
        ("0.0.0.0/0", vec!["10.0.0.2/32", "10.0.0.3/32", "10.0.0.130/32"]),
        ("fd00::3/128", vec!["fd00::3/128"]),
        ("::/0", vec!["fd00::2/128", "fd00::3/128"]),
    ] {
        // What stands is looked at, and what is kept out.
        for is_kept_out in [false, true] {
            let mut rig = Rig::new();
            if is_kept_out {
                rig.add(&prohibit("10.0.0.0/25", 4000));
                rig.add(&prohibit("10.0.0.128/26", 4000));
                rig.add(&prohibit("fd00::/65", 4000));
            }
            for host in hosts {
                let away = if host.contains(':') { "fd01::9" } else { "10.1.0.9" };
                rig.detour("eth0", host, "eth1", away);
            }
            assert_eq!(rig.own().is_empty(), is_kept_out);
            for kind in [RouteType::Blackhole, RouteType::Throw] {
                let marked = looked_at_again(&rig, refusing(kind, refused, 4000));
                let groups: BTreeSet<IpNet> =
                    concerned.iter().copied().chain([refused]).map(prefix).collect();
                assert_eq!(marked, groups, "{refused}, kept out: {is_kept_out}");
            }
        }
    }
}
