//! The static routes and IPv6 addresses of the host: the kernel drops them with their interface, and nobody but faild puts
//! them back. It owes all that a daemon saw standing and that its owner did not take away.

use std::collections::BTreeMap;
use std::time::Duration;

use faild::interface::{Family, Interface, InterfaceIndex};
use faild::time::Instant;
use ipnet::IpNet;

use super::world::Port;
use crate::kernel::{Kernel, RoutePlan, has};

/// RTPROT_STATIC of rtnetlink(7).
pub const STATIC: u8 = 4;

/// What the host was given for good.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing {
    /// The lease of this place.
    Route(usize),
    /// An address of the port of this place.
    Address(usize, IpNet),
}

/// How it is with one of them.
#[derive(Debug, Clone, Copy)]
struct Account {
    stands: bool,
    /// It has stood only while no daemon looked.
    is_unseen: bool,
    /// Its owner took it away, or it went unseen: whoever wants it puts it there himself.
    is_taken: bool,
    /// The daemon saw that, and the interface has not fallen since: it may not put it back.
    is_refused: bool,
    /// Since when the kernel would accept it.
    due_since: Option<Instant>,
    /// The interface, when that last was looked at.
    index: Option<InterfaceIndex>,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Losses {
    accounts: BTreeMap<Thing, Account>,
}

impl Losses {
    /// All that there is to lose.
    pub fn new(ports: &[Port], leases: &[RoutePlan]) -> Self {
        let is_static = |at: &usize| leases[*at].protocol == STATIC;
        let routes = (0..leases.len()).filter(is_static).map(Thing::Route);
        let of = |(at, port): (usize, &Port)| {
            let v6: Vec<IpNet> =
                port.plan.addresses.iter().copied().filter(|prefix| prefix.addr().is_ipv6()).collect();
            v6.into_iter().map(move |prefix| Thing::Address(at, prefix))
        };
        let account = Account {
            stands: false,
            is_unseen: true,
            is_taken: false,
            is_refused: false,
            due_since: None,
            index: None,
        };
        let things = routes.chain(ports.iter().enumerate().flat_map(of));
        Self { accounts: things.map(|thing| (thing, account)).collect() }
    }

    /// Looks at the kernel after anything has happened. `watches`: a daemon sees it, too.
    pub fn look(
        &mut self,
        now: Instant,
        kernel: &Kernel,
        ports: &[Port],
        leases: &[RoutePlan],
        watches: bool,
    ) {
        for (thing, account) in &mut self.accounts {
            let interface = kernel.interface(interface_of(thing, ports, leases)).filter(|i| i.up);
            let index = interface.map(|i| i.index);
            account.is_refused &= index.is_some() && index == account.index;
            account.index = index;
            let stands = stands(thing, kernel, ports, leases);
            if stands {
                account.is_unseen = !watches && (account.is_unseen || !account.stands);
                account.is_taken = false;
                account.is_refused = false;
            } else {
                account.is_taken |= account.is_unseen;
            }
            account.stands = stands;
            let is_due = !stands && !account.is_taken && interface.is_some_and(|i| fits(thing, i, leases));
            account.due_since = is_due.then(|| account.due_since.unwrap_or(now));
        }
    }

    /// Its owner takes it away, if it stands. `is_seen`: before the eyes of a daemon that has nothing else to think of.
    pub fn take(&mut self, thing: &Thing, is_seen: bool) {
        if let Some(account) = self.accounts.get_mut(thing).filter(|account| account.stands) {
            (account.is_taken, account.is_refused, account.stands) = (true, is_seen, false);
        }
    }

    /// Whether nobody but faild puts it back.
    pub fn is_owed(&self, thing: &Thing) -> bool {
        self.accounts.get(thing).is_some_and(|account| !account.is_taken)
    }

    /// Whether faild may not put it back.
    pub fn is_refused(&self, thing: &Thing) -> bool {
        self.accounts.get(thing).is_some_and(|account| account.is_refused)
    }

    /// What faild has owed for longer than this.
    pub fn overdue(&self, now: Instant, patience: Duration) -> Option<&Thing> {
        let is_late = |account: &Account| account.due_since.is_some_and(|at| now.since(at) > patience);
        self.accounts.iter().find(|(_, account)| is_late(account)).map(|(thing, _)| thing)
    }

    /// What does not stand.
    pub fn missing(&self, kernel: &Kernel, ports: &[Port], leases: &[RoutePlan]) -> Option<&Thing> {
        self.accounts.keys().find(|thing| !stands(thing, kernel, ports, leases))
    }
}

fn interface_of<'a>(thing: &Thing, ports: &'a [Port], leases: &'a [RoutePlan]) -> &'a str {
    match thing {
        Thing::Route(at) => &leases[*at].interface,
        Thing::Address(at, _) => &ports[*at].plan.name,
    }
}

fn stands(thing: &Thing, kernel: &Kernel, ports: &[Port], leases: &[RoutePlan]) -> bool {
    match thing {
        Thing::Route(at) => kernel.stands(&leases[*at]),
        Thing::Address(at, prefix) => {
            kernel.interface(&ports[*at].plan.name).is_some_and(|i| has(i, &prefix.addr()))
        }
    }
}

/// Whether an interface that is up takes it.
fn fits(thing: &Thing, interface: &Interface, leases: &[RoutePlan]) -> bool {
    match thing {
        Thing::Route(at) => {
            let gateway = leases[*at].gateway;
            let of_family = Family::of(&gateway);
            interface
                .addresses
                .iter()
                .any(|a| Family::of(&a.address()) == of_family && a.prefix.contains(&gateway))
        }
        Thing::Address(..) => true,
    }
}
