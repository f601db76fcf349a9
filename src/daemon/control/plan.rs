//! `plan --fail`: what faild would do, as commands of iproute2.

use std::net::IpAddr;

use super::operate::refusal;
use crate::control::{Refusal, RefusalKind, Rehearsal, Reply, Step};
use crate::daemon::edges::Edges;
use crate::daemon::rehearsal::{self, Fault};
use crate::engine::Silence;
use crate::reconcile::describe;
use crate::time::Instant;
use crate::units::millis;

impl Edges {
    /// What faild would do if an interface, gateway or peer failed; nothing is changed.
    pub(super) fn rehearse(&mut self, now: Instant, what: &str) -> Result<Reply, Refusal> {
        let (fault, words) = self.fault(now, what)?;
        let steps = rehearsal::rehearse(self, now, &fault);
        let step = |step: &rehearsal::Step| Step {
            after_ms: millis::of(step.after),
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
                let message = format!("{what} already has no carrier");
                return Err(refusal(RefusalKind::Refused, message));
            }
            return Ok((Fault::Carrier(what.to_owned()), format!("{what} loses its carrier")));
        }
        let address = what.parse::<IpAddr>().ok();
        let silence = address.and_then(|address| self.core.peers().interface_with(&address));
        if let Some(gateway) = address.filter(|address| rehearsal::is_gateway(&watch, address)) {
            let words = format!("gateway {what} and everything beyond it become unreachable");
            return Ok((Fault::Gateway(gateway, silence), words));
        }
        if let Some(silence) = silence {
            return Ok((
                Fault::Silence(silence),
                format!("the peer's interface with {what} becomes unreachable"),
            ));
        }
        if let Some(node) = self.core.peers().node_called(what) {
            return Ok((
                Fault::Silence(Silence::Node(node)),
                format!("peer {what} becomes unreachable on all LANs"),
            ));
        }
        let others = if watch.groups.is_empty() && watch.routes.is_empty() {
            "and"
        } else {
            "not an interface of a group or next hop, not a gateway, and"
        };
        let lans = self.core.peers().plan().lans.join(", ");
        let message =
            format!("{what:?} is not a LAN ({lans}), {others} not the name, id or address of a peer");
        Err(refusal(RefusalKind::NotFound, message))
    }
}

const fn why_nothing(fault: &Fault) -> &'static str {
    match fault {
        Fault::Carrier(_) => "no change: no traffic on it has another working path",
        Fault::Silence(Silence::Node(_)) => "no change: the peer itself is gone, and no path leads to it",
        Fault::Gateway(..) => "no change: no other next hop works, or none of the traffic uses this one",
        Fault::Silence(Silence::Interface { .. }) => {
            "no change: the peer has no other working path, or its traffic does not use this one"
        }
    }
}

/// How many steps are shown; the count includes all. A hundred bytes each.
const STEPS: usize = 1000;
