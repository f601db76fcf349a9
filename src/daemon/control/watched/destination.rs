//! The destinations with their next hops.

use ipnet::IpNet;

use super::Picture;
use crate::control::{self, Reason};
use crate::route::MAIN_TABLE;
use crate::watch::{Destination, HopSnapshot, HopState, RouteSnapshot, Way};

impl Picture<'_> {
    /// The destination that applies to an address or prefix in the main table: the longest match.
    pub(in crate::daemon::control) fn rule(&self, wanted: &IpNet) -> Option<&RouteSnapshot> {
        let main = self.watch.routes.iter().filter(|route| route.destination.table == MAIN_TABLE);
        let holds = main.filter(|route| route.destination.prefix.contains(wanted));
        holds.max_by_key(|route| route.destination.prefix.prefix_len())
    }
}

/// A destination, without its routes in the kernel.
pub(in crate::daemon::control) fn destination(
    route: &RouteSnapshot,
    with_targets: bool,
) -> control::Destination {
    let hop = |hop: &HopSnapshot| match with_targets {
        true => hop.clone(),
        false => HopSnapshot { targets: Vec::new(), ..hop.clone() },
    };
    control::Destination {
        destination: route.destination.prefix.to_string(),
        table: route.destination.table,
        reason: route_words(route),
        overlay: None,
        original: None,
        problem: None,
        next_hops: route.hops.iter().map(hop).collect(),
    }
}

/// Whether traffic does not use all next hops of the first rank.
pub(super) fn is_moved(route: &RouteSnapshot) -> bool {
    route.goes_by_first_choice() == Some(false)
}

/// What is wrong with a destination: each next hop that does not work, or should be in use and is not.
pub(super) fn route_reasons(route: &RouteSnapshot) -> Vec<String> {
    let name = destination_words(&route.destination);
    let silent = route.all_silent.then(|| format!("{name}: no next hop works; nothing is moved"));
    let first = route.hops.iter().map(|hop| hop.rank).min();
    let is_left = |hop: &HopSnapshot| route.way != Way::Undecided && Some(hop.rank) == first && !hop.in_use;
    let wrong = route.hops.iter().filter(|hop| is_broken(hop) || is_left(hop));
    let wrong = wrong.map(|hop| format!("{name}: {}: {}", hop_words(hop), hop_state(hop)));
    silent.into_iter().chain(wrong).collect()
}

pub(super) const fn is_broken(hop: &HopSnapshot) -> bool {
    match hop.state {
        HopState::Down | HopState::Degraded => true,
        HopState::Up | HopState::Unknown => false,
    }
}

/// What is wrong with a next hop that does not work, or is not in use.
fn hop_state(hop: &HopSnapshot) -> &str {
    match hop.state {
        _ if !hop.reason.is_empty() => &hop.reason,
        HopState::Down => "has failed",
        HopState::Degraded => "is degraded",
        HopState::Up | HopState::Unknown => "is not in use",
    }
}

pub(super) fn destination_words(destination: &Destination) -> String {
    match destination.table {
        MAIN_TABLE => destination.prefix.to_string(),
        table => format!("{} table {table}", destination.prefix),
    }
}

/// Why a destination uses the next hops it uses.
fn route_words(route: &RouteSnapshot) -> Reason {
    let used: Vec<String> = route.hops.iter().filter(|hop| hop.in_use).map(hop_words).collect();
    let used = used.join(", ");
    let (word, text) = match &route.way {
        _ if route.hops.is_empty() => ("no-next-hop", "no next hop is known; nothing is moved".to_owned()),
        _ if route.all_silent => ("all-silent", "no next hop works; nothing is moved".to_owned()),
        Way::Undecided => ("undecided", "not yet decided; existing routes stay in place".to_owned()),
        Way::By(_) if is_moved(route) => ("moved", format!("the first choice is not in use; using {used}")),
        Way::By(_) => ("first-choice", format!("the first choice is in use: {used}")),
    };
    Reason { word: word.to_owned(), text }
}

fn hop_words(hop: &HopSnapshot) -> String {
    match hop.via {
        Some(via) => format!("{} via {via}", hop.interface),
        None => hop.interface.clone(),
    }
}
