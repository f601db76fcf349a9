//! What stands for the watch: for the state dump and `faildctl`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Override, Reconciler, Trouble};
use crate::gather::Gather;
use crate::route::{PROTOCOL, Route};
use crate::watch::Destination;

/// The route that a destination has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedRoute {
    /// The destination.
    pub destination: Destination,
    /// Our route, if there is one.
    pub overlay: Option<Arc<Route>>,
    /// The best route of others.
    pub foreign: Option<Arc<Route>>,
    /// The best route of others belongs to a program whose routes are not overlaid.
    pub is_left_alone: bool,
    /// What the kernel does instead of what was decided.
    pub overridden: Option<Override>,
    /// What does not go smoothly with the overlay.
    pub trouble: Option<Trouble>,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Watched {
    /// All destinations of the watch's plan.
    pub routes: Vec<WatchedRoute>,
    /// How many overlays stand for each member of a group, by its interface.
    pub members: BTreeMap<String, usize>,
}

impl Reconciler {
    /// What stands for the watch.
    pub fn watched(&self) -> Watched {
        let troubles = self.troubles();
        let route = |group: &super::Group| {
            let find =
                |fits: &dyn Fn(&Route) -> bool| self.mirror.routes().group(*group).find(|r| fits(r)).cloned();
            let untouched = self.view().untouched;
            WatchedRoute {
                destination: (*group).into(),
                overlay: find(&|route| route.protocol == PROTOCOL),
                foreign: find(&|route| route.protocol != PROTOCOL && !untouched.holds(route)),
                is_left_alone: self.wishes.left_alone.contains(group),
                overridden: self.asking.get(group).cloned(),
                trouble: troubles.iter().find(|trouble| trouble.group == *group).cloned(),
            }
        };
        let member = |lan| (self.lans.name(lan).to_owned(), self.wishes.overlays_of(lan));
        Watched {
            routes: self.wishes.leads().map(route).collect(),
            members: self.wishes.members().map(|(lan, _)| member(lan)).gather(),
        }
    }
}
