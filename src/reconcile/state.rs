//! Read access for the state dump.

use std::net::IpAddr;
use std::sync::Arc;

use super::addresses;
use super::overlay::Wanted;
use super::table::Group;
use super::{Mirror, Reconciler};
use crate::route::Route;

/// An address that waits on `lo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The interface that it belongs to; absent if nobody remembers.
    pub interface: Option<String>,
    /// The address.
    pub address: IpAddr,
}

/// What becomes of a route that is gone and remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fortune {
    /// faild puts it back when its interface works again.
    PutBack,
    /// A DHCP client or a router brings it back.
    Awaited,
    /// Somebody deleted it while its interface had no carrier. Until that works again, or has been absent for ten minutes,
    /// what stands for it may stay.
    Kept,
}

/// What does not go smoothly with the overlay of one group of routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The routes.
    pub group: Group,
    /// How often others removed the overlay lately.
    pub removals: u32,
    /// Errno of the last operation, if it was refused.
    pub refused: Option<i32>,
    /// Nothing can stand in front of the route.
    pub impossible: bool,
    /// The route that keeps the overlay out.
    pub blocked: Option<String>,
}

impl Reconciler {
    /// The kernel as far as it is known.
    pub const fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    /// The overlays that stand.
    pub fn overlays(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.own_routes()
    }

    /// Routes that are gone and remembered.
    pub fn remembered(&self) -> impl Iterator<Item = (&Arc<Route>, Fortune)> {
        let fortune = |missing: &super::originals::Missing| match missing.is_place() {
            true => Fortune::Kept,
            false if missing.has_no_keeper() => Fortune::PutBack,
            false => Fortune::Awaited,
        };
        self.originals.iter().map(move |missing| (&missing.route, fortune(missing)))
    }

    /// Addresses that wait on `lo`.
    pub fn waiting_addresses(&self) -> Vec<Waiting> {
        let owner =
            |address: &IpAddr| addresses::owner(&self.lans, address).map(|id| self.lans.name(id).to_owned());
        let parked = self.addresses.parked(&self.mirror);
        parked.map(|a| Waiting { interface: owner(&a.address()), address: a.address() }).collect()
    }

    /// What does not go smoothly. That others removed what is not wanted by now concerns nobody.
    pub fn troubles(&self) -> Vec<Trouble> {
        let view = self.view();
        let matters = |group: &Group, t: &super::trouble::Trouble| {
            t.refused.is_some() || t.impossible || matches!(view.wanted(*group), Wanted::Overlay(_))
        };
        let trouble = |(group, t): (&Group, &super::trouble::Trouble)| Trouble {
            group: *group,
            removals: t.removals(),
            refused: t.refused,
            impossible: t.impossible,
            blocked: t.blocked.as_ref().and_then(|blocked| blocked.by.clone()),
        };
        self.troubles.iter().filter(|(group, t)| matters(group, t)).map(trouble).collect()
    }

    /// Whether operations are being carried out, or wait to be. After [`super::Input::Stop`]: whether to wait still.
    pub fn is_busy(&self) -> bool {
        self.work.is_busy() || !self.outputs.is_empty()
    }

    /// Everything in lines of key=value, for the log.
    pub fn report(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "dump-kernel overlays={} saved={} parked={} busy={}",
            self.overlays().count(),
            self.remembered().count(),
            self.waiting_addresses().len(),
            self.is_busy()
        )];
        let overlay = |route: &Arc<Route>| format!("dump-overlay route=\"{}\"", self.text_of(route));
        lines.extend(self.overlays().take(REPORTED).map(overlay));
        let remembered = |(route, fortune): (&Arc<Route>, Fortune)| {
            let (is_put_back, is_kept) = (fortune == Fortune::PutBack, fortune == Fortune::Kept);
            format!("dump-saved-route route=\"{}\" restore={is_put_back} kept={is_kept}", self.text_of(route))
        };
        lines.extend(self.remembered().take(REPORTED).map(remembered));
        for Waiting { interface, address } in self.waiting_addresses() {
            let interface = interface.unwrap_or_else(|| "unknown".to_owned());
            lines.push(format!("dump-parked address={address} interface={interface} on=lo"));
        }
        for Trouble { group, removals, refused, impossible, blocked } in
            self.troubles().into_iter().take(REPORTED)
        {
            let refused = refused.map_or_else(|| "no".to_owned(), |errno| format!("errno:{errno}"));
            let blocked = blocked.map(|by| format!(" in-the-way=\"{by}\"")).unwrap_or_default();
            lines.push(format!(
                "dump-problem {} removals={removals} refused={refused} impossible={impossible}{blocked}",
                super::Owner::Destination(group.into())
            ));
        }
        lines
    }

    /// A route as `ip route` writes it, shortened, with the interfaces by name.
    pub fn describe_route(&self, route: &Route) -> String {
        self.text_of(route)
    }
}

/// Most routes of a kind that a report lists; the counts tell of all.
const REPORTED: usize = 1000;
