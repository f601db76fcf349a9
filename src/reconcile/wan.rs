//! A LAN that nobody named and that a default route leaves by: it may lead to a provider, and faild should not be
//! heard there. Said once for each interface, whenever it becomes so.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Reconciler;
use super::lan::LanId;
use super::notice::Notice;
use super::table::Group;
use crate::route::PROTOCOL;

impl Reconciler {
    /// Warns of each such LAN that people were not told of yet.
    pub(super) fn warn_of_wans(&mut self) {
        if self.settings.lans_named {
            return;
        }
        let fresh: Vec<LanId> = self.default_lans().filter(|lan| !self.wans_told.contains(lan)).collect();
        for lan in fresh {
            // A route with two legs on a LAN, and one of each family, are told once.
            if self.wans_told.insert(lan) {
                let interface = self.lans.name(lan).to_owned();
                self.notice(Notice::DefaultRouteOnLan { interface });
            }
        }
    }

    /// The LANs that default routes of others leave by.
    fn default_lans(&self) -> impl Iterator<Item = LanId> + '_ {
        let any = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
        let defaults = any.into_iter().filter_map(|address| ipnet::IpNet::new(address, 0).ok());
        defaults
            .flat_map(|destination| self.mirror.routes().group(Group::main(destination)))
            .filter(|route| route.protocol != PROTOCOL)
            .flat_map(|route| route.legs.iter())
            .filter_map(|leg| self.lans.of(leg.interface))
            .filter(|id| self.lans.get(*id).is_some_and(|lan| lan.in_plan))
    }
}
