//! One LAN of ours: its interface as it is just now, its slot, and what is spent on strangers.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use super::bucket::Bucket;
use super::notice::InterfaceFault;
use super::path::PathKey;
use super::proving::Guesses;
use super::slot::LOST_TURNS;
use crate::config::LanConfig;
use crate::interface::{Family, Interface, InterfaceAddress, InterfaceIndex};
use crate::time::Instant;
use crate::wire::{NodeId, Nonce};

/// Broadcast INQs that may still be answered: one a slot and family; late answers count for f slots, and nobody waits
/// for more than this many.
const BROADCASTS: usize = 64;

/// An interface that has run for this long has got back what the kernel flushed on its bounce: what vanishes from it
/// later was somebody's will, and is withdrawn.
const SETTLED_AFTER: Duration = Duration::from_secs(5);

/// An address must be missing for this long: a dump right after a link event can show the link as it was and its
/// addresses as they will be.
const WITHDRAW_AFTER: Duration = Duration::from_millis(50);

/// ACKs to strangers in a second, and at most in a burst: enough for a LAN of 1,000 to meet within half a minute, too
/// few to be of use to anybody as a reflector.
const STRANGERS_PER_SECOND: f64 = 50.0;

/// Strangers that become peers, in a burst and in each second after it: a LAN of 1,000 is met at once, and those that
/// are invented cost little.
const NEWCOMERS: f64 = 1024.0;
const NEWCOMERS_PER_SECOND: f64 = 256.0;

/// ARP and ND requests of a LAN on behalf of the kernel, in a burst and a second: they are broadcast, and a LAN that heals
/// brings back all peers at once. Those beyond it wait for the kernel, for a second.
const SOLICITATIONS: f64 = 256.0;

/// INQs by unicast to peers that are lost, in a burst and a second: what they cost does not grow with the slots.
const LOST: f64 = 32.0;

/// A broadcast INQ of ours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Broadcast {
    pub(super) nonce: Nonce,
    pub(super) sent: Instant,
    pub(super) sequence: u32,
    pub(super) family: Family,
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Lan {
    pub(super) settings: LanConfig,
    home: Arc<str>,
    /// The interface, while it exists.
    pub(super) interface: Option<Interface>,
    /// Why it does not run; none if it does.
    pub(super) fault: Option<InterfaceFault>,
    /// The number that it has, or had before it went.
    number: Option<InterfaceIndex>,
    /// Slot number; a responder that sends none counts them all the same.
    pub(super) sequence: u32,
    pub(super) slot_begin: Instant,
    pub(super) slot_length: Duration,
    /// Eighths of the slot that have passed.
    pub(super) eighths: u32,
    pub(super) broadcasts: VecDeque<Broadcast>,
    /// Those that are retried in this slot.
    pub(super) retried: Vec<(NodeId, PathKey)>,
    /// Where the round-robin among peers that are not up stands.
    pub(super) retry_from: usize,
    /// Questions to addresses of peers that may be invented.
    pub(super) guesses: BTreeMap<NodeId, Guesses>,
    /// The receive queue overflowed in this slot, or its begin was late.
    pub(super) excused: bool,
    /// Our addresses here; those that vanished stay a while, with the time that they were last seen.
    addresses: BTreeMap<IpAddr, Instant>,
    /// Since when packets can pass without a break.
    running_since: Option<Instant>,
    seen: bool,
    /// INQs that may go to peers that are lost, and where the round-robin among those of each turn stands.
    pub(super) lost: Bucket,
    pub(super) lost_from: [usize; LOST_TURNS as usize],
    /// ARP and ND requests on behalf of the kernel.
    pub(super) solicitations: Bucket,
    /// ACKs that may go to strangers.
    pub(super) strangers: Bucket,
    /// Strangers that may become peers.
    pub(super) newcomers: Bucket,
    /// The last slot in which a responder asked for another host with its id.
    pub(super) asked_for_clone: Option<u32>,
    /// Whether people were told that the LAN is down.
    pub(super) told_down: bool,
    /// Since when it runs without an address to speak from.
    mute_since: Option<Instant>,
    told_mute: bool,
}

impl Lan {
    pub(super) fn new(settings: LanConfig, now: Instant) -> Self {
        Self {
            home: settings.interface.as_str().into(),
            settings,
            interface: None,
            fault: Some(InterfaceFault::Gone),
            number: None,
            sequence: 0,
            slot_begin: now,
            slot_length: Duration::ZERO,
            eighths: 0,
            broadcasts: VecDeque::new(),
            retried: Vec::new(),
            retry_from: 0,
            guesses: BTreeMap::new(),
            excused: false,
            addresses: BTreeMap::new(),
            running_since: None,
            seen: false,
            lost: Bucket::new(LOST, LOST, now),
            lost_from: [0; LOST_TURNS as usize],
            solicitations: Bucket::new(SOLICITATIONS, SOLICITATIONS, now),
            strangers: Bucket::new(STRANGERS_PER_SECOND, STRANGERS_PER_SECOND, now),
            newcomers: Bucket::new(NEWCOMERS, NEWCOMERS_PER_SECOND, now),
            asked_for_clone: None,
            told_down: false,
            mute_since: None,
            told_mute: false,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.settings.interface
    }

    /// The name, for subjects to share.
    pub(super) fn home(&self) -> Arc<str> {
        Arc::clone(&self.home)
    }

    pub(super) fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.settings.interface);
        self.home = name.into();
    }

    /// The kernel's number, while the interface can send.
    pub(super) fn running(&self) -> Option<InterfaceIndex> {
        self.interface.as_ref().filter(|i| i.is_running()).map(|i| i.index)
    }

    /// Whether packets could pass all through the slot.
    pub(super) fn ran_all_slot(&self) -> bool {
        self.running_since.is_some_and(|since| since <= self.slot_begin)
    }

    /// Takes in the interface as it is, and what that means for our address list. True if the list changed.
    pub(super) fn set_interface(&mut self, interface: Option<Interface>, now: Instant) -> bool {
        let before: Vec<IpAddr> = self.addresses().collect();
        if let Some(interface) = interface.as_ref().filter(|i| i.up) {
            for address in interface.addresses.iter().filter(|a| is_published(a)) {
                self.addresses.insert(address.address(), now);
            }
        }
        self.interface = interface;
        // One that runs when it is first seen is not back from a bounce.
        let since = if std::mem::replace(&mut self.seen, true) { now } else { now - SETTLED_AFTER };
        self.running_since = self.running().map(|_| self.running_since.unwrap_or(since));
        self.drop_withdrawn(now);
        !self.addresses().eq(before)
    }

    /// These addresses are its own, although the interface may be gone, or have lost them. Peers would leave the detour
    /// to an address that is not told, and there may be no other way to it.
    pub(super) fn expect(&mut self, addresses: &[InterfaceAddress], now: Instant) {
        self.addresses.extend(addresses.iter().filter(|a| is_published(a)).map(|a| (a.address(), now)));
        // Then it may be back from a bounce when it is first seen.
        self.seen |= !self.addresses.is_empty();
    }

    /// Forgets addresses that have been missing for long. While the interface is down or gone, none are: peers still
    /// reach them by the other LANs. True if the list changed.
    pub(super) fn drop_withdrawn(&mut self, now: Instant) -> bool {
        let settled = self.running_since.is_some_and(|since| now.since(since) >= SETTLED_AFTER);
        let Some(interface) = self.interface.as_ref().filter(|_| settled) else {
            for seen in self.addresses.values_mut() {
                *seen = now;
            }
            return false;
        };
        for address in interface.addresses.iter().filter(|a| is_published(a)) {
            if let Some(seen) = self.addresses.get_mut(&address.address()) {
                *seen = now;
            }
        }
        let before = self.addresses.len();
        self.addresses.retain(|_, seen| now.since(*seen) < WITHDRAW_AFTER);
        self.addresses.len() != before
    }

    /// Our addresses on this LAN, as peers are told.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.addresses.keys().copied()
    }

    pub(super) fn owns(&self, address: &IpAddr) -> bool {
        self.addresses.contains_key(address) || self.has(address)
    }

    /// Whether the interface has this address just now.
    pub(super) fn has(&self, address: &IpAddr) -> bool {
        self.interface.as_ref().is_some_and(|i| i.addresses.iter().any(|a| a.address() == *address))
    }

    /// Takes in why packets cannot pass, if so: what the interface is, or what became of the number that it had.
    pub(super) fn find_fault(&mut self, interfaces: &[Interface]) {
        self.number = self.interface.as_ref().map(|i| i.index).or(self.number);
        let renamed = || interfaces.iter().find(|i| Some(i.index) == self.number).map(|i| i.name.clone());
        self.fault = match &self.interface {
            Some(interface) if interface.is_running() => None,
            Some(interface) if interface.up => Some(InterfaceFault::NoCarrier),
            Some(_) => Some(InterfaceFault::SetDown),
            None => Some(renamed().map_or(InterfaceFault::Gone, InterfaceFault::Renamed)),
        };
    }

    /// The families that can be probed here just now.
    pub(super) fn families(&self) -> impl Iterator<Item = Family> + '_ {
        [Family::V4, Family::V6].into_iter().filter(|family| self.broadcast_source(*family).is_some())
    }

    /// The source of our broadcasts: the first IPv4 address, or the IPv6 link-local one.
    pub(super) fn broadcast_source(&self, family: Family) -> Option<IpAddr> {
        let interface = self.interface.as_ref()?;
        match family {
            Family::V4 if self.settings.ipv4 => interface
                .addresses
                .iter()
                .find(|a| a.address().is_ipv4() && !a.tentative && a.prefix.prefix_len() < 31)
                .map(InterfaceAddress::address),
            Family::V6 if self.settings.ipv6 => interface.link_local().map(IpAddr::V6),
            Family::V4 | Family::V6 => None,
        }
    }

    /// Whether people should be told that nobody can be probed here: for a while no address was there, or none with a
    /// subnet. True once, and again after it could speak.
    pub(super) fn falls_mute(&mut self, now: Instant) -> bool {
        let speaks = |i: &Interface| i.addresses.iter().any(|a| !a.tentative && self.is_spoken(&a.prefix));
        if self.interface.as_ref().is_none_or(|i| !i.is_running() || speaks(i)) {
            self.mute_since = None;
            self.told_mute = false;
            return false;
        }
        let since = *self.mute_since.get_or_insert(now);
        now.since(since) >= SETTLED_AFTER && !std::mem::replace(&mut self.told_mute, true)
    }

    fn is_spoken(&self, prefix: &ipnet::IpNet) -> bool {
        let is_wanted = if prefix.addr().is_ipv4() { self.settings.ipv4 } else { self.settings.ipv6 };
        is_wanted && prefix.prefix_len() < prefix.max_prefix_len()
    }

    pub(super) fn broadcast_destination(&self, family: Family) -> IpAddr {
        match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::BROADCAST),
            Family::V6 => IpAddr::V6(self.settings.multicast_group),
        }
    }

    /// Whether an address is on-link by the interface's prefixes (not by the routing table: overlays falsify it).
    pub(super) fn is_on_link(&self, address: &IpAddr) -> bool {
        self.interface.as_ref().is_some_and(|i| i.source_for(address).is_some())
    }

    /// Our source towards an address on this LAN.
    pub(super) fn source_for(&self, address: &IpAddr) -> Option<IpAddr> {
        self.interface.as_ref()?.source_for(address)
    }

    /// All that we speak from here: to everybody, and to each subnet.
    pub(super) fn sources(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let to_all = self.families().filter_map(|family| self.broadcast_source(family));
        to_all.chain(self.addresses().filter_map(|address| self.source_for(&address)))
    }

    pub(super) fn remember_broadcast(&mut self, broadcast: Broadcast) {
        if self.broadcasts.len() == BROADCASTS {
            self.broadcasts.pop_front();
        }
        self.broadcasts.push_back(broadcast);
    }
}

/// Whether peers are told of an address: not those that cannot be reached from another host.
fn is_published(address: &InterfaceAddress) -> bool {
    !address.tentative && address.scope != 254 && !address.address().is_loopback()
}
