//! What a host lost while nobody was there to remember it.
//!
//! The kernel flushes routes by gateways, and IPv6 addresses, with their interface. faild puts back what it saw standing;
//! what goes while no daemon runs is gone as it would be without faild, unless an overlay that stands tells the next run of
//! it (it is in the journal then). Nor can a run remember what went right before it was killed.

use std::collections::BTreeMap;
use std::time::Duration;

use faild::reconcile::PROTOCOL;
use faild::time::Instant;
use ipnet::IpNet;

use crate::kernel::RoutePlan;
use crate::node::Node;

/// A flush is told from a deletion by a second look, 100 ms after the first.
const LOOK: Duration = Duration::from_millis(150);

/// Something that a host was configured with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    /// The route with this number.
    Route(usize),
    /// An address of an interface.
    Address(String, IpNet),
}

/// Since when something does not stand, and whether it went unwatched.
#[derive(Debug, Clone, Copy)]
struct Loss {
    at: Instant,
    is_unwatched: bool,
}

/// What of the things that a host was configured with does not stand.
#[derive(Debug, Default)]
pub struct Losses(BTreeMap<Thing, Loss>);

impl Losses {
    /// Looks at a host, after any change of its kernel and of whether its daemon runs.
    pub fn look(&mut self, now: Instant, node: &Node) {
        for thing in things(node) {
            if stands(node, &thing) {
                self.0.remove(&thing);
                continue;
            }
            let loss = self.0.entry(thing.clone()).or_insert(Loss { at: now, is_unwatched: false });
            let is_fresh = now.since(loss.at) <= LOOK;
            loss.is_unwatched |= is_fresh && node.daemon.is_none() && !is_told_of(node, &thing);
        }
    }

    /// Whether a configured route went unwatched.
    pub fn has_route(&self, node: &Node, plan: &RoutePlan) -> bool {
        let at = node.blueprint.routes.iter().position(|p| p == plan);
        at.is_some_and(|at| self.has(&Thing::Route(at)))
    }

    /// Whether an address of an interface did.
    pub fn has_address(&self, interface: &str, address: &std::net::IpAddr) -> bool {
        let is_it = |(thing, loss): (&Thing, &Loss)| {
            let Thing::Address(name, prefix) = thing else { return false };
            loss.is_unwatched && name == interface && prefix.addr() == *address
        };
        self.0.iter().any(is_it)
    }

    fn has(&self, thing: &Thing) -> bool {
        self.0.get(thing).is_some_and(|loss| loss.is_unwatched)
    }
}

fn things(node: &Node) -> Vec<Thing> {
    let routes = (0..node.blueprint.routes.len()).map(Thing::Route);
    let of = |name: &String, prefix: &IpNet| Thing::Address(name.clone(), *prefix);
    let addresses = node.blueprint.interfaces.iter().flat_map(|i| i.addresses.iter().map(|p| of(&i.name, p)));
    routes.chain(addresses).collect()
}

fn stands(node: &Node, thing: &Thing) -> bool {
    match thing {
        Thing::Route(at) => node.kernel.stands(&node.blueprint.routes[*at]),
        Thing::Address(name, prefix) => {
            node.kernel.interface(name).is_some_and(|i| i.addresses.iter().any(|a| a.prefix == *prefix))
        }
    }
}

/// Whether an overlay stands that was laid because of the interface, so that the journal tells of the thing.
fn is_told_of(node: &Node, thing: &Thing) -> bool {
    node.kernel.own_routes().filter(|route| route.protocol == PROTOCOL).any(|route| match thing {
        Thing::Route(at) => route.key.destination == node.blueprint.routes[*at].destination,
        Thing::Address(_, prefix) => prefix.contains(&route.key.destination.addr()),
    })
}
