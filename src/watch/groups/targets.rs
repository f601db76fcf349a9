//! Who is asked by one family of a member: routers and configured hosts, or hosts that were found.
//!
//! ```text
//!   Active <---> Unused     at most five are asked in turn
//!     |  ^
//!     v  | 60 s
//!   Slow, Dead              left out while the others do well; a host that was found is forgotten instead
//! ```

use std::net::IpAddr;
use std::time::Duration;

use super::detection::RoundTrip;
use crate::time::Instant;

/// Targets asked at most, and so many of the rest are tried at once when none is left (in.mpathd).
pub(super) const MOST_ACTIVE: usize = 5;
pub(super) const LEAST_ACTIVE: usize = 3;

/// Routers and configured hosts of one family at most.
pub(super) const MOST: usize = 16;

/// How long a slow or dead target is left out.
const RECOVERY: Duration = Duration::from_secs(60);

/// What a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A next hop in the routing table.
    Router,
    /// In the configuration.
    Configured,
    /// It answered when anybody was asked.
    Host,
}

/// Whether it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Active,
    Unused,
    /// Its answers take far longer than those of the others.
    Slow {
        since: Instant,
    },
    /// It does not answer, others do.
    Dead {
        since: Instant,
    },
}

/// One that may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) address: IpAddr,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) status: Status,
    pub(super) round_trip: RoundTrip,
    pub(super) answered: Option<Instant>,
}

impl Target {
    pub(super) fn new(address: IpAddr, name: String, kind: Kind) -> Self {
        let status = if kind == Kind::Host { Status::Active } else { Status::Unused };
        Self { address, name, kind, status, round_trip: RoundTrip::default(), answered: None }
    }

    pub(super) fn is_active(&self) -> bool {
        self.status == Status::Active
    }

    /// The best to try first: lower is better.
    fn rank(&self, now: Instant) -> u8 {
        match self.status {
            Status::Active | Status::Unused => 0,
            Status::Slow { since } if now >= since + RECOVERY => 1,
            Status::Slow { .. } => 2,
            Status::Dead { since } if now >= since + RECOVERY => 3,
            Status::Dead { .. } => 4,
        }
    }
}

/// See the module. All are hosts that were found, or none is.
#[derive(Debug, Clone, Default)]
pub(super) struct Targets {
    list: Vec<Target>,
    /// Who was asked last, and who by probes that only measure.
    last: Option<IpAddr>,
    last_timed: Option<IpAddr>,
}

impl Targets {
    /// The routers and configured hosts are these, the preferred ones first. Returns who is no target any more.
    pub(super) fn set_named(&mut self, named: Vec<Target>) -> Vec<IpAddr> {
        let stays = |target: &Target| {
            if named.is_empty() {
                target.kind == Kind::Host
            } else {
                named.iter().any(|other| other.address == target.address)
            }
        };
        let (kept, gone): (Vec<_>, Vec<_>) = self.list.drain(..).partition(stays);
        if named.is_empty() {
            self.list = kept;
        } else {
            let old = |new: Target| match kept.iter().find(|target| target.address == new.address) {
                Some(known) if known.kind != Kind::Host => {
                    Target { kind: new.kind, name: new.name, ..known.clone() }
                }
                Some(host) => Target { round_trip: host.round_trip, answered: host.answered, ..new },
                None => new,
            };
            self.list = named.into_iter().take(MOST).map(old).collect();
        }
        self.prefer_routers();
        self.fill();
        gone.into_iter().map(|target| target.address).collect()
    }

    /// A host answered when anybody was asked. False if it is not needed.
    pub(super) fn add_host(&mut self, host: IpAddr) -> bool {
        if !self.wants_hosts() || self.get(host).is_some() {
            return false;
        }
        self.list.push(Target::new(host, host.to_string(), Kind::Host));
        true
    }

    /// Whether hosts may be added.
    pub(super) fn wants_hosts(&self) -> bool {
        self.list.len() < MOST_ACTIVE && self.list.iter().all(|target| target.kind == Kind::Host)
    }

    /// Whether there are so few that hosts are looked for: none, or one that was found.
    pub(super) fn needs_hosts(&self) -> bool {
        match self.list.as_slice() {
            [] => true,
            [only] => only.kind == Kind::Host,
            [_, _, ..] => false,
        }
    }

    /// Forgets the hosts that were found; returns them.
    pub(super) fn clear_hosts(&mut self) -> Vec<IpAddr> {
        let (hosts, named): (Vec<_>, Vec<_>) =
            self.list.drain(..).partition(|target| target.kind == Kind::Host);
        self.list = named;
        hosts.into_iter().map(|target| target.address).collect()
    }

    /// The next one in turn.
    pub(super) fn next(&mut self, now: Instant) -> Option<IpAddr> {
        self.recover(now);
        self.last = self.after(self.last);
        self.last
    }

    /// The next one in turn for a probe that only measures.
    pub(super) fn next_timed(&mut self) -> Option<IpAddr> {
        self.last_timed = self.after(self.last_timed);
        self.last_timed
    }

    /// A target is left out: it is dead, or slow.
    pub(super) fn drop_out(&mut self, address: IpAddr, now: Instant, status: Status) {
        self.list.retain(|target| target.address != address || target.kind != Kind::Host);
        if let Some(target) = self.get_mut(address) {
            target.status = status;
        }
        self.fill();
        if self.active().next().is_none() {
            self.revive(now);
        }
    }

    pub(super) fn get(&self, address: IpAddr) -> Option<&Target> {
        self.list.iter().find(|target| target.address == address)
    }

    pub(super) fn get_mut(&mut self, address: IpAddr) -> Option<&mut Target> {
        self.list.iter_mut().find(|target| target.address == address)
    }

    pub(super) fn active(&self) -> impl Iterator<Item = &Target> {
        self.list.iter().filter(|target| target.is_active())
    }

    pub(super) fn hosts(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.list.iter().filter(|target| target.kind == Kind::Host).map(|target| target.address)
    }

    /// Those that are asked in the order in which they are, then the others.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &Target> {
        let mut asked: Vec<&Target> = self.active().collect();
        let last = asked.iter().position(|target| Some(target.address) == self.last);
        let count = asked.len();
        asked.rotate_left(last.map_or(0, |last| last + 1).min(count));
        asked.into_iter().chain(self.list.iter().filter(|target| !target.is_active()))
    }

    /// The member failed: what was measured by it means nothing.
    pub(super) fn forget_round_trips(&mut self) {
        self.list.iter_mut().for_each(|target| target.round_trip = RoundTrip::default());
    }

    fn after(&self, last: Option<IpAddr>) -> Option<IpAddr> {
        let place = self.list.iter().position(|target| Some(target.address) == last);
        let first = place.map_or(0, |place| place + 1);
        let mut turn = self.list.iter().cycle().skip(first).take(self.list.len());
        turn.find(|target| target.is_active()).map(|target| target.address)
    }

    /// Those that were left out for long enough may be asked again.
    fn recover(&mut self, now: Instant) {
        for target in &mut self.list {
            if matches!(target.rank(now), 1 | 3) {
                target.status = Status::Unused;
            }
        }
        self.fill();
    }

    fn fill(&mut self) {
        let room = MOST_ACTIVE.saturating_sub(self.active().count());
        let unused = self.list.iter_mut().filter(|target| target.status == Status::Unused);
        unused.take(room).for_each(|target| target.status = Status::Active);
    }

    /// Routers of the routing table have the places of configured hosts.
    fn prefer_routers(&mut self) {
        let waiting = |target: &&Target| target.kind == Kind::Router && target.status == Status::Unused;
        let needed = self.list.iter().filter(waiting).count();
        let room = MOST_ACTIVE.saturating_sub(self.active().count());
        let configured = |target: &&mut Target| target.kind == Kind::Configured && target.is_active();
        let yielding = self.list.iter_mut().rev().filter(configured).take(needed.saturating_sub(room));
        yielding.for_each(|target| target.status = Status::Unused);
    }

    fn revive(&mut self, now: Instant) {
        let mut best: Vec<(u8, usize)> =
            self.list.iter().enumerate().map(|(place, target)| (target.rank(now), place)).collect();
        best.sort_unstable();
        for (_, place) in best.into_iter().take(LEAST_ACTIVE) {
            self.list[place].status = Status::Active;
        }
    }
}
