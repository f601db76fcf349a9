//! One interface of a group: its state, and what is known of its link and addresses.
//!
//! ```text
//!            +--> Running <--> NoTargets     both function; on duty (active) or held back (inactive)
//!   New -----+       |   ^         |
//!            |       v   |         v
//!            +----> Failed <-------+         with the cause, which says what proof a repair needs
//!                      ^
//!                      v
//!                   Offline                  the administrator's will, or a hardware address that is not its own
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::flaps::Flaps;
use super::instance::Instance;
use super::notice::Failure;
use crate::config::MemberConfig;
use crate::interface::{Family, Interface, InterfaceIndex, MacAddress};
use crate::time::Instant;
use crate::watch::plan;
use crate::watch::probes::Probes;

/// Whether a member that functions carries traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duty {
    Active,
    Inactive,
}

/// Why a member failed; says what proves it repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Its link is down: answers, or the link where nobody can be asked.
    Link,
    /// Its interface is not there: the next one of this name is new.
    Gone,
    /// Probes by it are not answered: answers.
    Silent,
    /// It had nobody to ask when all others fell silent: as soon as another is repaired.
    Group,
    /// It had failed when faild last ran: answers, or a verdict of this run.
    Remembered,
}

impl Cause {
    /// What it is when a second failure is added to the first.
    fn and(self, next: Cause) -> Cause {
        match (self, next) {
            (Cause::Remembered | Cause::Group, next) => next,
            (Cause::Link, Cause::Gone) | (Cause::Gone, Cause::Link) => next,
            (Cause::Link | Cause::Gone | Cause::Silent, _) => self,
        }
    }
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Link => Failure::Link,
            Cause::Gone => Failure::Gone,
            Cause::Silent | Cause::Group | Cause::Remembered => Failure::NoReply,
        }
    }
}

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Its interface has not been seen yet.
    New,
    /// It works, as far as anybody knows.
    Running(Duty),
    /// It has a test address and nobody to ask: its link alone speaks for it.
    NoTargets(Duty),
    Failed(Cause),
    /// Out of service; with what it will be when it comes back.
    Offline(Option<Cause>),
}

/// What happens to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// Its interface is there for the first time.
    Seen(Duty),
    /// The same, and it had failed when faild last ran.
    Recalled,
    TargetsLost,
    TargetsFound,
    Fail(Cause),
    Repair(Duty),
    /// Others have failed or were repaired.
    Assign(Duty),
    Withdraw,
    Return(Duty),
}

impl State {
    /// The state after an event: the whole of it.
    pub(super) fn after(self, event: Event) -> Self {
        use Event::{Assign, Fail, Recalled, Repair, Return, Seen, TargetsFound, TargetsLost, Withdraw};
        use State::{Failed, New, NoTargets, Offline, Running};
        match (self, event) {
            (New, Seen(duty)) => Running(duty),
            (New, Recalled) => Failed(Cause::Remembered),
            (New, TargetsLost | TargetsFound | Fail(_) | Repair(_) | Assign(_) | Withdraw | Return(_)) => New,

            (Running(duty), TargetsLost) => NoTargets(duty),
            (Running(_), Assign(duty)) => Running(duty),
            (Running(_), Seen(_) | Recalled | TargetsFound | Repair(_) | Return(_)) => self,

            (NoTargets(duty), TargetsFound) => Running(duty),
            (NoTargets(_), Assign(duty)) => NoTargets(duty),
            (NoTargets(_), Seen(_) | Recalled | TargetsLost | Repair(_) | Return(_)) => self,

            (Running(_) | NoTargets(_), Fail(cause)) => Failed(cause),
            (Running(_) | NoTargets(_), Withdraw) => Offline(None),

            (Failed(first), Fail(cause)) => Failed(first.and(cause)),
            (Failed(_), Repair(duty)) => Running(duty),
            (Failed(cause), Withdraw) => Offline(Some(cause)),
            (Failed(_), Seen(_) | Recalled | TargetsLost | TargetsFound | Assign(_) | Return(_)) => self,

            (Offline(None), Fail(cause)) => Offline(Some(cause)),
            (Offline(Some(first)), Fail(cause)) => Offline(Some(first.and(cause))),
            (Offline(_), Repair(_)) => Offline(None),
            (Offline(None), Return(duty)) => Running(duty),
            (Offline(Some(cause)), Return(_)) => Failed(cause),
            (Offline(_), Seen(_) | Recalled | TargetsLost | TargetsFound | Assign(_) | Withdraw) => self,
        }
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) config: MemberConfig,
    pub(super) state: State,
    /// The kernel's number; none: it is not there.
    pub(super) index: Option<InterfaceIndex>,
    pub(super) mac: Option<MacAddress>,
    /// The hardware address is another member's, who had it first.
    pub(super) duplicate_mac: bool,
    pub(super) has_link: bool,
    pub(super) link_since: Instant,
    pub(super) flaps: Flaps,
    /// The families that can be probed.
    pub(super) instances: BTreeMap<Family, Instance>,
    /// What becomes of routes over it.
    pub(super) place: plan::Member,
    /// It has not been looked at since it came, or since the settings changed.
    pub(super) is_fresh: bool,
    /// It shall be set up: it was found down when it was fresh.
    pub(super) shall_be_up: bool,
    /// The families of the addresses that it has for data.
    pub(super) families: BTreeSet<Family>,
    /// IPv4: faild makes the test address, because the interface has it not.
    pub(super) makes_address: bool,
    /// The IPv6 address is being checked for duplicates.
    pub(super) awaits_address: bool,
    pub(super) told: Told,
    /// What was known when faild last ran.
    pub(super) recalled: Recalled,
}

/// What people have been told of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Told {
    pub(super) flapping: bool,
    pub(super) mute: bool,
    pub(super) deprecated: bool,
}

/// What was known of a member when faild last ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Recalled {
    pub(super) failed: bool,
    pub(super) active: bool,
}

/// Probes in a row until a member has failed, and until it is repaired (in.mpathd).
pub(super) const LOSSES: u32 = 5;
pub(super) const REPAIRS: u32 = 10;

/// An address may still come within this time (in.mpathd: before it tells that there is none).
pub(super) const ADDRESS_GRACE: Duration = Duration::from_secs(20);

impl Member {
    pub(super) fn new(config: &MemberConfig, recalled: Recalled) -> Self {
        Self {
            config: config.clone(),
            state: State::New,
            index: None,
            mac: None,
            duplicate_mac: false,
            has_link: false,
            link_since: Instant::default(),
            flaps: Flaps::default(),
            instances: BTreeMap::new(),
            place: plan::Member::Undecided,
            is_fresh: true,
            shall_be_up: false,
            families: BTreeSet::new(),
            makes_address: false,
            awaits_address: false,
            told: Told::default(),
            recalled,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.config.interface
    }

    /// It has not failed and is in service.
    pub(super) fn functions(&self) -> bool {
        matches!(self.state, State::Running(_) | State::NoTargets(_))
    }

    /// It carries traffic.
    pub(super) fn is_active(&self) -> bool {
        matches!(self.state, State::Running(Duty::Active) | State::NoTargets(Duty::Active))
    }

    /// It functions and is held back.
    pub(super) fn is_spare(&self) -> bool {
        self.functions() && !self.is_active()
    }

    pub(super) fn is_offline(&self) -> bool {
        matches!(self.state, State::Offline(_))
    }

    pub(super) fn has_failed(&self) -> bool {
        match self.state {
            State::New => self.recalled.failed,
            State::Failed(_) | State::Offline(Some(_)) => true,
            State::Running(_) | State::NoTargets(_) | State::Offline(None) => false,
        }
    }

    /// It has an address to probe from that is nobody else's.
    pub(super) fn is_probed(&self) -> bool {
        self.instances.values().any(|instance| instance.unique)
    }

    /// And somebody to ask.
    pub(super) fn is_capable(&self) -> bool {
        self.instances.values().any(Instance::is_capable)
    }

    /// Whether probes are sent by it.
    pub(super) fn may_probe(&self) -> bool {
        self.has_link && self.index.is_some() && !self.is_offline() && self.state != State::New
    }

    /// When the latest probe that was answered was sent.
    pub(super) fn proven(&self) -> Option<Instant> {
        self.instances.values().filter_map(|instance| instance.proven).max()
    }

    /// Since when nothing by it is answered, in any family that can be probed, and how many probes that were.
    pub(super) fn silence(&self) -> Option<(Instant, u32)> {
        let mut capable = self.instances.values().filter(|instance| instance.is_capable()).peekable();
        capable.peek()?;
        let runs: Option<Vec<_>> = capable.map(|instance| instance.ring.losses()).collect();
        let runs = runs?;
        let since = runs.iter().map(|run| run.since).max()?;
        let losses = runs.iter().map(|run| run.count).min()?;
        (losses >= LOSSES).then_some((since, losses))
    }

    /// It has failed and is answered again. After a failure of the whole group members return one after the other: who
    /// is about to keeps its traffic, which would only move to and fro.
    pub(super) fn is_returning(&self) -> bool {
        let is_answered = |instance: &Instance| instance.is_capable() && instance.ring.answers().is_some();
        self.has_failed() && self.has_link && self.instances.values().any(is_answered)
    }

    /// It is wished that it is probed.
    pub(super) fn wants_address(&self) -> bool {
        self.config.test_address.is_some() || self.config.ipv6
    }

    /// Until when an address to probe from may yet come; none: it is coming.
    pub(super) fn address_expected_until(&self) -> Option<Instant> {
        let made = self.config.test_address.is_some() && !self.instances.contains_key(&Family::V4);
        let until = if made { self.link_since + ADDRESS_GRACE } else { Instant::default() };
        (!self.awaits_address).then_some(until)
    }

    /// It failed: what was measured by it means nothing.
    pub(super) fn forget_round_trips(&mut self) {
        self.instances.values_mut().for_each(|instance| instance.targets.forget_round_trips());
    }

    /// Forgets all probes by it.
    pub(super) fn give_up(&mut self, probes: &mut Probes) {
        self.instances.values_mut().for_each(|instance| instance.wipe(probes));
        self.instances.clear();
    }

    /// Who stands in for it.
    pub(super) fn stand_in(&self) -> Option<&str> {
        match &self.place {
            plan::Member::StandIn(name) => Some(name),
            plan::Member::Home | plan::Member::Undecided => None,
        }
    }

    /// The address that a family is probed from: the configured one if the interface has it, and the link-local one.
    pub(super) fn test_address(&self, interface: &Interface, family: Family) -> Option<IpAddr> {
        match family {
            Family::V4 => {
                let wanted = self.config.test_address.filter(IpAddr::is_ipv4)?;
                let mut usable = interface.addresses.iter().filter(|address| !address.tentative);
                usable.any(|address| address.address() == wanted).then_some(wanted)
            }
            Family::V6 => interface.link_local().filter(|_| self.config.ipv6).map(IpAddr::V6),
        }
    }
}
