//! The parts that need no kernel: reading hostile bytes, patching templates.

use nix::libc;
use proptest::prelude::*;

use super::attributes::{Attributes, RTA_ENCAP, RTA_ENCAP_TYPE, put, put_with};
use super::message::{self, Header, Messages, Request};
use super::{address, link, neighbour, route};
use crate::interface::InterfaceIndex;
use crate::operation::{Place, Refusal};
use crate::route::{Leg, MAIN_TABLE, PROTOCOL, Route, RouteKey, RouteType};

#[test]
fn batch_asks_for_one_acknowledgement_at_its_end() {
    let request = Request { kind: libc::RTM_NEWROUTE, flags: 0x600, body: vec![7; 13] };
    let datagram = message::batch(&vec![request; 3], u32::MAX - 1);
    let read: Vec<(Header, usize)> = Messages(&datagram).map(|(header, body)| (header, body.len())).collect();
    let header = |flags, sequence| Header { kind: libc::RTM_NEWROUTE, flags, sequence, port: 0 };
    let expected =
        [header(0x601, u32::MAX - 1), header(0x601, u32::MAX), header(0x605, 0)].map(|header| (header, 13));
    assert_eq!(read, expected);
    assert_eq!(datagram.len(), 3 * 32);
}

#[test]
fn batches_are_bounded_in_number_and_bytes_but_never_empty() {
    let sized = |bytes| Request { kind: 0, flags: 0, body: vec![0; bytes] };
    assert_eq!(message::batch_size(&vec![sized(100); 200]), 64);
    assert_eq!(message::batch_size(&vec![sized(30_000); 64]), 2);
    assert_eq!(message::batch_size(&[sized(70_000), sized(1)]), 1);
    assert_eq!(message::batch_size(&vec![sized(1); 3]), 3);
}

#[test]
fn refusal_bears_the_extended_text() {
    let mut body = (-101_i32).to_ne_bytes().to_vec();
    body.extend([0; 16]);
    put(&mut body, 1, b"Nexthop has invalid gateway\0");
    let expected = Refusal { errno: 101, text: "Nexthop has invalid gateway".to_owned() };
    assert_eq!(message::answer(&error(0x300), &body), Err(expected));
    assert_eq!(message::answer(&error(0x100), &body).unwrap_err().text, "Network is unreachable");
}

#[test]
fn refusal_with_the_whole_request_repeated_bears_its_text_too() {
    let mut body = (-22_i32).to_ne_bytes().to_vec();
    body.extend(24_u32.to_ne_bytes());
    body.extend([0; 20]);
    put(&mut body, 1, b"no\0");
    assert_eq!(message::answer(&error(0x200), &body), Err(Refusal { errno: 22, text: "no".to_owned() }));
}

#[test]
fn acknowledgement_is_no_refusal() {
    assert_eq!(message::answer(&error(0x100), &[0; 20]), Ok(()));
    assert_eq!(message::end_of_dump(&error(2), &[0; 4]), Ok(()));
    let no_table = message::end_of_dump(&error(2), &(-2_i32).to_ne_bytes());
    assert_eq!(no_table.unwrap_err().errno, libc::ENOENT);
}

#[test]
fn walk_ends_at_the_first_malformed_attribute() {
    let mut bytes = Vec::new();
    put(&mut bytes, 1, b"abc");
    bytes.extend([200, 0, 2, 0, 1]);
    let mut walk = Attributes(&bytes);
    assert_eq!(walk.next().unwrap().unwrap().payload, b"abc");
    assert!(walk.next().unwrap().is_err());
    assert!(walk.next().is_none());
}

#[test]
fn unknown_attributes_are_copied_as_they_stood() {
    let mut overlay = sample();
    let mut expected = Vec::new();
    put_with(&mut expected, 0x8000 | 77, |out| out.extend([1, 2, 3]));
    put(&mut expected, 99, b"xy");
    overlay.attributes.extend(&expected);
    let body = route::add(&overlay, Place::Alone).unwrap().body;
    assert!(body.windows(expected.len()).any(|window| window == expected));
}

#[test]
fn message_that_was_built_is_read_as_what_it_was_built_from() {
    for wanted in [sample(), with_two_legs()] {
        let request = route::add(&wanted, Place::Before).unwrap();
        assert_eq!((request.kind, request.flags), (libc::RTM_NEWROUTE, 0x400));
        let read = route::read(&request.body).unwrap().unwrap();
        assert_eq!(Route { attributes: Vec::new(), ..read }, wanted);
    }
}

#[test]
fn template_gives_flags_that_are_the_administrators_only() {
    let mut overlay = sample();
    overlay.flags = 1 | 2 | 4 | 16 | 0x4000;
    let body = route::add(&overlay, Place::Alone).unwrap().body;
    assert_eq!(body[8..12], 6_u32.to_ne_bytes());
}

#[test]
fn encapsulation_is_never_emitted() {
    let typed = Route { encapsulated: true, ..sample() };
    let mut raw = sample();
    put(&mut raw.attributes, RTA_ENCAP, &[0; 8]);
    let mut leg = with_two_legs();
    put_with(&mut leg.attributes, libc::RTA_MULTIPATH, |out| {
        for _ in 0..2 {
            out.extend([16, 0, 0, 0, 1, 0, 0, 0]);
            put(out, RTA_ENCAP_TYPE, &[2, 0]);
        }
    });
    for route in [typed, raw, leg] {
        assert_eq!(route::add(&route, Place::Alone).unwrap_err().errno, libc::EOPNOTSUPP);
    }
}

#[test]
fn malformed_template_and_route_without_legs_are_refused() {
    let malformed = Route { attributes: vec![200, 0, 1, 0], ..sample() };
    let nowhere = Route { legs: Vec::new(), ..sample() };
    for route in [malformed, nowhere] {
        assert_eq!(route::add(&route, Place::Alone).unwrap_err().errno, libc::EINVAL);
    }
}

#[test]
fn routes_that_refuse_are_read_and_cached_or_sourced_ones_are_passed_over() {
    let body = route::add(&sample(), Place::Alone).unwrap().body;
    for (kind, read) in [
        (libc::RTN_LOCAL, RouteType::Other(2)),
        (libc::RTN_BLACKHOLE, RouteType::Blackhole),
        (8, RouteType::Prohibit),
    ] {
        let mut other = body.clone();
        other[7] = kind;
        let found = route::read(&other).unwrap().unwrap();
        assert_eq!((found.kind, found.legs), (read, Vec::new()));
    }
    // IPv6 files anycast routes under their interface: it tells which listing has them.
    let v6 = Route {
        key: RouteKey { destination: "fd00::/64".parse().unwrap(), tos: 0, ..sample().key },
        ..sample()
    };
    let legs = vec![Leg { gateway: None, interface: InterfaceIndex(7), weight: 1 }];
    let body =
        route::add(&Route { legs: legs.clone(), source: None, attributes: Vec::new(), ..v6 }, Place::Alone)
            .unwrap()
            .body;
    for (kind, shown) in [(libc::RTN_LOCAL, Vec::new()), (libc::RTN_ANYCAST, legs), (8, Vec::new())] {
        let mut other = body.clone();
        other[7] = kind;
        assert_eq!(route::read(&other).unwrap().unwrap().legs, shown, "{kind}");
    }
    for (at, value) in [(9, 2), (2, 64), (0, 28)] {
        let mut other = body.clone();
        other[at] = value;
        assert_eq!(route::read(&other), Ok(None), "byte {at} = {value}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        read_all(&bytes);
    }

    #[test]
    fn no_damage_makes_a_reader_panic(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        length in any::<prop::sample::Index>(),
        two in any::<bool>(),
    ) {
        let wanted = if two { with_two_legs() } else { sample() };
        let mut body = route::add(&wanted, Place::Alone).unwrap().body;
        for (at, value) in damage {
            let at = at.index(body.len());
            body[at] = value;
        }
        body.truncate(length.index(body.len()) + 1);
        read_all(&body);
        // What was read can be written again, or is refused.
        if let Ok(Some(route)) = route::read(&body) {
            let _ = route::delete(&route);
            if let Ok(request) = route::add(&route, Place::Alone) {
                read_all(&request.body);
            }
        }
    }
}

fn read_all(bytes: &[u8]) {
    let _ = (link::read(bytes), address::read(bytes), route::read(bytes), neighbour::is_learned(bytes));
    for (header, body) in Messages(bytes) {
        let _ = (message::answer(&header, body), message::end_of_dump(&header, body));
    }
    for flags in [0, 0x100, 0x200, 0x300] {
        let _ = message::answer(&error(flags), bytes);
    }
}

fn error(flags: u16) -> Header {
    Header { kind: message::ERROR, flags, sequence: 1, port: 1 }
}

fn sample() -> Route {
    Route {
        key: RouteKey { table: MAIN_TABLE, destination: "10.1.1.2/32".parse().unwrap(), tos: 0, metric: 5 },
        protocol: PROTOCOL,
        scope: 0,
        source: Some("10.1.1.1".parse().unwrap()),
        legs: vec![leg("10.2.2.2", 3)],
        kind: RouteType::Unicast,
        nexthop_id: None,
        encapsulated: false,
        linkdown: false,
        attributes: Vec::new(),
        flags: 0,
    }
}

fn with_two_legs() -> Route {
    Route { legs: vec![leg("10.2.2.2", 3), leg("fe80::1", 4)], ..sample() }
}

fn leg(gateway: &str, interface: u32) -> Leg {
    Leg { gateway: Some(gateway.parse().unwrap()), interface: InterfaceIndex(interface), weight: 1 }
}

/// What is read of a route, and can be written, is read as that again.
#[test]
fn mutated_netlink_messages_are_refused_or_read_the_same_again() {
    let body = |route: &Route| route::add(route, Place::Alone).unwrap().body;
    let requests = [sample(), with_two_legs()].map(|route| route::add(&route, Place::Alone).unwrap());
    let seeds = [body(&sample()), body(&with_two_legs()), message::batch(&requests, 1)];
    crate::mutated::each_of("netlink", &seeds, |bytes| {
        read_all(bytes);
        for (_, body) in Messages(bytes) {
            read_all(body);
        }
        let _ = (neighbour::present(bytes), neighbour::hardware_address(bytes));
        let Ok(Some(route)) = route::read(bytes) else { return };
        let Ok(request) = route::add(&route, Place::Alone) else { return };
        let again = route::read(&request.body).unwrap().unwrap();
        assert_eq!((again.key, again.legs), (route.key, route.legs));
    });
}
