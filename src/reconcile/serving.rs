//! What serves a destination: the overlay, what it stands in for, and whose death it is there for.

use std::sync::Arc;

use ipnet::IpNet;

use super::cause::{Cause, Owner};
use super::lan::SubjectId;
use super::overlay::Wanted;
use super::table::Group;
use super::{Reconciler, Trouble};
use crate::route::{PROTOCOL, Route};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serving {
    /// The destination of the routes.
    pub prefix: IpNet,
    /// Our route, if there is one.
    pub overlay: Option<Arc<Route>>,
    /// The best route of others for that destination.
    pub original: Option<Arc<Route>>,
    /// It went with its interface, and is remembered.
    pub is_gone: bool,
    /// Whose death or life decides.
    pub owner: Option<Owner>,
    /// What does not go smoothly with the overlay.
    pub trouble: Option<Trouble>,
}

impl Reconciler {
    /// What serves a destination, as far as routes over the LANs do: those with the longest prefix that holds it.
    pub fn serving(&self, destination: &IpNet) -> Option<Serving> {
        let prefixes = (0..=destination.prefix_len()).rev();
        let groups = prefixes.filter_map(|length| {
            let prefix = IpNet::new(destination.network(), length).ok()?.trunc();
            Some(Group::main(prefix))
        });
        let is_known = |g: &Group| {
            self.mirror.routes().group(*g).next().is_some() || !self.originals.group(g).is_empty()
        };
        let mut known = groups.filter(is_known);
        known.next().map(|group| self.serving_group(group))
    }

    fn serving_group(&self, group: Group) -> Serving {
        let routes: Vec<Arc<Route>> = self.mirror.routes().group(group).cloned().collect();
        let standing = routes.iter().find(|r| r.protocol != PROTOCOL).cloned();
        let missing = self.originals.group(&group).first();
        let is_gone = standing.is_none() && missing.is_some();
        let by_missing = || missing?.legs().find_map(|(leg, lan)| self.known_subject(lan?, leg.gateway?));
        let cause = match self.view().wanted_among(group, &routes) {
            Wanted::Overlay(overlay) => Some(overlay.cause),
            Wanted::Blocked(cause) => Some(cause),
            Wanted::Keep | Wanted::Nothing | Wanted::LeftAlone => {
                self.cause_of(group, &routes).or_else(|| by_missing().map(Cause::Subject))
            }
        };
        Serving {
            prefix: group.destination,
            overlay: routes.iter().find(|r| r.protocol == PROTOCOL).cloned(),
            original: standing.or_else(|| missing.map(|m| Arc::clone(&m.route))),
            is_gone,
            owner: cause.map(|cause| self.owner(cause)),
            trouble: self.troubles().into_iter().find(|trouble| trouble.group == group),
        }
    }

    fn known_subject(&self, lan: super::lan::LanId, address: std::net::IpAddr) -> Option<SubjectId> {
        let id = SubjectId { lan, address };
        self.subjects.contains_key(&id).then_some(id)
    }
}
