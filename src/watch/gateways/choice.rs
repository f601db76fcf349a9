//! Which next hops serve: the verdicts of all in, those that carry the traffic out. Nothing is remembered here.

use super::super::snapshot::HopState;

/// A next hop as the choice sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) rank: u8,
    pub(super) state: HopState,
    /// It failed too often lately: others before it.
    pub(super) damped: bool,
    /// The failback policy keeps traffic from leaving for it a way that works.
    pub(super) held: bool,
    /// The administrator has taken its interface out of service.
    pub(super) offline: bool,
    /// Its route is gone from the kernel, lately.
    pub(super) vanished: bool,
    /// It carries traffic.
    pub(super) in_use: bool,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    /// Not known yet: what is there stays.
    Wait,
    /// As it is.
    Stay,
    /// By these, of one rank, by their places.
    By(Vec<usize>),
}

/// What serves before what.
const CLASSES: [(HopState, bool); 4] =
    [(HopState::Up, false), (HopState::Degraded, false), (HopState::Up, true), (HopState::Degraded, true)];

/// Chooses. `decided`: a choice was made before.
pub(super) fn choose(candidates: &[Candidate], decided: bool) -> Choice {
    for class in CLASSES {
        let is_member = |c: &Candidate| (c.state, c.offline) == class && (c.in_use || !c.vanished);
        if !candidates.iter().any(is_member) {
            continue;
        }
        let members = Members { candidates, is_member: &is_member };
        let by = if class == CLASSES[0] { members.best(decided) } else { members.any() };
        return if must_wait(candidates, decided, &by) { wait(decided) } else { by };
    }
    match (decided, candidates.iter().any(|c| c.in_use)) {
        (true, false) => last_resort(candidates),
        (true, true) => Choice::Stay,
        (false, _) => Choice::Wait,
    }
}

/// Those of one class.
struct Members<'a> {
    candidates: &'a [Candidate],
    is_member: &'a dyn Fn(&Candidate) -> bool,
}

impl Members<'_> {
    /// Of those that work. A way that works is left only for one of lower rank that nothing holds back; a dead one for
    /// any. At the start it is not known what serves: then one that is held back waits for others.
    fn best(&self, decided: bool) -> Choice {
        let is_free = |c: &Candidate| (self.is_member)(c) && !c.damped && !c.vanished;
        let is_ready = |c: &Candidate| is_free(c) && !c.held;
        let serving = |c: &Candidate| (self.is_member)(c) && c.in_use;
        let by = |rank, fits: &dyn Fn(&Candidate) -> bool| {
            Choice::By(places(self.candidates, |c| fits(c) && c.rank == rank))
        };
        let Some(served) = lowest(self.candidates, serving) else {
            let ready = lowest(self.candidates, is_ready).filter(|_| !decided);
            let free = || lowest(self.candidates, is_free).map(|rank| by(rank, &is_free));
            return ready.map(|rank| by(rank, &is_ready)).or_else(free).unwrap_or_else(|| self.lowest());
        };
        let is_gone = !self.candidates.iter().any(|c| serving(c) && !c.vanished);
        match lowest(self.candidates, is_ready) {
            Some(rank) if rank < served || (rank == served && is_gone) => by(rank, &is_ready),
            Some(_) | None => {
                Choice::By(places(self.candidates, |c| serving(c) || (is_ready(c) && c.rank == served)))
            }
        }
    }

    /// Of those that merely serve: no move without need.
    fn any(&self) -> Choice {
        let serving = places(self.candidates, |c| (self.is_member)(c) && c.in_use);
        if serving.is_empty() { self.lowest() } else { Choice::By(serving) }
    }

    fn lowest(&self) -> Choice {
        let rank = lowest(self.candidates, self.is_member);
        Choice::By(places(self.candidates, |c| (self.is_member)(c) && Some(c.rank) == rank))
    }
}

/// Whether one that is not decided about yet may be better: at the start, or in the place of one that is gone.
fn must_wait(candidates: &[Candidate], decided: bool, by: &Choice) -> bool {
    let Choice::By(places) = by else { return false };
    let chosen: Vec<&Candidate> = places.iter().filter_map(|place| candidates.get(*place)).collect();
    let mut open = candidates.iter().filter(|c| c.state == HopState::Unknown && !c.offline && !c.vanished);
    if decided {
        return open.any(|c| c.in_use) && !chosen.iter().any(|c| c.in_use);
    }
    let is_good = |c: &&&Candidate| c.state == HopState::Up && !c.offline && !c.damped && !c.held;
    let good = chosen.iter().filter(is_good).map(|c| c.rank).min();
    open.any(|c| good.is_none_or(|rank| c.rank <= rank))
}

fn wait(decided: bool) -> Choice {
    if decided { Choice::Stay } else { Choice::Wait }
}

/// Nothing works and what served is gone: what the kernel itself would take, one that has not failed before the others.
fn last_resort(candidates: &[Candidate]) -> Choice {
    let order = |c: &Candidate| (c.vanished, c.state == HopState::Down, c.rank);
    let best = candidates.iter().map(order).min();
    Choice::By(places(candidates, |c| Some(order(c)) == best))
}

fn lowest(candidates: &[Candidate], fits: impl Fn(&Candidate) -> bool) -> Option<u8> {
    candidates.iter().filter(|c| fits(c)).map(|c| c.rank).min()
}

fn places(candidates: &[Candidate], fits: impl Fn(&Candidate) -> bool) -> Vec<usize> {
    candidates.iter().enumerate().filter(|(_, c)| fits(c)).map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKS: Candidate = Candidate {
        rank: 1,
        state: HopState::Up,
        damped: false,
        held: false,
        offline: false,
        vanished: false,
        in_use: false,
    };
    const POOR: Candidate = Candidate { state: HopState::Degraded, ..WORKS };
    const FAILED: Candidate = Candidate { state: HopState::Down, ..WORKS };
    const UNKNOWN: Candidate = Candidate { state: HopState::Unknown, ..WORKS };
    const DAMPED: Candidate = Candidate { damped: true, held: true, ..WORKS };
    const HELD: Candidate = Candidate { held: true, ..WORKS };
    const OFFLINE: Candidate = Candidate { offline: true, ..WORKS };

    const fn used(candidate: Candidate) -> Candidate {
        Candidate { in_use: true, ..candidate }
    }

    const fn gone(candidate: Candidate) -> Candidate {
        Candidate { vanished: true, ..candidate }
    }

    /// Candidates of ranks 1, 2, ...
    fn chosen(decided: bool, candidates: &[Candidate]) -> Choice {
        let ranked = (1..).zip(candidates).map(|(rank, c)| Candidate { rank, ..*c });
        choose(&ranked.collect::<Vec<_>>(), decided)
    }

    fn by(place: usize) -> Choice {
        Choice::By(vec![place])
    }

    #[test]
    fn at_the_start() {
        for (candidates, choice) in [
            (vec![WORKS, WORKS], by(0)),
            (vec![FAILED, WORKS], by(1)),
            (vec![UNKNOWN, WORKS], Choice::Wait),
            (vec![WORKS, UNKNOWN], by(0)),
            (vec![DAMPED, UNKNOWN], Choice::Wait),
            (vec![DAMPED, WORKS], by(1)),
            (vec![HELD, WORKS], by(1)),
            (vec![HELD, FAILED], by(0)),
            (vec![POOR, UNKNOWN], Choice::Wait),
            (vec![POOR, WORKS], by(1)),
            (vec![POOR, FAILED], by(0)),
            (vec![OFFLINE, POOR], by(1)),
            (vec![OFFLINE, FAILED], by(0)),
            (vec![FAILED, FAILED], Choice::Wait),
            (vec![], Choice::Wait),
        ] {
            assert_eq!(chosen(false, &candidates), choice, "{candidates:?}");
        }
    }

    #[test]
    fn a_way_that_works_is_left_only_for_one_that_nothing_holds_back() {
        for (candidates, choice) in [
            (vec![WORKS, used(WORKS)], by(0)),
            (vec![DAMPED, used(WORKS)], by(1)),
            (vec![HELD, used(WORKS)], by(1)),
            (vec![UNKNOWN, used(WORKS)], by(1)),
            (vec![gone(WORKS), used(WORKS)], by(1)),
            (vec![used(DAMPED), WORKS], by(0)),
        ] {
            assert_eq!(chosen(true, &candidates), choice, "{candidates:?}");
        }
    }

    #[test]
    fn a_way_that_does_not_is_left_for_any() {
        for (candidates, choice) in [
            (vec![used(FAILED), WORKS], by(1)),
            (vec![used(FAILED), HELD, WORKS], by(1)),
            (vec![used(FAILED), DAMPED, WORKS], by(2)),
            (vec![used(FAILED), DAMPED], by(1)),
            (vec![used(POOR), DAMPED], by(1)),
            (vec![POOR, used(POOR)], by(1)),
            (vec![used(FAILED), POOR], by(1)),
            (vec![used(OFFLINE), WORKS], by(1)),
            (vec![used(FAILED), OFFLINE], by(1)),
            (vec![used(FAILED), UNKNOWN], Choice::Stay),
            (vec![used(FAILED), gone(WORKS)], Choice::Stay),
            (vec![used(UNKNOWN), WORKS], Choice::Stay),
        ] {
            assert_eq!(chosen(true, &candidates), choice, "{candidates:?}");
        }
    }

    #[test]
    fn what_served_is_gone() {
        for (candidates, choice) in [
            (vec![UNKNOWN, FAILED], by(0)),
            (vec![FAILED, UNKNOWN], by(1)),
            (vec![FAILED, FAILED], by(0)),
            (vec![gone(UNKNOWN), FAILED], by(1)),
            (vec![UNKNOWN, WORKS], by(1)),
        ] {
            assert_eq!(chosen(true, &candidates), choice, "{candidates:?}");
        }
    }

    #[test]
    fn equals_serve_together_and_a_replaced_one_gives_way() {
        let equals = |candidates: &[Candidate]| choose(candidates, true);
        assert_eq!(equals(&[used(WORKS), WORKS]), Choice::By(vec![0, 1]));
        assert_eq!(equals(&[used(WORKS), DAMPED]), by(0));
        assert_eq!(equals(&[used(FAILED), used(WORKS)]), by(1));
        assert_eq!(equals(&[gone(used(WORKS)), WORKS]), by(1));
        assert_eq!(equals(&[gone(used(WORKS)), UNKNOWN]), by(0));
    }
}
