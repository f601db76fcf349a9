//! What of a group of routes is ours and what is of others, and which the kernel prefers.

use std::sync::Arc;

use crate::route::{Leg, PROTOCOL, Route};

pub(super) fn own(routes: &[Arc<Route>]) -> impl Iterator<Item = &Arc<Route>> {
    routes.iter().filter(|r| r.protocol == PROTOCOL)
}

pub(super) fn foreign(routes: &[Arc<Route>]) -> impl Iterator<Item = &Arc<Route>> {
    routes.iter().filter(|r| r.protocol != PROTOCOL)
}

pub(super) fn has_own(routes: &[Arc<Route>]) -> bool {
    routes.iter().any(|r| r.protocol == PROTOCOL)
}

/// Whether an overlay of ours stands in front of the route and has something else in the place of this leg: then it
/// was laid when that leg was dead, and stays until the leg's subject is home.
pub(super) fn replaced(routes: &[Arc<Route>], route: &Arc<Route>, leg: &Leg) -> bool {
    let mut in_front = own_in_front(routes, route).peekable();
    in_front.peek().is_some() && in_front.all(|o| !o.legs.iter().any(|own| own.is_same_hop(leg)))
}

pub(super) fn own_in_front<'r>(
    routes: &'r [Arc<Route>],
    route: &'r Arc<Route>,
) -> impl Iterator<Item = &'r Arc<Route>> {
    routes.iter().filter(move |o| o.protocol == PROTOCOL && stands_before(routes, o, route))
}

/// Whether the kernel prefers `own` to `other`, both of one group. A route that is gone is behind its equals.
pub(super) fn stands_before(routes: &[Arc<Route>], own: &Arc<Route>, other: &Arc<Route>) -> bool {
    if own.key.metric != other.key.metric {
        return own.key.metric < other.key.metric;
    }
    let place = |route: &Arc<Route>| routes.iter().position(|r| r.is_same(route));
    match (place(own), place(other)) {
        (Some(own), Some(other)) => own < other,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// Whether what is ours in a group looks like a stand-in's route: by a gateway that a route of others has, too.
pub(super) fn is_stand_in(routes: &[Arc<Route>]) -> bool {
    let is_known =
        |leg: &Leg| foreign(routes).any(|r| r.legs.iter().any(|other| other.gateway == leg.gateway));
    has_own(routes) && own(routes).all(|r| r.legs.iter().all(is_known))
}
