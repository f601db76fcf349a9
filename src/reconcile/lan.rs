//! One LAN's interface over time: what state it is in, and which addresses stood on it when it last was up. A bounce takes addresses away that nobody wanted gone; they are remembered here as absent.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::journal::InterfaceRecord;
use crate::interface::{
    Fall, Family, Interface, InterfaceAddress, InterfaceIndex, LINK_SCOPE, LinkHistory, is_link_local,
};
use crate::time::Instant;

/// How long after an interface fell, or was found to stand again, a loss is still put down to that.
pub(super) const AFTERMATH: Duration = Duration::from_secs(3);

/// The same if no daemon ran when it fell: all notifications are of later, and only a listing right after it may still show
/// what goes. The second look comes 100 ms after it, and the loop may be late for it.
const UNSEEN_AFTERMATH: Duration = Duration::from_millis(400);

/// So long after its carrier is back an interface may be without the addresses and routes that a network manager took from
/// it: a DHCP client repeats a request for about a minute before it begins anew (RFC 2131, section 4.1).
pub(super) const LEASE_WAIT: Duration = Duration::from_secs(60);

/// An interface name, as a number: comparing names for each of ten thousand routes would cost more than moving them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LanId(pub(super) u8);

/// A subject of the plan: an address on its home LAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SubjectId {
    pub(super) lan: LanId,
    pub(super) address: IpAddr,
}

/// A next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) lan: LanId,
    pub(super) via: IpAddr,
}

/// The engine's verdict on a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    Home,
    Detour(Way),
    Undecided,
}

/// What the verdicts on all subjects of a LAN, of one family, amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Stance {
    /// At least one detour is in force.
    Detoured,
    /// No detour, and something undecided or nothing known.
    #[default]
    Unclear,
    /// All are home.
    Home,
}

/// An address of a LAN's interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HomeAddress {
    pub(super) address: InterfaceAddress,
    /// False: it was there until the interface fell, and is not back.
    pub(super) present: bool,
}

/// An interface at a moment when all routes over it were known to stand, or to be missing: what it has been through
/// since may have taken routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vouched {
    pub(super) index: InterfaceIndex,
    pub(super) history: LinkHistory,
}

/// One interface, existing or not.
#[derive(Debug, Clone)]
pub(super) struct Lan {
    pub(super) name: String,
    /// A LAN of the engine's plan.
    pub(super) in_plan: bool,
    /// An interface of the watch's plan.
    pub(super) watched: bool,
    /// The watch's test address, which is none to be served.
    pub(super) test_address: Option<IpAddr>,
    pub(super) index: Option<InterfaceIndex>,
    /// The number before that: routes that went with it are found gone later.
    pub(super) former: Option<InterfaceIndex>,
    pub(super) up: bool,
    pub(super) carrier: bool,
    pub(super) addresses: Vec<HomeAddress>,
    /// Since when it has been up with the addresses that it has.
    pub(super) settled_since: Instant,
    /// Since when it has been up with a carrier, or was last.
    pub(super) running_since: Instant,
    /// When an IPv4 address last came or went.
    pub(super) ipv4_changed_at: Instant,
    /// When it last was left without an IPv4 address.
    lost_ipv4_at: Option<Instant>,
    stances: [Stance; 2],
    fell_at: Option<Instant>,
    /// When it was found to stand again. What it took may be found gone only then, however long it lay.
    stood_up_at: Option<Instant>,
    /// It fell before this run.
    fell_unseen: bool,
    bounced: bool,
    /// The route of its link-local address was deleted since the last look.
    lost_link_local: bool,
    pub(super) observed: bool,
    /// Since when there is no interface of this name.
    pub(super) absent_since: Option<Instant>,
    history: LinkHistory,
    vouched: Option<Vouched>,
    /// What it went through between the last run and this one.
    unwatched: Fall,
}

/// What changed at an interface from one look to the next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Change {
    /// State, number or addresses: all routes over it are to be looked at.
    pub(super) any: bool,
    /// An IPv4 address came or went.
    pub(super) ipv4: bool,
    /// Addresses that came back to where they belong.
    pub(super) returned: Vec<IpAddr>,
}

impl Lan {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            in_plan: false,
            watched: false,
            test_address: None,
            index: None,
            former: None,
            up: false,
            carrier: false,
            addresses: Vec::new(),
            settled_since: Instant::default(),
            running_since: Instant::default(),
            ipv4_changed_at: Instant::default(),
            lost_ipv4_at: None,
            stances: [Stance::default(); 2],
            fell_at: None,
            stood_up_at: None,
            fell_unseen: false,
            bounced: false,
            lost_link_local: false,
            observed: false,
            absent_since: None,
            history: LinkHistory::default(),
            vouched: None,
            unwatched: Fall::Stood,
        }
    }

    /// Whether its routes are looked at.
    pub(super) const fn is_seen(&self) -> bool {
        self.in_plan || self.watched
    }

    /// Whether it is up and has a carrier.
    pub(super) const fn is_running(&self) -> bool {
        self.up && self.carrier
    }

    /// Whether it has an address of this subnet.
    pub(super) fn has_subnet(&self, subnet: &IpNet) -> bool {
        self.addresses.iter().any(|home| home.present && home.address.prefix.trunc() == *subnet)
    }

    /// What the verdicts on its subjects of one family amount to.
    pub(super) const fn stance(&self, family: Family) -> Stance {
        match family {
            Family::V4 => self.stances[0],
            Family::V6 => self.stances[1],
        }
    }

    /// Returns whether that is news.
    pub(super) fn set_stances(&mut self, v4: Stance, v6: Stance) -> bool {
        std::mem::replace(&mut self.stances, [v4, v6]) != [v4, v6]
    }

    /// Whether a detour of either family is in force.
    pub(super) fn is_detoured(&self) -> bool {
        self.stances.contains(&Stance::Detoured)
    }

    /// Whether what vanishes from this interface at this moment went with it, and not by somebody's will.
    pub(super) fn is_falling(&self, now: Instant) -> bool {
        !self.up || self.has_just_fallen(now)
    }

    /// Whether IPv4 routes that vanish from this interface at this moment went with its last IPv4 address: the kernel
    /// removes them all then, without a word (Linux 6.18).
    pub(super) fn took_ipv4_routes(&self, now: Instant) -> bool {
        self.lost_ipv4_at.is_some_and(|at| now.since(at) <= AFTERMATH)
    }

    fn has_ipv4(&self) -> bool {
        self.addresses.iter().any(|h| h.present && h.address.address().is_ipv4())
    }

    /// As [`Self::is_falling`], for what was found gone at a moment, however long ago, and maybe is known to have come at
    /// one: that it came after the fall shows that it did not go with it.
    pub(super) fn may_have_taken(&self, gone: Instant, came: Option<Instant>) -> bool {
        let before = |at: Instant| came.is_none_or(|came| came <= at);
        !self.up || (self.has_just_fallen(gone) && self.fell_at.is_some_and(before))
    }

    /// Whether it fell a moment before, if it is up again.
    pub(super) fn has_just_fallen(&self, at: Instant) -> bool {
        self.last_fallen().is_some_and(|fallen| at.since(fallen) <= self.aftermath())
    }

    /// When it was last known to fall or to lie.
    fn last_fallen(&self) -> Option<Instant> {
        self.fell_at.max(self.stood_up_at)
    }

    const fn aftermath(&self) -> Duration {
        if self.fell_unseen { UNSEEN_AFTERMATH } else { AFTERMATH }
    }

    /// Whether its addresses and routes may be put back: up, and nothing has changed for `pause`.
    pub(super) fn is_settled(&self, now: Instant, pause: Duration) -> bool {
        self.up && now.since(self.settled_since) >= pause
    }

    /// Our address, present or remembered, whose prefix holds `neighbour`; the longest prefix first.
    pub(super) fn source_for(&self, neighbour: &IpAddr) -> Option<IpAddr> {
        let fits = |a: &&InterfaceAddress| {
            !a.tentative && a.prefix.contains(neighbour) && a.prefix.prefix_len() < a.prefix.max_prefix_len()
        };
        let best = |h: &&HomeAddress| {
            (h.address.prefix.prefix_len(), h.present, !h.address.secondary, !h.address.deprecated)
        };
        // Of equals the first, as the kernel.
        let fitting = self.addresses.iter().rev().filter(|h| fits(&&h.address));
        fitting.max_by_key(best).map(|h| h.address.address())
    }

    /// An address that packets to anywhere may bear: for a gateway with a link-local address, in whose subnet we have
    /// nothing that routers would forward.
    pub(super) fn global_source(&self, v4: bool) -> Option<IpAddr> {
        let fits = |a: &&InterfaceAddress| a.address().is_ipv4() == v4 && !a.tentative && is_global(a);
        let best = |h: &&HomeAddress| (h.present, !h.address.deprecated, h.address.permanent);
        let fitting = self.addresses.iter().rev().filter(|h| fits(&&h.address));
        fitting.max_by_key(best).map(|h| h.address.address())
    }

    /// The address that packets by this interface to a neighbour, or to anywhere, may bear now; never one that only
    /// means something on the link, and never the test address.
    pub(super) fn own_source(&self, neighbour: Option<&IpAddr>, v4: bool) -> Option<IpAddr> {
        let serves = |h: &&HomeAddress| {
            let a = &h.address;
            h.present && !a.tentative && a.address().is_ipv4() == v4 && is_global(a) && !self.is_test(a)
        };
        let near = |h: &HomeAddress| {
            let prefix = &h.address.prefix;
            neighbour.is_some_and(|n| prefix.prefix_len() < prefix.max_prefix_len() && prefix.contains(n))
        };
        let best = |h: &&HomeAddress| {
            let a = &h.address;
            let length = if near(h) { a.prefix.prefix_len() } else { 0 };
            (near(h), length, !a.secondary, !a.deprecated, a.permanent)
        };
        // Of equals the first, as the kernel.
        self.addresses.iter().rev().filter(serves).max_by_key(best).map(|h| h.address.address())
    }

    /// Kernels before 5.18 do not keep the mark by which a test address is known.
    fn is_test(&self, address: &InterfaceAddress) -> bool {
        self.test_address == Some(address.address()) && address.prefix.prefix_len() == 32
    }

    /// Whether it has this address, so that the kernel accepts it as a source.
    pub(super) fn holds(&self, address: &IpAddr) -> bool {
        let usable = |h: &HomeAddress| h.present && (address.is_ipv4() || (self.up && !h.address.tentative));
        self.addresses.iter().any(|h| h.address.address() == *address && usable(h))
    }

    /// Addresses that the interface lost when it fell.
    pub(super) fn absent(&self) -> impl Iterator<Item = &InterfaceAddress> {
        self.addresses.iter().filter(|h| !h.present).map(|h| &h.address)
    }

    /// An absent address is not to be waited for any longer.
    pub(super) fn forget(&mut self, address: &IpAddr) {
        self.addresses.retain(|h| h.present || h.address.address() != *address);
    }

    /// Notes that our own operation put an address back: that is no change to wait for.
    pub(super) fn restored(&mut self, address: &IpAddr) {
        for home in self.addresses.iter_mut().filter(|h| h.address.address() == *address) {
            home.present = true;
        }
    }

    pub(super) fn fell(&mut self, now: Instant) {
        (self.fell_at, self.fell_unseen) = (Some(now), false);
        self.bounced = true;
    }

    pub(super) fn lost_link_local(&mut self) {
        self.lost_link_local = true;
    }

    /// Takes over what the last run knew, before the first look.
    pub(super) fn recall(&mut self, record: InterfaceRecord) {
        self.up = true;
        self.vouched = record.vouched;
        self.addresses = record.addresses;
    }

    /// Whether it took routes along that the last run knew.
    pub(super) fn fall(&self, now: Instant) -> Fall {
        if self.is_falling(now) { Fall::Fell } else { self.unwatched }
    }

    /// Until when a loss is put down to its fall, if it is up again.
    pub(super) fn falls_until(&self) -> Option<Instant> {
        self.last_fallen().map(|at| at + self.aftermath() + Duration::from_nanos(1))
    }

    pub(super) const fn vouched(&self) -> Option<Vouched> {
        self.vouched
    }

    pub(super) fn is_vouched(&self) -> bool {
        self.vouched == self.present()
    }

    /// Whether it stood since it was vouched for, as far as can be told.
    pub(super) fn has_stood(&self, now: Instant) -> bool {
        let is_same = |vouched: Vouched| {
            Some(vouched.index) == self.index && self.history.since(&vouched.history) == Fall::Stood
        };
        self.up && !self.is_falling(now) && self.vouched.is_none_or(is_same)
    }

    /// All routes over it are accounted for.
    pub(super) fn vouch(&mut self) {
        self.vouched = self.present();
        self.unwatched = Fall::Stood;
    }

    fn present(&self) -> Option<Vouched> {
        self.index.map(|index| Vouched { index, history: self.history })
    }

    /// What it went through since it was vouched for.
    fn since_vouched(&self, seen: Option<&Interface>) -> Fall {
        match (self.vouched, seen) {
            (None, _) => Fall::Stood,
            (Some(vouched), Some(seen)) if seen.up && seen.index == vouched.index => {
                seen.history.since(&vouched.history)
            }
            (Some(_), _) => Fall::Fell,
        }
    }

    /// Compares with a fresh look.
    pub(super) fn observe(&mut self, now: Instant, seen: Option<&Interface>) -> Change {
        let first = !std::mem::replace(&mut self.observed, true);
        let up = seen.is_some_and(|i| i.up);
        let index = seen.map(|i| i.index);
        let carrier = seen.is_some_and(Interface::is_running);
        let remembers =
            |i: &Interface| i.up && self.up && !first && i.history.since(&self.history) == Fall::Fell;
        let remembers = seen.is_some_and(remembers);
        if first {
            self.unwatched = self.since_vouched(seen);
        }
        let bounced_now = std::mem::take(&mut self.bounced);
        let bounced =
            bounced_now | self.remakes_link_local(seen) | remembers | (first && self.unwatched == Fall::Fell);
        let fell = !up || (self.index != index && !first) || (!self.up && !first) || bounced;
        if fell && (self.up || index != self.index) {
            (self.fell_at, self.fell_unseen) = (Some(now), first && !bounced_now);
        }
        if up && !self.up && self.fell_at.is_some() {
            self.stood_up_at = Some(now);
        }
        // Sysctl keep_addr_on_down keeps IPv6 addresses listed, but they serve no more than lost ones.
        let serves = |a: &&InterfaceAddress| (up || a.address().is_ipv4()) && !self.is_test(a);
        let serving: Vec<_> = seen.iter().flat_map(|i| &i.addresses).filter(serves).cloned().collect();
        let change = self.compare_addresses(&serving, fell);
        let any = first
            || remembers
            || change.any
            || up != self.up
            || index != self.index
            || carrier != self.carrier;
        if change.any || (up && (!self.up || index != self.index)) {
            self.settled_since = now;
        }
        let lost_carrier = seen.is_some_and(|i| i.history.carrier_losses != self.history.carrier_losses);
        if carrier && (!self.is_running() || index != self.index || lost_carrier) {
            self.running_since = now;
        }
        if change.ipv4 {
            self.ipv4_changed_at = now;
            if !self.has_ipv4() {
                self.lost_ipv4_at = Some(now);
            }
        }
        if index != self.index {
            self.former = self.index.or(self.former);
        }
        (self.up, self.index, self.carrier) = (up, index, carrier);
        self.absent_since = if index.is_none() { self.absent_since.or(Some(now)) } else { None };
        self.history = seen.map_or(self.history, |i| i.history);
        if first && self.vouched.is_none() {
            // No route over it is known yet: whatever it goes through from here on may take some.
            self.vouched = self.present();
        }
        Change { any, ..change }
    }

    /// A link-local address that was lost, or was usable and is being checked for duplicates, and is there, shows a bounce
    /// that nobody saw: the kernel makes it anew. One that is not there was removed by somebody (`ip address flush`).
    fn remakes_link_local(&mut self, seen: Option<&Interface>) -> bool {
        let lost = std::mem::take(&mut self.lost_link_local);
        let is_usable = |a: &InterfaceAddress| !a.tentative && is_link_local(&a.address());
        let had = self.addresses.iter().any(|h| h.present && is_usable(&h.address));
        let mut there =
            seen.iter().flat_map(|i| &i.addresses).filter(|a| is_link_local(&a.address())).peekable();
        there.peek().is_some() && (lost || (had && !there.any(is_usable)))
    }

    /// Takes the addresses in; those that are gone are kept as absent if the interface fell, else forgotten.
    fn compare_addresses(&mut self, seen: &[InterfaceAddress], fell: bool) -> Change {
        let mut change = Change::default();
        let count_v4 =
            |all: &[HomeAddress]| all.iter().filter(|h| h.present && h.address.address().is_ipv4()).count();
        let (before, v4_before) = (self.addresses.len(), count_v4(&self.addresses));
        let is_seen = |h: &HomeAddress| seen.iter().any(|a| a.prefix == h.address.prefix);
        self.addresses.retain(|h| fell || !h.present || is_seen(h));
        change.any |= self.addresses.len() != before;
        for home in &mut self.addresses {
            let found = seen.iter().find(|a| a.prefix == home.address.prefix);
            change.any |= home.present != found.is_some();
            if !home.present && found.is_some() {
                change.returned.push(home.address.address());
            }
            home.present = found.is_some();
            if let Some(found) = found {
                change.any |= home.address.tentative != found.tentative;
                home.address = found.clone();
            }
        }
        for address in seen.iter().filter(|a| a.protocol != crate::route::PROTOCOL) {
            if !self.addresses.iter().any(|h| h.address.prefix == address.prefix) {
                self.addresses.push(HomeAddress { address: address.clone(), present: true });
                change.any = true;
            }
        }
        change.ipv4 = count_v4(&self.addresses) != v4_before;
        change
    }
}

/// Whether packets to anywhere may bear it.
pub(super) fn is_global(address: &InterfaceAddress) -> bool {
    !is_link_local(&address.address()) && address.scope < LINK_SCOPE && !address.address().is_loopback()
}
