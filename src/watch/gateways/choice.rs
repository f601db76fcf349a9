//! Which next hops serve: the verdicts of all in, those that carry the traffic out. Nothing is remembered here.

use super::super::snapshot::Health;

/// A next hop as the choice sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) rank: u8,
    pub(super) health: Health,
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
const CLASSES: [(Health, bool); 4] =
    [(Health::Works, false), (Health::Poor, false), (Health::Works, true), (Health::Poor, true)];

/// Chooses. `decided`: a choice was made before.
pub(super) fn choose(candidates: &[Candidate], decided: bool) -> Choice {
    for class in CLASSES {
        let is_member = |c: &Candidate| (c.health, c.offline) == class && (c.in_use || !c.vanished);
        if !candidates.iter().any(is_member) {
            continue;
        }
        let members = Members { candidates, is_member: &is_member };
        let by = if class == CLASSES[0] { members.best() } else { members.any() };
        return if must_wait(candidates, decided, class == CLASSES[0], &by) { wait(decided) } else { by };
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
    /// any.
    fn best(&self) -> Choice {
        let is_free = |c: &Candidate| (self.is_member)(c) && !c.damped && !c.vanished;
        let is_ready = |c: &Candidate| is_free(c) && !c.held;
        let serving = |c: &Candidate| (self.is_member)(c) && c.in_use;
        let by = |rank, fits: &dyn Fn(&Candidate) -> bool| {
            Choice::By(places(self.candidates, |c| fits(c) && c.rank == rank))
        };
        let Some(served) = lowest(self.candidates, serving) else {
            return lowest(self.candidates, is_free).map_or_else(|| self.lowest(), |rank| by(rank, &is_free));
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
fn must_wait(candidates: &[Candidate], decided: bool, works: bool, by: &Choice) -> bool {
    let Choice::By(chosen) = by else { return false };
    let rank = chosen.iter().filter_map(|place| candidates.get(*place)).map(|c| c.rank).min();
    let is_open = |c: &Candidate| c.health == Health::Unknown && !c.offline && !c.vanished;
    let is_better = |c: &Candidate| is_open(c) && (!works || rank.is_none_or(|rank| c.rank <= rank));
    if decided {
        let serves = |place: &usize| candidates.get(*place).is_some_and(|c| c.in_use);
        candidates.iter().any(|c| is_open(c) && c.in_use) && !chosen.iter().any(serves)
    } else {
        candidates.iter().any(is_better)
    }
}

fn wait(decided: bool) -> Choice {
    if decided { Choice::Stay } else { Choice::Wait }
}

/// Nothing works and what served is gone: what the kernel itself would take, one that has not failed before the others.
fn last_resort(candidates: &[Candidate]) -> Choice {
    let order = |c: &Candidate| (c.vanished, c.health == Health::Failed, c.rank);
    let best = candidates.iter().map(order).min();
    Choice::By(places(candidates, |c| Some(order(c)) == best))
}

fn lowest(candidates: &[Candidate], fits: impl Fn(&Candidate) -> bool) -> Option<u8> {
    candidates.iter().filter(|c| fits(c)).map(|c| c.rank).min()
}

fn places(candidates: &[Candidate], fits: impl Fn(&Candidate) -> bool) -> Vec<usize> {
    candidates.iter().enumerate().filter(|(_, c)| fits(c)).map(|(place, _)| place).collect()
}
