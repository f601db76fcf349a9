//! Any table, against a lookup that is written down as the kernel's rules are.

use super::*;

#[derive(Debug, Clone)]
struct Table {
    others: Vec<Route>,
    /// What the watch leads: to which hop.
    leads: Vec<(usize, usize)>,
    /// Hosts that take a detour.
    hosts: Vec<usize>,
    /// Gateways that do.
    gateway: bool,
}

const PREFIXES: [&str; 6] =
    ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "10.0.0.2/32", "198.51.100.0/24", "198.51.100.7/32"];
const HOSTS: [&str; 2] = ["10.0.0.2", "10.0.0.3"];
const ASKED: [&str; 6] = ["10.0.0.2", "10.0.0.3", "10.0.0.9", "10.7.0.1", "198.51.100.7", "203.0.113.1"];
const HOPS: [(&str, &str); 3] = [("10.0.0.9", "eth0"), ("10.1.0.9", "eth1"), ("10.2.0.9", "eth2")];

fn table() -> impl Strategy<Value = Table> {
    let metric =
        prop_oneof![Just(0u32), Just(1), Just(49), Just(50), Just(98), Just(99), Just(100), Just(101)];
    let other = (0..PREFIXES.len(), metric, 0..7usize, prop_oneof![4 => Just(0u8), 1 => Just(0x10)]);
    let other = other.prop_map(|(prefix, metric, what, tos)| {
        let made = match what {
            0 => refusing(RouteType::Prohibit, PREFIXES[prefix], metric),
            1 => refusing(RouteType::Throw, PREFIXES[prefix], metric),
            2 => route(PREFIXES[prefix], "-", InterfaceIndex(9), metric),
            3 => Route { protocol: 186, ..route(PREFIXES[prefix], "10.1.0.9", ETH1, metric) },
            4 => route(PREFIXES[prefix], "10.1.0.9", ETH1, metric),
            _ => route(PREFIXES[prefix], "10.0.0.9", ETH0, metric),
        };
        Route { key: RouteKey { tos, ..made.key }, ..made }
    });
    let lead = (prop_oneof![Just(0usize), Just(4), Just(5)], 0..3usize);
    (
        prop::collection::vec(other, 0..9),
        prop::collection::vec(lead, 0..3),
        prop::collection::vec(0..2usize, 0..3),
        any::<bool>(),
    )
        .prop_map(|(others, leads, hosts, gateway)| Table { others, leads, hosts, gateway })
}

/// Longest prefix, then the type of service of the packet before none, then the lowest metric, then the first.
fn decides(kernel: &Mirror, to: IpAddr, tos: u8, counts: impl Fn(&Route) -> bool) -> Option<&Arc<Route>> {
    let fits = |route: &&Arc<Route>| {
        route.key.table == MAIN_TABLE
            && route.key.destination.contains(&to)
            && (route.key.tos == 0 || route.key.tos == tos)
            && counts(route)
    };
    let rank = |route: &Arc<Route>| {
        (u8::MAX - route.key.destination.prefix_len(), route.key.tos == 0, route.key.metric)
    };
    // Of equals `min_by_key` takes the first.
    kernel.routes().iter().filter(fits).min_by_key(|route| rank(route))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_packet_passes_that_was_refused_or_diverted_without_us(table in table()) {
        let mut kernel = kernel();
        kernel.add_interface(rig::interface(InterfaceIndex(9), "tun0", &["10.9.0.1/24"]));
        for other in &table.others {
            let _ = kernel.add_route(other, Insert::Append);
        }
        let excluded = ["tun0".to_owned()].into();
        let under = Settings { excluded, watches: true, ..settings() };
        let mut rig = Rig::watching_under(kernel, &["eth0", "eth1", "eth2"], under);
        for (prefix, hop) in &table.leads {
            rig.decide_way(PREFIXES[*prefix], by(&[HOPS[*hop]]));
        }
        for host in &table.hosts {
            rig.detour("eth0", HOSTS[*host], "eth1", "10.1.0.2");
        }
        if table.gateway {
            rig.detour("eth0", "10.0.0.9", "eth2", "10.2.0.9");
        }
        rig.wait(Duration::from_secs(70));
        for to in ASKED {
            for tos in [0, 0x10] {
                let before = decides(&rig.kernel, ip(to), tos, |route| route.protocol != PROTOCOL);
                let after = decides(&rig.kernel, ip(to), tos, |_| true);
                let is_untouched = |route: &Route| {
                    !route.is_unicast() || route.legs.iter().any(|leg| leg.interface == InterfaceIndex(9))
                };
                if let Some(before) = before.filter(|route| is_untouched(route)) {
                    let after = after.unwrap();
                    prop_assert!(
                        after.is_same(before),
                        "{} tos {}: {} instead of {:?} {}", to, tos, route_text(after), before.kind, route_text(before)
                    );
                }
            }
        }
        // What an original led past a refusal still goes by another interface while that original is missing.
        let led: BTreeMap<&str, usize> =
            table.leads.iter().map(|(prefix, hop)| (PREFIXES[*prefix], *hop)).collect();
        let by_original = |kernel: &Mirror, prefix: &str, to: &str| {
            let decides = decides(kernel, ip(to), 0, |route| route.protocol != PROTOCOL);
            decides.is_some_and(|route| {
                route.protocol == STATIC
                    && route.key.destination.to_string() == prefix
                    && route.legs.iter().any(|leg| leg.interface == ETH0)
            })
        };
        let is_led = |kernel: &Mirror, to: &str| {
            decides(kernel, ip(to), 0, |_| true).is_some_and(|route| route.protocol == PROTOCOL)
        };
        let away = led.iter().filter(|(_, hop)| **hop != 0);
        let served: Vec<&str> = away
            .flat_map(|(prefix, _)| ASKED.map(|to| (*prefix, to)))
            .filter(|(prefix, to)| by_original(&rig.kernel, prefix, to) && is_led(&rig.kernel, to))
            .map(|(_, to)| to)
            .collect();
        rig.event(|kernel| kernel.set_up(ETH0, false));
        rig.wait(Duration::from_secs(70));
        for to in served {
            let left = decides(&rig.kernel, ip(to), 0, |route| route.protocol != PROTOCOL);
            // A route of another program that is left is not overlaid, and an original that is gone is taken to have
            // stood behind its equals.
            let refuses = |route: &Route| is_refusing(route) || route.legs[0].interface == InterfaceIndex(9);
            if left.is_some_and(|route| !refuses(route))
                || table.others.iter().any(|other| other.protocol == 186 || is_equal(&table, other, refuses))
            {
                continue;
            }
            prop_assert!(is_led(&rig.kernel, to), "{} without eth0: {:?}", to, rig.own());
        }
        rig.event(|kernel| kernel.set_up(ETH0, true));
        rig.wait(Duration::from_secs(70));
        // It holds while it changes as well, and what kept an overlay out no longer does when it is gone.
        let others: Vec<Route> = rig.kernel.routes().iter().filter(|r| r.protocol == STATIC && is_refusing(r)).map(|r| Route::clone(r)).collect();
        for other in others {
            rig.delete(&other);
        }
        rig.wait(Duration::from_secs(70));
        let waits = rig.core.troubles().into_iter().filter(|t| t.blocked.as_deref().is_some_and(|by| by.starts_with("prohibit") || by.starts_with("throw")));
        prop_assert_eq!(waits.count(), 0);
    }
}

/// Whether a route that refuses has the prefix and the metric of one that does not.
fn is_equal(table: &Table, other: &Route, refuses: impl Fn(&Route) -> bool) -> bool {
    refuses(other) && table.others.iter().any(|route| !refuses(route) && route.key == other.key)
}

fn is_refusing(route: &Route) -> bool {
    !route.is_unicast()
}
