//! What the monitor hears.

use std::time::Duration;

use faild::kernel::{Event, Kernel, Monitor, RECEIVE_BUFFER, Rest};
use faild::operation::Operation;
use mio::{Events, Interest, Poll, Token};

use crate::world::{World, add, address, in_world, ip};

#[test]
fn changes_of_others_are_heard() {
    in_world(|world| {
        let mut monitor = monitor(world);
        ip("route add 10.90.0.0/24 via 10.1.0.2 proto static");
        let heard = routes(&mut monitor);
        let [Event::RouteAdded(route)] = heard.as_slice() else { panic!("{heard:?}") };
        assert_eq!((route.key.destination.to_string().as_str(), route.protocol), ("10.90.0.0/24", 4));
        ip("-6 route add fd90::/64 via fd00:1::2");
        assert!(matches!(routes(&mut monitor).as_slice(), [Event::RouteAdded(_)]));
        ip("route del 10.90.0.0/24");
        assert!(matches!(routes(&mut monitor).as_slice(), [Event::RouteDeleted(_)]));
        ip("addr add 10.1.0.9/24 dev lanA");
        ip("addr add 10.1.0.8/24 dev lanA");
        let heard = read(&mut monitor);
        assert_eq!(heard.iter().filter(|event| **event == Event::Addresses).count(), 1);
        ip("link set lanA mtu 1400");
        ip("link set lanB mtu 1400");
        let heard = read(&mut monitor);
        assert_eq!(heard.iter().filter(|event| **event == Event::Links).count(), 1);
    });
}

#[test]
fn interface_that_went_down_is_told_though_it_is_up_again() {
    in_world(|world| {
        let [a, b, far_a, far_b] = ["lanA", "lanB", "farA", "farB"].map(|name| world.index(name));
        ip("link add br0 type bridge");
        ip("link set farB master br0");
        let mut monitor = monitor(world);
        ip("link set lanA down");
        ip("link set lanA up");
        assert!(read(&mut monitor).contains(&Event::WentDown(a)));
        ip("link set farB nomaster");
        ip("link set farA down");
        let heard = read(&mut monitor);
        assert!(heard.contains(&Event::WentDown(far_a)), "{heard:?}");
        assert!(!heard.contains(&Event::WentDown(far_b)), "{heard:?}");
        ip("link del farB");
        assert!(read(&mut monitor).contains(&Event::WentDown(b)));
    });
}

#[test]
fn own_route_changes_are_left_out_and_own_addresses_are_not() {
    in_world(|world| {
        let mut monitor = monitor(world);
        let overlay = world.route("10.91.0.0/24", "10.2.0.2", "lanB");
        world.apply(add(&overlay)).unwrap();
        world.apply(Operation::DeleteRoute(overlay)).unwrap();
        assert_eq!(routes(&mut monitor), []);
        let interface = world.index("lo");
        world.apply(Operation::AddAddress { interface, address: address("10.91.1.1/32") }).unwrap();
        assert!(read(&mut monitor).contains(&Event::Addresses));
    });
}

#[test]
fn foreign_flush_of_our_overlay_is_heard() {
    in_world(|world| {
        let mut monitor = monitor(world);
        let overlay = world.route("10.92.0.0/24", "10.2.0.2", "lanB");
        world.apply(add(&overlay)).unwrap();
        ip("route flush proto 250");
        let heard = routes(&mut monitor);
        let [Event::RouteDeleted(route)] = heard.as_slice() else { panic!("{heard:?}") };
        assert_eq!((route.key, &route.legs), (overlay.key, &overlay.legs));
    });
}

#[test]
fn budget_bounds_a_read_and_the_rest_is_told() {
    in_world(|world| {
        let mut monitor = monitor(world);
        for n in 0..10 {
            ip(&format!("route add 10.93.{n}.0/24 via 10.1.0.2"));
        }
        let mut events = Vec::new();
        assert_eq!(monitor.read(4, &mut events).unwrap(), Rest::MoreWaiting);
        assert!(events.len() <= 4);
        assert_eq!(monitor.read(64, &mut events).unwrap(), Rest::Nothing);
        assert_eq!(events.iter().filter(|event| is_made(event)).count(), 10);
    });
}

#[test]
fn overrun_is_told_and_survived() {
    in_world(|world| {
        // Room for some 80 messages.
        let mut monitor = Monitor::open(0, 32 * 1024).unwrap();
        let pattern = world.route("10.94.0.0/24", "10.2.0.2", "lanB");
        let adds: Vec<Operation> = (0..200)
            .map(|n| {
                let mut route = pattern.clone();
                route.key.destination = format!("10.94.{n}.0/24").parse().unwrap();
                add(&route)
            })
            .collect();
        assert!(world.kernel.apply(&adds).iter().all(Result::is_ok));
        let heard = read(&mut monitor);
        assert_eq!(heard.iter().filter(|event| **event == Event::Overrun).count(), 1);
        assert!(heard.len() < 200);
        ip("route add 10.95.0.0/24 via 10.1.0.2");
        assert!(matches!(routes(&mut monitor).as_slice(), [Event::RouteAdded(_)]));
    });
}

#[test]
fn poll_wakes_for_a_change() {
    in_world(|world| {
        let mut monitor = monitor(world);
        let mut poll = Poll::new().unwrap();
        poll.registry().register(&mut monitor, Token(1), Interest::READABLE).unwrap();
        let mut events = Events::with_capacity(4);
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.is_empty());
        let own = add(&world.route("10.96.0.0/24", "10.1.0.2", "lanA"));
        assert_eq!(world.kernel.apply(&[own]), [Ok(())]);
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.is_empty(), "our own routes do not wake us");
        ip("link set farA down");
        poll.poll(&mut events, Some(Duration::from_secs(5))).unwrap();
        assert!(!events.is_empty());
        assert!(read(&mut monitor).contains(&Event::Links));
        poll.registry().deregister(&mut monitor).unwrap();
    });
}

fn monitor(world: &World) -> Monitor {
    let mut monitor = Monitor::open(world.kernel.port(), RECEIVE_BUFFER).unwrap();
    // What the making of the world left.
    std::iter::from_fn(|| Some(read(&mut monitor))).find(Vec::is_empty);
    monitor
}

/// All that waits.
fn read(monitor: &mut Monitor) -> Vec<Event> {
    let mut events = Vec::new();
    assert_eq!(monitor.read(100_000, &mut events).unwrap(), Rest::Nothing);
    events
}

/// What waits about routes that a program made. Hints about links, and routes that the kernel adds by itself, may come at any
/// time: the kernel tells some a second late.
fn routes(monitor: &mut Monitor) -> Vec<Event> {
    read(monitor).into_iter().filter(is_made).collect()
}

fn is_made(event: &Event) -> bool {
    const KERNEL: u8 = nix::libc::RTPROT_KERNEL;
    matches!(event, Event::RouteAdded(route) | Event::RouteDeleted(route) if route.protocol != KERNEL)
}
