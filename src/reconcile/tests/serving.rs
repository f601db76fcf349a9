//! What serves a destination.

use super::rig::{ETH0, Rig, route, route_text, subject};
use crate::reconcile::{Owner, Serving};

const GATEWAY: &str = "10.0.0.9";

fn serving(rig: &Rig, destination: &str) -> Option<Serving> {
    let prefix = destination.parse().or_else(|_| destination.parse().map(|a: std::net::IpAddr| a.into()));
    rig.core.serving(&prefix.unwrap())
}

#[test]
fn an_overlay_by_a_dead_gateway_names_original_and_gateway() {
    let mut rig = Rig::new();
    rig.add(&route("198.51.100.0/24", GATEWAY, ETH0, 100));
    rig.home("eth0", GATEWAY);
    for destination in ["198.51.100.7", "198.51.100.0/24", "198.51.100.64/26"] {
        let found = serving(&rig, destination).unwrap();
        assert_eq!(found.prefix.to_string(), "198.51.100.0/24");
        assert_eq!((found.overlay, found.is_gone), (None, false));
        assert_eq!(found.owner, Some(Owner::Subject(subject("eth0", GATEWAY))));
    }
    rig.detour("eth0", GATEWAY, "eth1", "10.1.0.9");
    let found = serving(&rig, "198.51.100.7").unwrap();
    let text = |route: &Option<std::sync::Arc<_>>| route.as_ref().map(|r| route_text(r));
    assert_eq!(
        text(&found.overlay).as_deref(),
        Some("198.51.100.0/24 via 10.1.0.9 dev 3 metric 99 src 10.0.0.1")
    );
    assert_eq!(text(&found.original).as_deref(), Some("198.51.100.0/24 via 10.0.0.9 dev 2 metric 100"));
    assert_eq!(found.owner, Some(Owner::Subject(subject("eth0", GATEWAY))));
}

#[test]
fn the_longest_prefix_counts_and_host_overlays_have_no_original() {
    let mut rig = Rig::new();
    rig.detour("eth0", GATEWAY, "eth1", "10.1.0.9");
    let found = serving(&rig, GATEWAY).unwrap();
    assert_eq!(found.prefix.to_string(), "10.0.0.9/32");
    assert!(found.overlay.is_some() && found.original.is_none());
    assert_eq!(found.owner, Some(Owner::Subject(subject("eth0", GATEWAY))));
    let neighbour = serving(&rig, "10.0.0.77").unwrap();
    assert_eq!((neighbour.overlay, neighbour.owner), (None, None), "the connected route alone");
    assert_eq!(serving(&rig, "203.0.113.1"), None);
}

#[test]
fn an_original_that_went_with_its_interface_is_still_named() {
    let mut rig = Rig::new();
    rig.add(&route("198.51.100.0/24", GATEWAY, ETH0, 100));
    rig.detour("eth0", GATEWAY, "eth1", "10.1.0.9");
    rig.event(|kernel| kernel.set_up(ETH0, false));
    let found = serving(&rig, "198.51.100.7").unwrap();
    assert!(found.overlay.is_some() && found.original.is_some() && found.is_gone, "{found:?}");
    assert_eq!(found.owner, Some(Owner::Subject(subject("eth0", GATEWAY))));
}
