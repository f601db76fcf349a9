//! From what a group of routes needs to steps: new overlays before old ones are lifted.

use std::sync::Arc;

use nix::errno::Errno;

use super::Reconciler;
use super::cause::Cause;
use super::lan::SubjectId;
use super::notice::Notice;
use super::order::{foreign, own};
use super::overlay::{Overlay, Wanted};
use super::place::Obstacle;
use super::step::{Batch, RouteStep};
use super::table::{Group, host_of};
use super::trouble::Blocked;
use crate::config::Exit;
use crate::operation::Place;
use crate::route::Route;
use crate::time::Instant;

impl Reconciler {
    pub(super) fn plan_group(&mut self, now: Instant, group: Group, batch: &mut Batch) {
        let routes: Vec<Arc<Route>> = self.mirror.routes().group(group).cloned().collect();
        let wanted = self.view().wanted_among(group, &routes);
        let is_kept =
            |own: &&Arc<Route>| self.stopping || self.view().passed_by(group, &routes, own).is_none();
        let stays = wanted == Wanted::Keep && own(&routes).any(|own| is_kept(&own));
        if stays && self.wishes.lead(&group).is_none() {
            self.kept.insert(group);
        } else if !self.kept.is_empty() {
            self.kept.remove(&group);
        }
        if !matches!(wanted, Wanted::LeftAlone | Wanted::Keep) && !self.wishes.left_alone.is_empty() {
            self.wishes.left_alone.remove(&group);
        }
        let is_lifted = wanted == Wanted::Keep && self.is_lifted_for_another(group, &routes);
        if !matches!(wanted, Wanted::Overlay(_)) && !is_lifted {
            self.troubles.unblocked(&group);
        }
        match wanted {
            Wanted::Nothing => self.lift_all(now, group, &routes, batch),
            Wanted::LeftAlone => {
                self.leave_alone(group, &routes);
                self.lift_all(now, group, &routes, batch);
            }
            Wanted::Overlay(overlay) if !self.stopping => self.lay(now, group, &routes, overlay, batch),
            Wanted::Blocked(cause) if !self.stopping => {
                self.troubles.blocked(now, group, Errno::ENODEV as i32);
                self.reports.touch(cause);
            }
            Wanted::Keep if !self.stopping => self.lift_what_passes(now, group, &routes, batch),
            Wanted::Keep | Wanted::Overlay(_) | Wanted::Blocked(_) => {}
        }
    }

    /// What nothing is decided about stays, but no longer than it may be there at all.
    fn lift_what_passes(&mut self, now: Instant, group: Group, routes: &[Arc<Route>], batch: &mut Batch) {
        let view = self.view();
        let passed = |own| Some((own, view.passed_by(group, routes, own)?));
        let passing: Vec<(&Arc<Route>, Arc<Route>)> = own(routes).filter_map(passed).collect();
        let Some((_, by)) = passing.first().filter(|_| self.troubles.may_try(now, &group)) else { return };
        let cause = self.cause_of(group, routes);
        if let Some(cause) = cause.filter(|_| passing.len() == own(routes).count()) {
            let (lifted_for, by) = (Some(by.key), Some(self.text_of(by)));
            self.troubles.blocked_by(now, group, Blocked { cause, route: None, by, lifted_for });
            self.reports.touch(cause);
        }
        self.lift(group, cause, passing.into_iter().map(|(own, _)| own), batch);
    }

    /// Whether an overlay that nothing was decided about went because of what it passed, and that still stands.
    fn is_lifted_for_another(&self, group: Group, routes: &[Arc<Route>]) -> bool {
        let blocked = self.troubles.get(&group).and_then(|trouble| trouble.blocked.as_ref());
        let Some(key) = blocked.and_then(|blocked| blocked.lifted_for) else { return false };
        let stands = self.mirror.routes().at(&key).iter().any(|route| self.view().untouched.holds(route));
        stands && self.cause_of(group, routes).is_some()
    }

    /// Says once that a destination is led by another program.
    fn leave_alone(&mut self, group: Group, routes: &[Arc<Route>]) {
        let best = self.view().plain(routes).next().cloned();
        if self.wishes.left_alone.insert(group)
            && let Some(best) = best
        {
            let route = self.text_of(&best);
            self.notice(Notice::DestinationLeftAlone {
                destination: group.into(),
                route,
                protocol: best.protocol,
            });
        }
    }

    fn lift_all(&mut self, now: Instant, group: Group, routes: &[Arc<Route>], batch: &mut Batch) {
        if self.stopping && self.settings.exit == Exit::Keep {
            return;
        }
        if own(routes).next().is_none() {
            self.known.remove(&group);
            self.wishes.lifted(&group);
            self.troubles.forget(&group);
            return;
        }
        if self.troubles.may_try(now, &group) {
            let cause = self.cause_of(group, routes);
            self.lift(group, cause, own(routes), batch);
        }
    }

    fn lift<'r>(
        &mut self,
        group: Group,
        cause: Option<Cause>,
        routes: impl Iterator<Item = &'r Arc<Route>>,
        batch: &mut Batch,
    ) {
        let mut routes = routes.peekable();
        while let Some(route) = routes.next() {
            if batch.is_full() {
                return self.mark(group);
            }
            // The others follow in the next batch.
            let again = batch.room() == 1 && routes.peek().is_some();
            batch.push(lift(route, cause, again));
            if again {
                return;
            }
        }
    }

    /// Whose overlay it is that goes: for the log.
    pub(super) fn cause_of(&self, group: Group, routes: &[Arc<Route>]) -> Option<Cause> {
        let led = || self.wishes.lead(&group).map(|_| Cause::Destination(group));
        let subject = || self.subject_of(group, routes).map(Cause::Subject);
        self.wishes.cause(&group).or_else(led).or_else(subject).or_else(|| self.member_of(routes))
    }

    fn member_of(&self, routes: &[Arc<Route>]) -> Option<Cause> {
        let legs = foreign(routes).flat_map(|r| &r.legs);
        let mut lans = legs.filter_map(|leg| self.lans.of(leg.interface));
        lans.find(|lan| self.wishes.stand(*lan).is_some()).map(Cause::Member)
    }

    fn subject_of(&self, group: Group, routes: &[Arc<Route>]) -> Option<SubjectId> {
        let host = host_of(group).and_then(|address| self.view().choice_of(address)).map(|(s, _)| s);
        let subject = |leg: &crate::route::Leg| {
            let id = SubjectId { lan: self.lans.of(leg.interface)?, address: leg.gateway? };
            self.subjects.contains_key(&id).then_some(id)
        };
        host.or_else(|| foreign(routes).flat_map(|r| &r.legs).find_map(subject))
    }

    fn lay(
        &mut self,
        now: Instant,
        group: Group,
        routes: &[Arc<Route>],
        overlay: Overlay,
        batch: &mut Batch,
    ) {
        let position = self.view().position(group, routes, &overlay);
        if let Err(Obstacle::Route(in_the_way)) = &position {
            self.block(now, group, &overlay, in_the_way);
            return self.lift(group, None, own(routes), batch);
        }
        let place = position.as_ref().ok().map(|(metric, _)| *metric);
        let view = self.view();
        let serves = |o: &Arc<Route>| {
            overlay.is_served_by(routes, o)
                && !is_in_the_way(&overlay, o)
                && (overlay.front.is_none() || !is_makeshift(o, place))
                && view.is_allowed(group, routes, &overlay, o)
        };
        if let Some(served) = own(routes).position(serves) {
            self.troubles.succeeded(&group);
            self.wishes.stands_for(group, overlay.cause);
            let surplus = own(routes).enumerate().filter(|(i, _)| *i != served).map(|(_, route)| route);
            self.lift(group, None, surplus, batch);
            return;
        }
        if !self.troubles.may_lay(now, &group, &overlay.route.legs) {
            // Its place was taken while it stood beside it: what has the place is not passed.
            if self.troubles.get(&group).is_some_and(|trouble| trouble.blocked.is_some()) {
                self.lift(group, None, own(routes).filter(|o| is_makeshift(o, place)), batch);
            }
            return;
        }
        let Ok((metric, place)) = position else { return self.cannot_lay(now, group, &overlay) };
        self.lay_at(group, routes, overlay, (metric, place), batch);
    }

    /// Lays an overlay at its place. One of ours that has it leaves it only when the new one stands: for that moment
    /// the new one takes the metric below, if that is free.
    fn lay_at(
        &mut self,
        group: Group,
        routes: &[Arc<Route>],
        overlay: Overlay,
        (metric, mut place): (u32, Place),
        batch: &mut Batch,
    ) {
        let Overlay { mut route, cause, others, .. } = overlay;
        let source = route.source;
        let same_source = |o: &Route| o.source.is_none() || o.source == source;
        let mut old = own(routes).filter(|o| o.key.metric == metric).peekable();
        let has_makeshift = own(routes).any(|o| is_makeshift(o, Some(metric)) && o.legs == route.legs);
        let v6 = group.destination.addr().is_ipv6();
        let may_try = !has_makeshift && !self.troubles.get(&group).is_some_and(|t| t.no_makeshift);
        let is_free = |wanted: u32| wanted >= u32::from(v6) && !routes.iter().any(|r| r.key.metric == wanted);
        let makeshift = metric.checked_sub(1).filter(|below| may_try && is_free(*below));
        let has_old = old.peek().is_some();
        if has_old && metric == 0 && !v6 {
            // There is no metric below; of equals the first decides.
            place = Place::Before;
        }
        match (place, has_old, makeshift) {
            (Place::Alone, true, Some(below)) => {
                route.key.metric = below;
                let step = RouteStep::Lay { route, place, cause, others, again: true };
                return batch.push(step);
            }
            (Place::Alone, true, None) => {
                for own in old {
                    batch.push(lift(own, None, true));
                }
            }
            // The kernel refuses an equal twin of one that is no longer in force because others came before it; and
            // with one that has no source, or other weights, a delete of the old would hit the new. Such a one goes
            // first.
            (Place::Before | Place::Behind, true, _) => {
                if let Some(twin) = old.find(|o| o.leads_as(&route) && same_source(o)) {
                    return batch.push(lift(twin, None, true));
                }
            }
            (_, false, _) => {}
        }
        route.key.metric = metric;
        batch.push(match has_makeshift {
            true => RouteStep::Settle { route, place, cause },
            false => RouteStep::Lay { route, place, cause, others, again: own(routes).next().is_some() },
        });
    }

    fn cannot_lay(&mut self, now: Instant, group: Group, overlay: &Overlay) {
        if self.troubles.impossible(now, group) {
            let route = overlay.front.as_ref().map_or_else(String::new, |r| self.text_of(r));
            let owner = self.owner(overlay.cause);
            self.notice(Notice::CannotOverlay { owner, route });
        }
    }

    /// A route that nothing may stand in front of, or that has the place, keeps the overlay out.
    fn block(&mut self, now: Instant, group: Group, overlay: &Overlay, in_the_way: &Route) {
        let route = overlay.front.as_ref().map(|route| self.text_of(route));
        let by = Some(self.text_of(in_the_way));
        self.troubles.blocked_by(now, group, Blocked { cause: overlay.cause, route, by, lifted_for: None });
        self.reports.touch(overlay.cause);
    }
}

/// Whether a route of ours stands just below its place (`metric`), where it was only meant to be while another left that.
fn is_makeshift(own: &Route, metric: Option<u32>) -> bool {
    metric.is_some_and(|metric| own.key.metric.checked_add(1) == Some(metric))
}

/// Whether an overlay of a destination has the place that a route without a metric gets, and needs it no longer: who
/// deleted such a one adds it again, and would be refused.
fn is_in_the_way(overlay: &Overlay, own: &Route) -> bool {
    let has_room = overlay.front.as_ref().is_none_or(|front| front.key.metric > 1);
    let is_led = matches!(overlay.cause, Cause::Destination(_));
    is_led && has_room && own.key.metric == 0 && own.key.destination.addr().is_ipv4()
}

fn lift(route: &Route, cause: Option<Cause>, again: bool) -> RouteStep {
    RouteStep::Lift { route: without_attributes(route), cause, again }
}

/// A delete names key, protocol, gateway and interface; it needs nothing else.
fn without_attributes(route: &Route) -> Route {
    Route {
        key: route.key,
        protocol: route.protocol,
        scope: route.scope,
        source: route.source,
        legs: route.legs.clone(),
        kind: route.kind,
        nexthop_id: route.nexthop_id,
        encapsulated: route.encapsulated,
        linkdown: route.linkdown,
        attributes: Vec::new(),
        flags: route.flags,
    }
}
