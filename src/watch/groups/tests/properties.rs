//! What holds whatever happens.

use ipnet::IpNet;
use proptest::prelude::*;

use super::world::*;
use crate::interface::{Interface, InterfaceIndex, MacAddress};
use crate::watch::plan;
use crate::watch::{GroupState, Link, MemberState};

const NAMES: [&str; 4] = ["a", "b", "s", "t"];

/// Something that happens to the host.
#[derive(Debug, Clone)]
enum Happening {
    Cut(usize, bool),
    Carrier(usize, bool),
    Router(bool),
    Offline(usize, bool),
    Neighbours(bool),
    Routes(bool),
    Vanish(usize),
    Return(usize),
    /// Gets another's hardware address.
    Impostor(usize, usize),
    Address(usize, bool),
    Restart,
    FailBack,
    Pass(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let member = 0..NAMES.len();
    prop_oneof![
        3 => (member.clone(), any::<bool>()).prop_map(|(member, on)| Happening::Cut(member, on)),
        3 => (member.clone(), any::<bool>()).prop_map(|(member, on)| Happening::Carrier(member, on)),
        1 => any::<bool>().prop_map(Happening::Router),
        1 => (member.clone(), any::<bool>()).prop_map(|(member, on)| Happening::Offline(member, on)),
        1 => member.clone().prop_map(Happening::Vanish),
        1 => member.clone().prop_map(Happening::Return),
        1 => (member.clone(), member.clone()).prop_map(|(one, other)| Happening::Impostor(one, other)),
        1 => (member, any::<bool>()).prop_map(|(member, on)| Happening::Address(member, on)),
        1 => any::<bool>().prop_map(Happening::Neighbours),
        1 => any::<bool>().prop_map(Happening::Routes),
        1 => Just(Happening::Restart),
        1 => Just(Happening::FailBack),
        8 => (1_u64..30_000).prop_map(Happening::Pass),
    ]
}

fn world(seed: u8, failback: bool) -> World {
    let mut setup = Setup::new(&["a", "b"], &["s", "t"]);
    setup.seed = seed;
    setup.group().failback = failback;
    setup.start()
}

fn happen(world: &mut World, happening: &Happening) {
    match happening {
        Happening::Cut(member, cut) => world.cut(NAMES[*member], *cut),
        Happening::Carrier(member, carrier) => change(world, *member, |one| one.carrier = *carrier),
        Happening::Vanish(member) => {
            world.interfaces.retain(|interface| interface.name != NAMES[*member]);
            world.show_interfaces();
        }
        Happening::Return(member) => come_back(world, *member),
        Happening::Impostor(member, other) => {
            let mac = MacAddress([2, 0, 0, 0, 0, u8::try_from(*other).unwrap()]);
            change(world, *member, |one| one.mac = Some(mac));
        }
        Happening::Address(member, there) => {
            let own = address(IpNet::new(v4(11 + u8::try_from(*member).unwrap()), 32).unwrap());
            change(world, *member, |one| {
                one.addresses.retain(|address| *address != own);
                one.addresses.extend(there.then_some(own));
            });
        }
        Happening::Router(alive) => world.host(ROUTER).alive = *alive,
        Happening::Offline(member, offline) => world.set_offline(NAMES[*member], *offline),
        Happening::Neighbours(some) => {
            world.neighbours = if *some { vec![v4(99), ROUTER] } else { Vec::new() };
        }
        Happening::Routes(there) => {
            let over = world.interfaces.first().filter(|_| *there).map(|one| route(one.index, ROUTER));
            world.routes = over.into_iter().collect();
            world.show_routes();
        }
        Happening::Restart => world.restart(),
        Happening::FailBack => world.fail_back(),
        Happening::Pass(time) => world.run(ms(*time)),
    }
}

fn change(world: &mut World, member: usize, change: impl FnOnce(&mut Interface)) {
    if let Some(interface) = world.interfaces.iter_mut().find(|one| one.name == NAMES[member]) {
        change(interface);
    }
    world.show_interfaces();
}

/// Another interface of the same name, if it had gone.
fn come_back(world: &mut World, member: usize) {
    if world.interfaces.iter().any(|interface| interface.name == NAMES[member]) {
        return;
    }
    let highest = world.interfaces.iter().map(|interface| interface.index.0).max();
    let mut interface = Setup::new(&NAMES, &[]).interfaces.swap_remove(member);
    interface.index = InterfaceIndex(highest.unwrap_or(90) + 1);
    world.interfaces.push(interface);
    world.show_interfaces();
}

/// While anybody works somebody is active, and only who is active stands in.
fn check(world: &World) {
    let group = world.group();
    if group.state == GroupState::Failed {
        return;
    }
    assert!(group.members.iter().any(|member| member.active), "{}", world.text());
    for (name, place) in &world.watch.plan().members {
        let member = world.member(name);
        match place {
            plan::Member::StandIn(by) => {
                let by = world.member(by);
                assert!(by.active && by.interface != *name, "{name}: {}", world.text());
                assert!(!member.active, "{name}: {}", world.text());
            }
            plan::Member::Home => {
                // After a failure of the whole group who is answered again is about to be repaired.
                let is_answered = world.targets(name).iter().any(|target| target.good > 0);
                assert!(member.state != MemberState::Failed || is_answered, "{name}: {}", world.text());
                assert_ne!(member.state, MemberState::Offline, "{name}: {}", world.text());
            }
            plan::Member::Undecided => {
                let is_new = member.link == Link::Unknown;
                assert!(is_new || member.state == MemberState::Failed, "{name}: {}", world.text());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn nobody_stands_in_who_does_not_work_while_another_does(
        seed in 1_u8..200,
        failback: bool,
        happenings in prop::collection::vec(happening(), 1..40),
    ) {
        let mut world = world(seed, failback);
        for one in &happenings {
            happen(&mut world, one);
            check(&world);
        }
    }

    #[test]
    fn when_all_faults_end_all_members_work_and_traffic_is_home(
        seed in 1_u8..200,
        happenings in prop::collection::vec(happening(), 1..40),
    ) {
        let mut world = world(seed, true);
        happenings.iter().for_each(|one| happen(&mut world, one));
        for (member, name) in NAMES.iter().enumerate() {
            come_back(&mut world, member);
            world.cut(name, false);
            world.set_offline(name, false);
            for cure in [
                Happening::Impostor(member, member),
                Happening::Address(member, true),
                Happening::Carrier(member, true),
            ] {
                happen(&mut world, &cure);
            }
        }
        happen(&mut world, &Happening::Router(true));
        happen(&mut world, &Happening::Routes(true));
        world.run(s(150));
        prop_assert_eq!(world.group_state(), GroupState::Ok, "{}", world.text());
        prop_assert_eq!(world.moved(), "", "{}", world.text());
        let active: Vec<&str> = NAMES.into_iter().filter(|name| world.is_active(name)).collect();
        prop_assert_eq!(active, ["a", "b"], "{}", world.text());
    }

    #[test]
    fn the_same_inputs_have_the_same_outputs(
        seed in 1_u8..200,
        happenings in prop::collection::vec(happening(), 1..20),
    ) {
        let mut worlds = [world(seed, true), world(seed, true)];
        for one in &happenings {
            worlds.iter_mut().for_each(|world| happen(world, one));
        }
        let [one, other] = worlds;
        prop_assert_eq!(&one.probes, &other.probes);
        prop_assert_eq!(&one.notices, &other.notices);
        prop_assert_eq!(&one.plans, &other.plans);
        prop_assert_eq!(one.outputs, other.outputs);
    }

    #[test]
    fn nothing_moves_when_all_targets_die(
        seed in 1_u8..200,
        routers in 1_u8..8,
        delay in 0_u64..700,
        before in 0_u64..90_000,
        lost in prop::option::of(0_usize..4),
    ) {
        let mut setup = Setup::new(&["a", "b"], &["s", "t"]);
        setup.seed = seed;
        (1..routers).for_each(|n| setup.router(v4(200 + n), 0));
        setup.hosts.values_mut().for_each(|host| host.delay = ms(delay));
        let mut world = setup.start();
        lost.into_iter().for_each(|member| world.set_carrier(NAMES[member], false));
        world.run(ms(before));
        let plan = world.watch.plan().clone();
        world.hosts.values_mut().for_each(|host| host.alive = false);
        world.run(s(200));
        prop_assert_eq!(world.watch.plan(), &plan, "{}", world.text());
        prop_assert_eq!(world.group_state(), GroupState::Failed);
        prop_assert_eq!(world.told(EventName::GroupFailed), 1);
    }

    #[test]
    fn one_fault_is_one_verdict_and_one_move(seed in 1_u8..200, member in 0_usize..4, silent: bool) {
        let mut world = world(seed, true);
        world.run(s(20));
        let plans = world.plans.len();
        if silent {
            world.cut(NAMES[member], true);
        } else {
            world.set_carrier(NAMES[member], false);
        }
        world.run(s(60));
        prop_assert_eq!(world.told(EventName::InterfaceFailed), 1);
        prop_assert_eq!(world.plans.len(), plans + 1, "{}", world.text());
        world.cut(NAMES[member], false);
        world.set_carrier(NAMES[member], true);
        world.run(s(60));
        prop_assert_eq!(world.told(EventName::InterfaceRepaired), 1);
        prop_assert_eq!(world.plans.len(), plans + 2, "{}", world.text());
        prop_assert_eq!(world.moved(), "");
    }
}
