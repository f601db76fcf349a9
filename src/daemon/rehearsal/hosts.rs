//! Hosts that run no faild, played for a rehearsal: whoever answers now goes on answering, but for who is to fail.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::config::{Config, Method};
use crate::packet::{Answer, Probe};
use crate::time::Instant;
use crate::watch::{GroupState, HopState, MemberState, RouteSnapshot, Snapshot, TargetSnapshot};

/// Who answers, by the interface and the way in which it is asked.
#[derive(Debug, Clone)]
pub(super) struct Hosts {
    answers: BTreeMap<(String, IpAddr, Method), bool>,
    /// The gateway that is dead, and all beyond it.
    dead: Option<IpAddr>,
}

impl Hosts {
    /// Everybody as they answer now, but for this gateway.
    pub(super) fn new(watch: &Snapshot, dead: Option<IpAddr>) -> Self {
        let mut hosts = Self { answers: BTreeMap::new(), dead };
        for member in watch.groups.iter().flat_map(|group| &group.members) {
            let targets = member.instances.iter().flat_map(|instance| &instance.targets);
            targets.for_each(|target| hosts.note(&member.interface, target));
        }
        for hop in watch.routes.iter().flat_map(|route| &route.hops) {
            hop.targets.iter().for_each(|target| hosts.note(&hop.interface, target));
        }
        hosts
    }

    fn note(&mut self, interface: &str, target: &TargetSnapshot) {
        let answers = match target.state {
            HopState::Up | HopState::Degraded | HopState::Unknown => target.missed == 0,
            HopState::Down => target.good > 0,
        };
        let known = self.answers.entry((interface.to_owned(), target.address, target.method));
        *known.or_insert(false) |= answers;
    }

    /// The answer to a probe by the interface of this name, if there is one. Nobody is found by multicast who is not
    /// known.
    pub(super) fn answer(&self, now: Instant, interface: &str, probe: &Probe) -> Option<Answer> {
        let is_dead = |address: IpAddr| self.dead == Some(address);
        if is_dead(probe.target) || probe.next_hop.is_some_and(is_dead) {
            return None;
        }
        let key = (interface.to_owned(), probe.target, probe.method);
        let answers = self.answers.get(&key).copied().unwrap_or(false);
        answers.then_some(Answer {
            id: probe.id,
            interface: probe.interface,
            from: probe.target,
            arrived: now,
        })
    }
}

/// Whether an address is the gateway of a next hop.
pub(in crate::daemon) fn is_gateway(watch: &Snapshot, address: &IpAddr) -> bool {
    let mut hops = watch.routes.iter().flat_map(|route| &route.hops);
    hops.any(|hop| hop.via.as_ref() == Some(address))
}

/// Whether something has just failed or is on its way home, so that moves follow without a further fault.
pub(super) fn is_unsettled(watch: &Snapshot) -> bool {
    let is_missing = |target: &TargetSnapshot| target.missed > 0;
    let members = || watch.groups.iter().flat_map(|group| &group.members);
    let is_moved = |route: &RouteSnapshot| route.goes_by_first_choice() != Some(true);
    watch.groups.iter().any(|group| group.state != GroupState::Ok)
        || members().any(|member| member.state == MemberState::Failed || member.taken_over_by.is_some())
        || members().flat_map(|member| &member.instances).any(|i| i.targets.iter().any(is_missing))
        || watch.routes.iter().any(is_moved)
        || watch.routes.iter().flat_map(|route| &route.hops).any(|hop| hop.targets.iter().any(is_missing))
}

/// How long it takes until a silence is judged and has been acted upon, with some room: twice the detection time of a
/// group, which in.mpathd never needs, and some probes more than a next hop may miss.
pub(super) fn longest_judgement(config: &Config, watch: &Snapshot) -> Duration {
    let groups = watch.groups.iter().filter_map(|group| group.detection_time).map(|time| time * 2);
    let judging = config.routes.iter().map(|route| &route.judging);
    let routes = judging.map(|judging| judging.interval * (judging.missed.get() + 3));
    groups.chain(routes).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::InterfaceIndex;
    use crate::packet::ProbeId;
    use crate::watch::{Destination, HopSnapshot, Way};

    const ROUTER: [u8; 4] = [10, 1, 0, 1];
    const BEYOND: [u8; 4] = [203, 0, 113, 9];

    fn target(address: [u8; 4], state: HopState, counts: (u32, u32)) -> TargetSnapshot {
        let address = IpAddr::from(address);
        TargetSnapshot {
            name: address.to_string(),
            address,
            method: Method::Echo,
            state,
            missed: counts.0,
            good: counts.1,
            loss_percent: None,
            round_trip: None,
            answered: None,
        }
    }

    fn watch(targets: Vec<TargetSnapshot>) -> Snapshot {
        let hop = HopSnapshot {
            interface: "eth0".to_owned(),
            via: Some(ROUTER.into()),
            rank: 1,
            weight: 1,
            state: HopState::Up,
            in_use: true,
            reason: String::new(),
            penalty: 0.0,
            targets,
        };
        let route = RouteSnapshot {
            destination: Destination { table: 254, prefix: "0.0.0.0/0".parse().unwrap() },
            way: Way::By(Vec::new()),
            all_silent: false,
            hops: vec![hop],
        };
        Snapshot { routes: vec![route], ..Snapshot::default() }
    }

    fn probe(target: [u8; 4], next_hop: Option<[u8; 4]>) -> Probe {
        Probe {
            id: ProbeId(7),
            interface: InterfaceIndex(2),
            method: Method::Echo,
            source: [10, 1, 0, 7].into(),
            target: target.into(),
            next_hop: next_hop.map(IpAddr::from),
            hop_limit: 64,
            sequence: 1,
        }
    }

    #[test]
    fn who_answers_now_goes_on_and_who_is_silent_stays_so() {
        for (state, counts, answers) in [
            (HopState::Up, (0, 3), true),
            (HopState::Up, (1, 0), false),
            (HopState::Degraded, (0, 1), true),
            (HopState::Unknown, (0, 0), true),
            (HopState::Unknown, (2, 0), false),
            (HopState::Down, (3, 0), false),
            (HopState::Down, (0, 4), true),
        ] {
            let hosts = Hosts::new(&watch(vec![target(ROUTER, state, counts)]), None);
            let answer = hosts.answer(Instant::default(), "eth0", &probe(ROUTER, None));
            assert_eq!(answer.is_some(), answers, "{state:?} {counts:?}");
            assert_eq!(hosts.answer(Instant::default(), "eth1", &probe(ROUTER, None)), None);
        }
    }

    #[test]
    fn a_dead_gateway_takes_all_beyond_it_along() {
        let works = |address| target(address, HopState::Up, (0, 9));
        let watch = watch(vec![works(ROUTER), works(BEYOND)]);
        let answers = |dead: Option<[u8; 4]>, probe: &Probe| {
            let hosts = Hosts::new(&watch, dead.map(IpAddr::from));
            hosts.answer(Instant::default(), "eth0", probe).is_some()
        };
        for (asked, by) in [(ROUTER, None), (BEYOND, Some(ROUTER))] {
            assert!(answers(None, &probe(asked, by)) && !answers(Some(ROUTER), &probe(asked, by)));
            assert!(answers(Some([10, 2, 0, 1]), &probe(asked, by)), "another gateway's death");
        }
        assert!(is_gateway(&watch, &ROUTER.into()) && !is_gateway(&watch, &BEYOND.into()));
    }
}
