//! Where packets really go: from a host's model kernel over the wire to another's, and back.
//!
//! Looks at routes and wires only, never at what the daemons believe. Chance is left out: a way that loses some
//! packets still delivers.

use std::net::IpAddr;

use faild::interface::{Interface, InterfaceAddress, InterfaceIndex, is_link_local};

use crate::kernel::{Kernel, has};
use crate::network::{NodeNumber, Port};
use crate::world::World;

/// What becomes of a request and its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Both arrive; the ports that the request and the reply left by.
    Delivered(Port, Port),
    /// The sender of the request, or of the reply, has no route.
    NoRoute(NodeNumber),
    /// It is sent by this port, and lost there.
    Lost(Port),
}

/// A packet to `destination`, an address of some other host, and the reply to it.
pub fn round_trip(world: &World, from: NodeNumber, destination: &IpAddr) -> Fate {
    let there = match one_way(world, from, destination, None) {
        Ok(hop) => hop,
        Err(fate) => return fate,
    };
    match one_way(world, there.to, &there.source, Some(*destination)) {
        Ok(back) if back.to == from => Fate::Delivered(there.by, back.by),
        Ok(back) => Fate::Lost(back.by),
        Err(fate) => fate,
    }
}

/// The source that a packet of a host to `destination` bears.
pub fn source(world: &World, from: NodeNumber, destination: &IpAddr) -> Option<IpAddr> {
    choose(&world.node(from).kernel, destination)?.source
}

/// A packet that arrived.
struct Hop {
    by: Port,
    to: NodeNumber,
    source: IpAddr,
}

fn one_way(world: &World, from: NodeNumber, to: &IpAddr, bound: Option<IpAddr>) -> Result<Hop, Fate> {
    let node = world.node(from);
    let choice = choose(&node.kernel, to).ok_or(Fate::NoRoute(from))?;
    let lan = node.lan_of(choice.interface).ok_or(Fate::NoRoute(from))?;
    let by = Port { node: from, lan };
    let source = bound.or(choice.source).ok_or(Fate::NoRoute(from))?;
    let next = world.owner(lan, &choice.next_hop).ok_or(Fate::Lost(by))?;
    let arrives = world.is_running(by)
        && world.is_running(next)
        && world.network.passes(by, next)
        && world.node(next.node).kernel.is_local(to);
    if arrives { Ok(Hop { by, to: next.node, source }) } else { Err(Fate::Lost(by)) }
}

/// What a routing lookup says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The interface to leave by.
    pub interface: InterfaceIndex,
    /// Whom to ask for by ARP.
    pub next_hop: IpAddr,
    /// The source of packets that are not bound to one.
    pub source: Option<IpAddr>,
}

/// A routing lookup, and what follows from it for the packet.
pub fn choose(kernel: &Kernel, destination: &IpAddr) -> Option<Choice> {
    let route = kernel.lookup(destination)?;
    let leg = route.legs.first()?;
    let interface = kernel.interface_at(leg.interface)?;
    let next_hop = leg.gateway.unwrap_or(*destination);
    // A source that is gone: IPv6 packets leave all the same, with an address that no reply finds.
    let source = route.source.or_else(|| source_on(interface, destination, &next_hop));
    Some(Choice { interface: leg.interface, next_hop, source })
}

/// The source that the kernel chooses: for IPv4 the address in the subnet of the next hop, for IPv6 one of the
/// destination's scope, whatever the next hop (RFC 6724, section 5, rule 2).
fn source_on(interface: &Interface, destination: &IpAddr, next_hop: &IpAddr) -> Option<IpAddr> {
    let of_subnet = interface.source_for(next_hop);
    if !is_link_local(next_hop) || is_link_local(destination) {
        return of_subnet;
    }
    let addresses = interface.addresses.iter().filter(|a| !a.tentative).map(InterfaceAddress::address);
    addresses.filter(IpAddr::is_ipv6).find(|a| !is_link_local(a)).or(of_subnet)
}

/// Whether a node could exchange packets with another over a LAN, in the family of this address, chance aside.
pub fn way_works(world: &World, from: Port, to: Port, address: &IpAddr) -> bool {
    let kernel = &world.node(to.node).kernel;
    let bears = kernel.interface(world.interface_name(to)).is_some_and(|i| has(i, address));
    bears && frames_pass(world, from, to)
}

/// Whether frames pass between two ports both ways, chance aside.
pub fn frames_pass(world: &World, one: Port, other: Port) -> bool {
    world.is_running(one)
        && world.is_running(other)
        && world.network.passes(one, other)
        && world.network.passes(other, one)
}
