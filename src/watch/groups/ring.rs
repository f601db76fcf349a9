//! The last probes of one family of a member, and what became of them.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use crate::packet::ProbeId;
use crate::time::Instant;

/// Probes that are remembered (in.mpathd); answers to older ones come too late.
pub(super) const WINDOW: usize = 52;

/// What became of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Pending,
    Lost,
    Answered(Duration),
}

/// A probe that was sent and counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) id: ProbeId,
    pub(super) sequence: u16,
    pub(super) target: IpAddr,
    pub(super) at: Instant,
    pub(super) fate: Fate,
}

/// Probes in a row with one fate, the newest decided one last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) count: u32,
    /// When the earliest of them was sent.
    pub(super) since: Instant,
}

/// See the module; oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Ring(VecDeque<Sent>);

impl Ring {
    /// One more was sent; returns the one that is forgotten for it.
    pub(super) fn push(&mut self, sent: Sent) -> Option<Sent> {
        self.0.push_back(sent);
        if self.0.len() > WINDOW { self.0.pop_front() } else { None }
    }

    /// Gives up what has waited for too long: all but the newest, and the newest after its target's time.
    pub(super) fn expire(&mut self, now: Instant, patience: impl Fn(&IpAddr) -> Duration) -> Vec<Sent> {
        let newest = self.0.back().map(|sent| sent.id);
        let over = |sent: &Sent| Some(sent.id) != newest || now >= sent.at + patience(&sent.target);
        self.lose(over)
    }

    /// Nothing more is expected of this target.
    pub(super) fn give_up(&mut self, target: IpAddr) -> Vec<Sent> {
        self.lose(|sent| sent.target == target)
    }

    fn lose(&mut self, over: impl Fn(&Sent) -> bool) -> Vec<Sent> {
        let pending = self.0.iter_mut().filter(|sent| sent.fate == Fate::Pending && over(sent));
        pending
            .map(|sent| {
                sent.fate = Fate::Lost;
                *sent
            })
            .collect()
    }

    /// An answer to a probe of ours; `None` if it is not from who was asked, or not the first.
    pub(super) fn answer(&mut self, id: ProbeId, from: IpAddr, arrived: Instant) -> Option<Sent> {
        let sent = self.0.iter_mut().find(|sent| sent.id == id)?;
        if sent.target != from || matches!(sent.fate, Fate::Answered(_)) {
            return None;
        }
        sent.fate = Fate::Answered(arrived.since(sent.at));
        Some(*sent)
    }

    /// The losses in a row up to the newest decided probe; none if that was answered.
    pub(super) fn losses(&self) -> Option<Run> {
        run(self.decided().take_while(|sent| sent.fate == Fate::Lost))
    }

    /// The answers in a row up to the newest decided probe.
    pub(super) fn answers(&self) -> Option<Run> {
        run(self.decided().take_while(|sent| sent.fate != Fate::Lost))
    }

    /// Losses and answers in a row of one target; one of them is none.
    pub(super) fn of_target(&self, target: IpAddr) -> (Option<Run>, Option<Run>) {
        let decided = || self.decided().filter(|sent| sent.target == target);
        let losses = run(decided().take_while(|sent| sent.fate == Fate::Lost));
        (losses, run(decided().take_while(|sent| sent.fate != Fate::Lost)))
    }

    /// The newest probe whose fate is known.
    pub(super) fn latest(&self) -> Option<&Sent> {
        self.decided().next()
    }

    /// Whether a later probe to the same target has been answered already.
    pub(super) fn is_overtaken(&self, sent: &Sent) -> bool {
        let later = self.0.iter().filter(|other| other.target == sent.target && other.at > sent.at);
        later.clone().any(|other| matches!(other.fate, Fate::Answered(_)))
    }

    /// All of it, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Sent> {
        self.0.iter()
    }

    /// Forgets everything; returns it.
    pub(super) fn clear(&mut self) -> impl Iterator<Item = Sent> + '_ {
        self.0.drain(..)
    }

    /// Newest first.
    fn decided(&self) -> impl Iterator<Item = &Sent> {
        self.0.iter().rev().filter(|sent| sent.fate != Fate::Pending)
    }
}

fn run<'a>(probes: impl Iterator<Item = &'a Sent>) -> Option<Run> {
    probes.fold(None, |run: Option<Run>, sent| {
        Some(Run { count: run.map_or(0, |run| run.count) + 1, since: sent.at })
    })
}
