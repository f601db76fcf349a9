//! What the engine's plan changes.

use super::super::Reconciler;
use super::super::input::Dump;
use super::super::lan::{Choice, LanId, Stance, SubjectId, Way};
use crate::engine::{NextHop, Plan, Verdict};

impl Reconciler {
    pub(in crate::reconcile) fn on_plan(&mut self, plan: &Plan) {
        if !self.has_plan || !self.are_lans(&plan.lans) {
            self.lans.set_plan(&plan.lans);
            self.keeping.touch_interfaces();
            self.dumps.want(Dump::Interfaces);
            self.dumps.want(Dump::LanRoutes);
        }
        self.has_plan = true;
        let mut home: Option<(&str, LanId)> = None;
        let mut count = 0;
        for (subject, verdict) in &plan.subjects {
            // Subjects come ordered by home: its number is looked up once for each.
            let lan = match home {
                Some((name, lan)) if *name == *subject.home => Some(lan),
                _ => self.lans.intern(&subject.home),
            };
            let Some(lan) = lan else { continue };
            home = Some((&subject.home, lan));
            count += 1;
            let choice = self.choice(verdict);
            let id = SubjectId { lan, address: subject.address };
            if self.subjects.get(&id) != Some(&choice) {
                self.subjects.insert(id, choice);
                self.mark_subject(id);
            }
        }
        if count < self.subjects.len() {
            self.withdraw_others(plan);
        }
        self.take_stances();
    }

    fn are_lans(&self, names: &[String]) -> bool {
        let in_plan = self.lans.iter().filter(|(_, lan)| lan.in_plan).count();
        let known = |name: &String| self.lans.iter().any(|(_, lan)| lan.in_plan && lan.name == *name);
        in_plan == names.len() && names.iter().all(known)
    }

    fn choice(&mut self, verdict: &Verdict) -> Choice {
        match verdict {
            Verdict::Home => Choice::Home,
            Verdict::Undecided => Choice::Undecided,
            Verdict::Detour(NextHop { interface, via }) => match self.lans.intern(interface) {
                Some(lan) => Choice::Detour(Way { lan, via: *via }),
                None => Choice::Undecided,
            },
        }
    }

    /// Subjects that are no longer in the plan are undecided: what they have stays as it is.
    fn withdraw_others(&mut self, plan: &Plan) {
        let lans = &self.lans;
        let is_in_plan = |s: &SubjectId| {
            let subject = crate::engine::Subject { home: lans.name(s.lan).into(), address: s.address };
            plan.subjects.contains_key(&subject)
        };
        let gone: Vec<SubjectId> = self.subjects.keys().filter(|s| !is_in_plan(s)).copied().collect();
        for subject in gone {
            self.subjects.remove(&subject);
            self.mark_subject(subject);
        }
    }

    fn take_stances(&mut self) {
        let ids: Vec<LanId> = self.lans.iter().map(|(id, _)| id).collect();
        for id in ids {
            let first = SubjectId { lan: id, address: std::net::Ipv4Addr::UNSPECIFIED.into() };
            let subjects = || self.subjects.range(first..).take_while(|(s, _)| s.lan == id);
            let of = |v4: bool| {
                stance(subjects().filter(|(s, _)| s.address.is_ipv4() == v4).map(|(_, choice)| choice))
            };
            let (v4, v6) = (of(true), of(false));
            if let Some(lan) = self.lans.get_mut(id)
                && lan.set_stances(v4, v6)
            {
                self.keeping.touch_interfaces();
                self.restoring.recheck();
            }
        }
    }
}

fn stance<'a>(choices: impl Iterator<Item = &'a Choice>) -> Stance {
    let (mut away, mut unclear, mut any) = (false, false, false);
    for choice in choices {
        any = true;
        away |= matches!(choice, Choice::Detour(_));
        unclear |= *choice == Choice::Undecided;
    }
    match (away, unclear || !any) {
        (true, _) => Stance::Detoured,
        (false, true) => Stance::Unclear,
        (false, false) => Stance::Home,
    }
}
