//! The source that packets by an overlay bear.

use std::net::IpAddr;

use super::cause::Cause;
use super::fate::Instead;
use super::lan::SubjectId;
use super::overlay::View;
use crate::interface::is_link_local;
use crate::route::Route;

impl View<'_> {
    /// See the module. `alive`: some legs of the original live on.
    pub(super) fn source(
        &self,
        original: &Route,
        cause: Cause,
        instead: Instead,
        alive: bool,
    ) -> Option<IpAddr> {
        match cause {
            Cause::Subject(subject) => {
                self.home_source(original, subject, alive).filter(|s| self.is_local(subject, s))
            }
            Cause::Destination(_) | Cause::Member(_) => self.stand_in_source(original, instead, alive),
        }
    }

    /// The source that packets by the original have borne: its own, else what the kernel chose for its gateway. If
    /// some legs live on, the kernel goes on choosing.
    fn home_source(&self, original: &Route, subject: SubjectId, alive: bool) -> Option<IpAddr> {
        if original.source.is_some() || alive {
            return original.source;
        }
        let v4 = original.key.destination.addr().is_ipv4();
        let lan = self.lans.get(subject.lan)?;
        let of_subnet = lan.source_for(&subject.address).filter(|s| s.is_ipv4() == v4 && !is_link_local(s));
        of_subnet.or_else(|| lan.global_source(v4))
    }

    /// The address of the interface that stands in, so that answers come back to where they can.
    fn stand_in_source(&self, original: &Route, instead: Instead, alive: bool) -> Option<IpAddr> {
        let destination = original.key.destination;
        let near = instead.via.unwrap_or_else(|| destination.network());
        let own = self.lans.get(instead.lan).filter(|_| !alive);
        let own = own.and_then(|lan| lan.own_source(Some(&near), destination.addr().is_ipv4()));
        own.or(original.source).filter(|source| self.mirror.is_local(source))
    }

    /// Whether the kernel accepts an address as a source; most often it is one of the subject's home LAN.
    pub(super) fn is_local(&self, subject: SubjectId, source: &IpAddr) -> bool {
        self.lans.get(subject.lan).is_some_and(|lan| lan.holds(source)) || self.mirror.is_local(source)
    }
}
