//! What a host lost by nobody's fault.
//!
//! The kernel flushes routes by gateways, and IPv6 addresses, with their interface. faild puts back what it saw standing,
//! whether it ran when they went or had been killed: the journal knows. Only after an orderly end nobody watches; what
//! goes then is gone as it would be without faild, unless an overlay that stands tells the next run of it (it is in the
//! journal then). And what is missing on an interface that leaves the settings is left to the one who changed them. A
//! route that somebody deleted, and added again while no daemon ran, is not in the journal until a daemon has seen it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use faild::route::PROTOCOL;
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
pub struct Losses {
    missing: BTreeMap<Thing, Loss>,
    /// Interfaces that got their names while no daemon ran: the journal knows them by others.
    unknown: BTreeSet<String>,
    /// Routes that came while no daemon ran, after the last one had seen them deleted: the journal knows them not.
    unseen: BTreeSet<Thing>,
}

impl Losses {
    /// Looks at a host, after any change of its kernel and of whether its daemon runs.
    pub fn look(&mut self, now: Instant, node: &Node) {
        if node.daemon.is_some() {
            self.unknown.clear();
        }
        for thing in things(node) {
            if stands(node, &thing) {
                self.missing.remove(&thing);
                if node.daemon.is_some() {
                    self.unseen.remove(&thing);
                }
                continue;
            }
            let is_unknown =
                self.unknown.contains(interface_of(node, &thing)) || self.unseen.contains(&thing);
            let is_watched = !is_unknown && (node.is_kept_in_mind() || is_told_of(node, &thing));
            let loss = self.missing.entry(thing).or_insert(Loss { at: now, is_unwatched: false });
            let is_fresh = now.since(loss.at) <= LOOK;
            loss.is_unwatched |= is_fresh && node.daemon.is_none() && !is_watched;
        }
    }

    /// An interface left the settings, or came into them, under this name: what is missing there now stays so.
    pub fn give_up(&mut self, now: Instant, node: &Node, interface: &str) {
        if node.daemon.is_none() {
            self.unknown.insert(interface.to_owned());
        }
        let missing = things(node).into_iter().filter(|thing| !stands(node, thing));
        for thing in missing.filter(|thing| interface_of(node, thing) == interface) {
            self.missing.insert(thing, Loss { at: now, is_unwatched: true });
        }
    }

    /// Somebody added again a route that he had deleted.
    pub fn came_back(&mut self, node: &Node, plan: &RoutePlan) {
        let at = node.blueprint.routes.iter().position(|p| p == plan).filter(|_| node.daemon.is_none());
        self.unseen.extend(at.map(Thing::Route));
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
        self.missing.iter().any(is_it)
    }

    fn has(&self, thing: &Thing) -> bool {
        self.missing.get(thing).is_some_and(|loss| loss.is_unwatched)
    }
}

fn things(node: &Node) -> Vec<Thing> {
    let routes = (0..node.blueprint.routes.len()).map(Thing::Route);
    let of = |name: &String, prefix: &IpNet| Thing::Address(name.clone(), *prefix);
    let addresses = node.blueprint.interfaces.iter().flat_map(|i| i.addresses.iter().map(|p| of(&i.name, p)));
    routes.chain(addresses).collect()
}

fn interface_of<'a>(node: &'a Node, thing: &'a Thing) -> &'a str {
    match thing {
        Thing::Route(at) => &node.blueprint.routes[*at].interface,
        Thing::Address(name, _) => name,
    }
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
