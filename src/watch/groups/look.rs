//! What the host's interfaces show of the members: whether they are there, links, hardware and test addresses, and what the
//! administrator has taken out of service. Levels, not edges: all of it is looked at before anything is judged.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::activation::Entry;
use super::group::Group;
use super::instance::Instance;
use super::member::{ADDRESS_GRACE, Cause, Duty, Event, Member, State};
use super::notice::{Notice, Proof};
use crate::gather::Gather;
use crate::group::Suspicion;
use crate::interface::{Family, Interface, InterfaceAddress, LINK_SCOPE, MacAddress};
use crate::route::PROTOCOL;
use crate::watch::Context;

/// What changed about links since the last look, by places of members.
#[derive(Debug, Default)]
struct Links {
    lost: Vec<usize>,
    regained: Vec<usize>,
}

impl Group {
    /// See the module.
    pub(super) fn look(&mut self, context: &mut Context<'_>) {
        let addresses = context.interfaces.iter().flat_map(|interface| &interface.addresses);
        self.own = addresses.map(InterfaceAddress::address).gather();
        let arrived = self.see_presence(context);
        self.see_hardware_addresses(context);
        self.see_test_addresses(context);
        self.see_targets(context);
        self.welcome(context, &arrived);
        let links = self.see_links(context);
        self.see_offline(context);
        self.judge_links(context, &links);
    }

    /// Which interfaces are there, by name; returns the places of members that were never seen.
    fn see_presence(&mut self, context: &mut Context<'_>) -> Vec<usize> {
        let mut arrived = Vec::new();
        for (place, member) in self.members.iter_mut().enumerate() {
            let interface = context.interfaces.iter().find(|interface| interface.name == member.name());
            let index = interface.map(|interface| interface.index);
            if index != member.index {
                member.give_up(context.probes);
                member.index = index;
                member.is_fresh = true;
            }
            let Some(interface) = interface else { continue };
            if std::mem::take(&mut member.is_fresh) {
                member.shall_be_up = member.config.bring_up && !interface.up;
            }
            member.shall_be_up &= !interface.up;
            if member.state == State::New {
                member.has_link = true;
                member.link_since = context.now;
                arrived.push(place);
            }
        }
        arrived
    }

    /// Members that are there for the first time: those that are no standbys first, which are counted by the others.
    fn welcome(&mut self, context: &mut Context<'_>, arrived: &[usize]) {
        let (standbys, others): (Vec<usize>, Vec<usize>) =
            arrived.iter().partition(|place| self.members[**place].config.standby);
        for place in others.into_iter().chain(standbys) {
            let event = if self.members[place].recalled.failed {
                Event::Recalled
            } else {
                Event::Seen(self.admit(context, place, Entry::New))
            };
            self.members[place].state = self.members[place].state.after(event);
        }
    }

    /// Two members with one hardware address deceive the switch: who came to it last goes out of service.
    fn see_hardware_addresses(&mut self, context: &mut Context<'_>) {
        let mut fresh = Vec::new();
        for (place, member) in self.members.iter_mut().enumerate() {
            let mac = context.interface(member.name()).and_then(|interface| interface.mac);
            if member.mac != mac || member.state == State::New {
                member.mac = mac;
                fresh.push(place);
            }
        }
        if !self.is_named() {
            return;
        }
        let mut owners: BTreeMap<MacAddress, usize> = BTreeMap::new();
        let settled =
            |group: &Group, place: &usize| !fresh.contains(place) && !group.members[*place].duplicate_mac;
        let (old, new): (Vec<usize>, Vec<usize>) =
            (0..self.members.len()).partition(|place| settled(self, place));
        for place in old.into_iter().chain(new) {
            let Some(mac) = self.members[place].mac else {
                self.members[place].duplicate_mac = false;
                continue;
            };
            let owner = *owners.entry(mac).or_insert(place);
            self.set_duplicate_mac(context, place, (owner != place).then_some((owner, mac)));
        }
    }

    fn set_duplicate_mac(
        &mut self,
        context: &mut Context<'_>,
        place: usize,
        owner: Option<(usize, MacAddress)>,
    ) {
        let before = std::mem::replace(&mut self.members[place].duplicate_mac, owner.is_some());
        let interface = self.members[place].name().to_owned();
        let group = self.config.name.clone();
        match owner {
            Some((owner, mac)) if !before => {
                let other = self.members[owner].name().to_owned();
                context.notice(Notice::MacDuplicate { interface, group, other, mac });
            }
            None if before => context.notice(Notice::MacUnique { interface, group }),
            Some(_) | None => {}
        }
    }

    /// The addresses that members are probed from.
    fn see_test_addresses(&mut self, context: &mut Context<'_>) {
        for member in &mut self.members {
            let interface = context.interfaces.iter().find(|interface| interface.name == member.name());
            let Some(interface) = interface else { continue };
            for family in [Family::V4, Family::V6] {
                let address = member.test_address(interface, family);
                if address != member.instances.get(&family).map(|instance| instance.address) {
                    if let Some(mut old) = member.instances.remove(&family) {
                        old.wipe(context.probes);
                    }
                    let new = address.map(|address| Instance::new(context.now, address, context.random));
                    member.instances.extend(new.map(|instance| (family, instance)));
                }
            }
            let usable = |address: &&InterfaceAddress| {
                Some(address.address()) != member.config.test_address && !is_link_local(address.address())
            };
            let data = interface.addresses.iter().filter(usable);
            member.families = data.map(|address| Family::of(&address.address())).gather();
            member.makes_address = makes_address(member, interface);
            member.awaits_address = member.config.ipv6
                && interface.addresses.iter().any(|a| a.tentative && is_link_local(a.address()));
        }
        self.see_shared_addresses(context);
        self.warn_of_deprecated(context);
    }

    /// An address that two members have cannot tell them apart: neither is probed from it.
    fn see_shared_addresses(&mut self, context: &mut Context<'_>) {
        let mut holders: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
        for (place, member) in self.members.iter().enumerate().filter(|_| self.is_named()) {
            let wanted = member.config.test_address.filter(|_| member.index.is_some());
            let v6 = member.instances.get(&Family::V6).map(|instance| instance.address);
            for address in wanted.into_iter().chain(v6) {
                holders.entry(address).or_default().push(place);
            }
        }
        holders.retain(|_, places| places.len() > 1);
        let group = &self.config.name;
        for (address, places) in holders.iter().filter(|(address, _)| !self.shared.contains(address)) {
            let interfaces = places.iter().map(|place| self.members[*place].name().to_owned()).collect();
            let (group, address) = (group.clone(), *address);
            context.notice(Notice::TestAddressShared { group, address, interfaces });
        }
        for address in self.shared.iter().filter(|address| !holders.contains_key(*address)) {
            context.notice(Notice::TestAddressUnique { group: group.clone(), address: *address });
        }
        self.shared = holders.into_keys().gather();
        for member in &mut self.members {
            let wanted = member.config.test_address;
            member.makes_address &= !wanted.is_some_and(|address| self.shared.contains(&address));
            for instance in member.instances.values_mut() {
                instance.unique = !self.shared.contains(&instance.address);
                if !instance.unique {
                    instance.wipe(context.probes);
                }
            }
        }
    }

    /// Linux sets no store by "deprecated" when it chooses an IPv4 source.
    fn warn_of_deprecated(&mut self, context: &mut Context<'_>) {
        for member in &mut self.members {
            let interface = context.interfaces.iter().find(|interface| interface.name == member.name());
            let addresses = interface.into_iter().flat_map(|interface| &interface.addresses);
            let adopted = addresses.filter(|address| {
                Some(address.address()) == member.config.test_address
                    && address.deprecated
                    && address.prefix.prefix_len() < address.prefix.max_prefix_len()
            });
            let Some(prefix) = adopted.map(|address| address.prefix).next() else { continue };
            if !std::mem::replace(&mut member.told.deprecated, true) {
                let interface = member.name().to_owned();
                context.notice(Notice::TestAddressDeprecated { interface, prefix });
            }
        }
    }

    /// Which links came and went; all of them, before any is judged.
    fn see_links(&mut self, context: &mut Context<'_>) -> Links {
        let mut links = Links::default();
        for place in 0..self.members.len() {
            let member = &self.members[place];
            let is_up = context.interface(member.name()).is_some_and(Interface::is_running);
            if member.state == State::New || member.has_link == is_up {
                continue;
            }
            let interface = member.name().to_owned();
            let member = &mut self.members[place];
            member.has_link = is_up;
            member.link_since = context.now;
            if is_up {
                links.regained.push(place);
                context.notice(Notice::LinkUp { interface });
            } else {
                links.lost.push(place);
                member.instances.values_mut().for_each(|instance| instance.wipe(context.probes));
                context.notice(Notice::LinkDown { interface });
            }
        }
        links
    }

    /// Who the administrator has taken out of service, and who may not serve for its hardware address.
    fn see_offline(&mut self, context: &mut Context<'_>) {
        for place in 0..self.members.len() {
            let member = &self.members[place];
            let shall = self.is_named()
                && (context.offline.contains(member.name()) || member.duplicate_mac)
                && member.state != State::New;
            if shall && !member.is_offline() {
                self.withdraw(context, place);
            } else if !shall && member.is_offline() {
                self.take_back(context, place);
            }
        }
    }

    fn withdraw(&mut self, context: &mut Context<'_>, place: usize) {
        let was_active = self.members[place].is_active();
        let member = &mut self.members[place];
        member.state = member.state.after(Event::Withdraw);
        member.instances.values_mut().for_each(|instance| instance.wipe(context.probes));
        let (interface, group) = (member.name().to_owned(), self.config.name.clone());
        context.notice(Notice::InterfaceOffline { interface, group });
        if was_active {
            self.activate_spare(context);
        }
    }

    fn take_back(&mut self, context: &mut Context<'_>, place: usize) {
        let returns = self.members[place].state == State::Offline(None);
        let duty = if returns { self.admit(context, place, Entry::Wanted) } else { Duty::Active };
        let member = &mut self.members[place];
        member.state = member.state.after(Event::Return(duty));
        let (interface, group) = (member.name().to_owned(), self.config.name.clone());
        context.notice(Notice::InterfaceOnline { interface, group, failed: !returns });
    }

    fn judge_links(&mut self, context: &mut Context<'_>, links: &Links) {
        for &place in &links.lost {
            match self.members[place].state {
                State::Running(_) | State::NoTargets(_) => {
                    self.suspect(context, place, Suspicion::Link, 0);
                }
                State::Failed(_) | State::Offline(_) => self.mark_link_lost(place),
                State::New => {}
            }
        }
        self.review_targets(context.now);
        for &place in &links.regained {
            self.on_link_up(context, place);
        }
    }

    fn mark_link_lost(&mut self, place: usize) {
        let member = &mut self.members[place];
        let cause = if member.index.is_none() { Cause::Gone } else { Cause::Link };
        member.state = member.state.after(Event::Fail(cause));
    }

    /// The link may be proof enough; this time counts only for the next.
    fn on_link_up(&mut self, context: &mut Context<'_>, place: usize) {
        let member = &mut self.members[place];
        if matches!(member.state, State::Offline(Some(Cause::Link | Cause::Gone))) {
            member.state = member.state.after(Event::Repair(Duty::Active));
        }
        if self.repair_by_link_at(&self.members[place]).is_some_and(|from| context.now >= from) {
            self.repair(context, place, Proof::Link);
        }
        self.members[place].flaps.on_up(context.now);
    }

    /// Who has had no address to probe from for a while, though one is wished; and who has one after all.
    pub(super) fn tell_mute(&mut self, context: &mut Context<'_>) {
        for member in &mut self.members {
            let (interface, group) = (member.name().to_owned(), self.config.name.clone());
            let waited = context.now >= member.link_since + ADDRESS_GRACE;
            if member.is_probed() || !member.wants_address() {
                if std::mem::take(&mut member.told.mute) && member.is_probed() {
                    context.notice(Notice::TestAddressFound { interface, group });
                }
            } else if member.index.is_some() && member.state != State::New && waited && !member.told.mute {
                member.told.mute = true;
                context.notice(Notice::TestAddressMissing { interface, group });
            }
        }
    }
}

/// The interface has the test address not, or only as faild makes it.
fn makes_address(member: &Member, interface: &Interface) -> bool {
    let Some(wanted) = member.config.test_address.filter(IpAddr::is_ipv4) else { return false };
    let is_own = |address: &InterfaceAddress| {
        let is_point = address.prefix.prefix_len() == address.prefix.max_prefix_len();
        address.protocol == PROTOCOL || (is_point && address.scope == LINK_SCOPE && address.no_prefix_route)
    };
    interface.addresses.iter().filter(|address| address.address() == wanted).all(is_own)
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}
