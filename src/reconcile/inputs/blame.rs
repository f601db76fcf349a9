//! Who took overlays away: the kernel with an interface or an address, or another program.

use std::net::IpAddr;
use std::sync::Arc;

use super::super::Reconciler;
use super::super::input::Output;
use super::super::lan::{Lan, LanId};
use super::super::overlay::Wanted;
use super::super::table::{Group, RouteTable, host_of};
use crate::route::{PROTOCOL, Route};
use crate::time::Instant;

impl Reconciler {
    /// Overlays are gone. If an interface fell that explains it; else somebody removed them.
    pub(super) fn blame(&mut self, now: Instant, gone: &[Arc<Route>], dump: &RouteTable) {
        for route in gone {
            let group = Group::of(&route.key);
            // Linux 6.18 takes the source off an IPv6 route when the address goes: it is still ours.
            let altered = dump.at(&route.key).iter().any(|r| r.protocol == PROTOCOL && r.legs == route.legs);
            if altered {
                continue;
            }
            match self.view().wanted(group) {
                Wanted::Overlay(_) if self.was_flushed(now, route) => {}
                Wanted::Overlay(overlay) => {
                    // Among equal keys of IPv4 a replace hits the first, and so does a delete that names no more.
                    let equal = self.mirror.routes().at(&route.key);
                    if route.key.destination.addr().is_ipv4() && equal.iter().any(|r| r.protocol != PROTOCOL)
                    {
                        self.troubles.hit(now, group);
                    } else {
                        self.troubles.removed(now, group);
                    }
                    let text = self.text_of(route);
                    let removals =
                        self.troubles.get(&group).map_or(0, super::super::trouble::Trouble::removals);
                    self.reports.removed(overlay.cause, text, removals);
                }
                Wanted::Keep if self.wishes.lead(&group).is_none() => self.report_vanished(group),
                Wanted::Keep | Wanted::Nothing | Wanted::LeftAlone | Wanted::Blocked(_) => {}
            }
        }
        self.report_removals();
    }

    /// What nothing was decided for is not laid again: the engine must not take it for standing.
    pub(in crate::reconcile) fn report_vanished(&mut self, group: Group) {
        let stands = self.own_routes().any(|route| Group::of(&route.key) == group);
        if let Some(address) = host_of(group).filter(|_| self.adopted && !stands) {
            self.outputs.push_back(Output::Adopted { address, way: None });
        }
    }

    /// Whether an overlay went with an interface, with the addresses of one, or with its source.
    fn was_flushed(&self, now: Instant, route: &Route) -> bool {
        let v4 = route.key.destination.addr().is_ipv4();
        let takes = |lan: &Lan| lan.is_falling(now) || (v4 && lan.took_ipv4_routes(now));
        let falling = |id: LanId| self.lans.get(id).is_none_or(takes);
        let by_leg = route.legs.iter().any(|leg| self.lans.of(leg.interface).is_none_or(falling));
        // The source may be back by now, on its interface or waiting on lo: its routes are not.
        let fell_with = |source: IpAddr| {
            let mut falling = self.lans.iter().filter(|(_, lan)| lan.is_falling(now));
            falling.any(|(_, lan)| lan.addresses.iter().any(|h| h.address.address() == source))
        };
        by_leg || route.source.is_some_and(|source| !self.mirror.is_local(&source) || fell_with(source))
    }
}
