//! One group: its members, what is around them, how fast it finds out; and the order of a turn.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::MOST_MEMBERS;
use super::detection::Detection;
use super::member::{ADDRESS_GRACE, Cause, Member, Recalled, State};
use super::surroundings::Surroundings;
use crate::config::{GroupConfig, MemberConfig};
use crate::interface::InterfaceIndex;
use crate::time::Instant;
use crate::watch::Context;
use crate::watch::input::{Found, Memory};
use crate::watch::plan::Plan;

/// Where nobody in the whole group can be asked for this long after a failure, links alone speak.
const TARGETLESS: Duration = Duration::from_secs(40);

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) config: GroupConfig,
    pub(super) members: Vec<Member>,
    pub(super) detection: Detection,
    pub(super) surroundings: Surroundings,
    /// Our own addresses, which are nobody's target.
    pub(super) own: BTreeSet<IpAddr>,
    /// Addresses that more than one member has.
    pub(super) shared: BTreeSet<IpAddr>,
    /// People have been told that all members have failed.
    pub(super) told_failed: bool,
    /// Since when nobody in the group can be asked.
    pub(super) targetless: Option<Instant>,
    /// When fresh links were asked for.
    pub(super) queried: Option<Instant>,
}

impl Group {
    pub(super) fn new(config: &GroupConfig, memory: &Memory) -> Self {
        let holds = |list: &[(String, String)], member: &MemberConfig| {
            list.iter().any(|(group, interface)| *group == config.name && *interface == member.interface)
        };
        let recalled = |member: &MemberConfig| Recalled {
            failed: holds(&memory.failed, member),
            active: holds(&memory.active, member),
        };
        let members = config.members.iter().take(MOST_MEMBERS);
        Self {
            config: config.clone(),
            members: members.map(|member| Member::new(member, recalled(member))).collect(),
            detection: Detection::new(config.detection_time),
            surroundings: Surroundings::default(),
            own: BTreeSet::new(),
            shared: BTreeSet::new(),
            told_failed: false,
            targetless: None,
            queried: None,
        }
    }

    /// Its members stand in for each other.
    pub(super) fn is_named(&self) -> bool {
        !self.config.name.is_empty()
    }

    /// Whether these settings are this group's: the name is, and of anonymous ones a member.
    pub(super) fn is_for(&self, config: &GroupConfig) -> bool {
        let same = |other: &MemberConfig| self.place_of(&other.interface).is_some();
        self.config.name == config.name && (self.is_named() || config.members.iter().any(same))
    }

    pub(super) fn place_of(&self, interface: &str) -> Option<usize> {
        self.members.iter().position(|member| member.name() == interface)
    }

    pub(super) fn member_at(&self, index: InterfaceIndex) -> Option<usize> {
        self.members.iter().position(|member| member.index == Some(index))
    }

    /// The settings changed: who stays keeps what is known of it.
    pub(super) fn reconfigure(&mut self, context: &mut Context<'_>, config: &GroupConfig) {
        if self.config == *config {
            return;
        }
        if self.config.detection_time != config.detection_time {
            self.detection = Detection::new(config.detection_time);
            self.members.iter_mut().flat_map(|member| member.instances.values_mut()).for_each(|instance| {
                instance.schedule.stop();
            });
        }
        let mut old = std::mem::take(&mut self.members);
        for wanted in config.members.iter().take(MOST_MEMBERS) {
            let known = old.iter().position(|member| member.name() == wanted.interface);
            // Who joins is in service as if it always had been: FAILBACK=no holds back only who failed.
            let joins = Recalled { failed: false, active: !wanted.standby };
            let mut member = known.map_or_else(|| Member::new(wanted, joins), |place| old.swap_remove(place));
            member.config = wanted.clone();
            member.is_fresh = true;
            self.members.push(member);
        }
        old.iter_mut().for_each(|member| member.give_up(context.probes));
        self.surroundings.keep_only(|name| config.members.iter().any(|member| member.interface == name));
        self.config = config.clone();
        self.review_standbys(context);
    }

    /// The group is no more.
    pub(super) fn give_up(&mut self, context: &mut Context<'_>) {
        self.members.iter_mut().for_each(|member| member.give_up(context.probes));
    }

    pub(super) fn on_routes(&mut self, context: &mut Context<'_>, found: &[Found]) {
        self.surroundings.see_routes(found, &self.members);
        self.see_targets(context);
    }

    pub(super) fn on_neighbours(&mut self, interface: InterfaceIndex, addresses: &[IpAddr]) {
        if let Some(place) = self.member_at(interface) {
            self.surroundings.see_neighbours(self.members[place].name(), addresses);
        }
    }

    /// After every input: what is due, what follows from it, and who carries traffic then.
    pub(super) fn turn(&mut self, context: &mut Context<'_>) {
        self.probe(context);
        self.review(context);
        self.settle(context);
        self.tell_group(context);
    }

    /// No member functions.
    pub(super) fn has_failed(&self) -> bool {
        self.is_named() && !self.members.iter().any(Member::functions)
    }

    /// When to come back.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.members.iter().filter_map(|member| self.deadline_of(member)).min()
    }

    fn deadline_of(&self, member: &Member) -> Option<Instant> {
        let probes = member.instances.values().filter_map(|instance| instance.schedule.next()).min();
        let mute = (!member.told.mute && member.wants_address() && !member.is_probed())
            .then(|| member.link_since + ADDRESS_GRACE);
        let repair = match member.state {
            State::Failed(_) if member.has_link => self.repair_by_link_at(member),
            State::New | State::Running(_) | State::NoTargets(_) | State::Failed(_) | State::Offline(_) => {
                None
            }
        };
        [probes, mute.filter(|_| member.index.is_some()), repair].into_iter().flatten().min()
    }

    /// When a link that is up may prove a failed member repaired all by itself; none if it cannot.
    pub(super) fn repair_by_link_at(&self, member: &Member) -> Option<Instant> {
        let State::Failed(cause) = member.state else { return None };
        let nobody = !member.is_capable();
        let trusted = member.flaps.trusted_from();
        match cause {
            Cause::Gone => Some(trusted),
            _ if !member.is_probed() => Some(trusted.max(member.address_expected_until()?)),
            Cause::Link if nobody => Some(trusted),
            Cause::Group if nobody && !self.has_failed() => Some(member.link_since),
            Cause::Link | Cause::Group | Cause::Silent | Cause::Remembered => {
                self.targetless.filter(|_| nobody).map(|since| since + TARGETLESS)
            }
        }
    }

    /// What is wanted of the kernel.
    pub(super) fn add_to(&self, plan: &mut Plan) {
        for member in &self.members {
            let name = member.name().to_owned();
            if !plan.interfaces.contains(&name) {
                plan.interfaces.push(name.clone());
            }
            if self.is_named() {
                plan.members.insert(name.clone(), member.place.clone());
            }
            if let Some(IpAddr::V4(address)) = member.config.test_address
                && member.makes_address
            {
                plan.test_addresses.insert(name.clone(), address);
            }
            if member.shall_be_up && !plan.up.contains(&name) {
                plan.up.push(name);
            }
        }
    }

    /// Each member, whether it has failed, and whether it is active: for the next run.
    pub(super) fn memories(&self) -> impl Iterator<Item = ((&str, &str), bool, bool)> {
        self.members.iter().map(|member| {
            let active = if member.state == State::New { member.recalled.active } else { member.is_active() };
            ((self.config.name.as_str(), member.name()), member.has_failed(), active)
        })
    }
}
