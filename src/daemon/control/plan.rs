//! `plan --fail`: what would be done, put into the commands of iproute2.

use std::net::IpAddr;

use super::answer::millis;
use super::operate::refusal;
use crate::control::{Refusal, RefusalKind, Rehearsal, Reply, Step};
use crate::daemon::edges::Edges;
use crate::daemon::rehearsal::{self, Fault};
use crate::engine::Silence;
use crate::reconcile::describe;
use crate::time::Instant;

impl Edges {
    /// What would be done if an interface or a peer failed; nothing is changed.
    pub(super) fn rehearse(&mut self, now: Instant, what: &str) -> Result<Reply, Refusal> {
        let (fault, words) = self.fault(now, what)?;
        let steps = rehearsal::rehearse(self, now, &fault);
        let step = |step: &rehearsal::Step| Step {
            after_ms: millis(step.after),
            command: describe(&step.operation, &|index| self.core.name(index)),
        };
        Ok(Reply::Plan(Rehearsal {
            fault: words,
            steps: steps.iter().take(STEPS).map(step).collect(),
            count: steps.len(),
            note: steps.is_empty().then(|| why_nothing(&fault).to_owned()),
        }))
    }

    fn fault(&self, now: Instant, what: &str) -> Result<(Fault, String), Refusal> {
        let watch = self.core.watch().snapshot(now);
        if self.core.peers().is_lan(what) || self.picture(&watch).is_watched(what) {
            let has_carrier = self.core.interfaces().iter().any(|i| i.name == what && i.is_running());
            if !has_carrier {
                let message = format!("{what} has no carrier already; nothing more can be taken from it");
                return Err(refusal(RefusalKind::Refused, message));
            }
            return Ok((Fault::Carrier(what.to_owned()), format!("{what} loses its carrier")));
        }
        let address = what.parse::<IpAddr>().ok();
        let silence = address.and_then(|address| self.core.peers().interface_with(&address));
        if let Some(gateway) = address.filter(|address| rehearsal::is_gateway(&watch, address)) {
            let words = format!("the gateway {what} falls silent, and all beyond it");
            return Ok((Fault::Gateway(gateway, silence), words));
        }
        if let Some(silence) = silence {
            return Ok((Fault::Silence(silence), format!("the peer's interface with {what} falls silent")));
        }
        if let Some(node) = self.core.peers().node_called(what) {
            return Ok((
                Fault::Silence(Silence::Node(node)),
                format!("peer {what} falls silent on all LANs"),
            ));
        }
        let others = if watch.groups.is_empty() && watch.routes.is_empty() {
            "and"
        } else {
            "no interface of a group or next hop, no gateway, and"
        };
        let lans = self.core.peers().plan().lans.join(", ");
        let message = format!("{what:?} is no LAN ({lans}), {others} no name, id or address of a peer");
        Err(refusal(RefusalKind::NotFound, message))
    }
}

const fn why_nothing(fault: &Fault) -> &'static str {
    match fault {
        Fault::Carrier(_) => "nothing would be changed: nothing that goes there has another way that works",
        Fault::Silence(Silence::Node(_)) => {
            "nothing would be changed: it is the peer itself that is gone, no other way leads to it"
        }
        Fault::Gateway(..) => {
            "nothing would be changed: no other next hop works, or nothing goes by this one"
        }
        Fault::Silence(Silence::Interface { .. }) => {
            "nothing would be changed: the peer has no other way that works, or its traffic does not go there"
        }
    }
}

/// Steps that are shown; the count tells of all. A hundred bytes each.
const STEPS: usize = 1000;
