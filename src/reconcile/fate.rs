//! How a leg of a route fares, by what engine and watch say of its gateway and interface, and what takes a dead one's
//! place.

use std::net::IpAddr;

use super::cause::Cause;
use super::lan::{Choice, LanId, SubjectId};
use super::overlay::View;
use super::table::Group;
use super::wishes::Stand;
use crate::route::{Leg, MAIN_TABLE};

/// How a leg fares.
pub(super) enum Fate {
    Lives,
    Unclear,
    /// The engine does not know its gateway, and it leaves by a member of a group that serves: an overlay of a member
    /// is not needed, one of a subject may be.
    Unknown,
    Dead(Cause, Instead),
}

/// What takes the place of a dead leg.
#[derive(Clone, Copy)]
pub(super) struct Instead {
    pub(super) lan: LanId,
    pub(super) via: Option<IpAddr>,
}

impl View<'_> {
    pub(super) fn fate(&self, group: Group, leg: &Leg, lan: Option<LanId>) -> Fate {
        let Some(lan) = lan else { return Fate::Lives };
        let subject = leg.gateway.filter(|_| group.table == MAIN_TABLE);
        let choice = subject.map(|address| {
            let id = SubjectId { lan, address };
            (id, self.subjects.get(&id))
        });
        let by_subject = match choice {
            None | Some((_, Some(Choice::Home))) => Fate::Lives,
            Some((id, Some(Choice::Detour(way)))) => {
                return Fate::Dead(Cause::Subject(id), Instead { lan: way.lan, via: Some(way.via) });
            }
            Some((_, Some(Choice::Undecided) | None)) => Fate::Unclear,
        };
        if self.wishes.is_quiet() {
            return by_subject;
        }
        let is_unknown = matches!(choice, Some((_, None)));
        match self.wishes.stand(lan) {
            Some(Stand::In(other)) => {
                Fate::Dead(Cause::Member(lan), Instead { lan: other, via: leg.gateway })
            }
            Some(Stand::Undecided) => Fate::Unclear,
            _ if is_unknown && self.wishes.cause(&group).is_some() => Fate::Lives,
            Some(Stand::Home) if is_unknown => Fate::Unknown,
            Some(Stand::Home) | None => by_subject,
        }
    }
}
