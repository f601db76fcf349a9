//! What stands for the watch: for the state dump and `faildctl`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::route::{PROTOCOL, Route};
use super::{Reconciler, Trouble};
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
            let find = |is_ours: bool| {
                let mut routes = self.mirror.routes().group(*group);
                routes.find(|r| (r.protocol == PROTOCOL) == is_ours).cloned()
            };
            WatchedRoute {
                destination: (*group).into(),
                overlay: find(true),
                foreign: find(false),
                is_left_alone: self.wishes.left_alone.contains(group),
                trouble: troubles.iter().find(|trouble| trouble.group == *group).cloned(),
            }
        };
        let member = |lan| (self.lans.name(lan).to_owned(), self.wishes.overlays_of(lan));
        Watched {
            routes: self.wishes.leads().map(route).collect(),
            members: self.wishes.members().map(|(lan, _)| member(lan)).collect(),
        }
    }
}
