//! Groups and their members: one rule for LANs, gateways and IPMP groups of how a silent member is judged.
//!
//! A member is a way that may serve: a LAN, a next hop, an interface. When it is found silent the others are witnesses:
//! if one of them was answered since, it is the member that failed. If none was, it may be us, or what was asked: the
//! group has failed, and nothing moves (in.mpathd(8), "group failure"; what was asked is dead for all).

use crate::time::Instant;

/// Why a member seems to have failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicion {
    /// Its link is down.
    Link,
    /// Probes by it are not answered, the first of them sent at this time.
    Silent {
        /// When the earliest of the unanswered probes was sent.
        since: Instant,
    },
}

/// What another member says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Witness {
    /// Its link is up, by the freshest look.
    pub has_link: bool,
    /// It has not failed and is in service.
    pub serves: bool,
    /// Probes are sent by it; without them its link is all that speaks for it.
    pub is_probed: bool,
    /// When a probe by it was last answered.
    pub answered: Option<Instant>,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// The member has failed: another stands in.
    Member,
    /// All have: nothing moves.
    Group,
}

/// Judges a member by what the others say. `group_failed`: that is known already.
pub fn arbitrate(
    suspicion: Suspicion,
    group_failed: bool,
    mut others: impl Iterator<Item = Witness>,
) -> Finding {
    let speaks = |other: Witness| match suspicion {
        Suspicion::Link => other.has_link && other.serves && !group_failed,
        Suspicion::Silent { .. } if other.has_link && !other.is_probed => other.serves,
        Suspicion::Silent { since } => {
            other.has_link && other.serves && !group_failed && other.answered.is_some_and(|at| at > since)
        }
    };
    if others.any(speaks) { Finding::Member } else { Finding::Group }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SINCE: Suspicion = Suspicion::Silent { since: at(1000) };

    const fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    fn witness(answered: Option<Instant>) -> Witness {
        Witness { has_link: true, serves: true, is_probed: true, answered }
    }

    fn finding(suspicion: Suspicion, others: &[Witness]) -> Finding {
        arbitrate(suspicion, false, others.iter().copied())
    }

    #[test]
    fn a_member_is_silent_alone_when_another_was_answered_since() {
        assert_eq!(finding(SINCE, &[witness(Some(at(1001)))]), Finding::Member);
    }

    #[test]
    fn what_was_asked_is_dead_when_nobody_was_answered_since() {
        assert_eq!(finding(SINCE, &[witness(Some(at(999))), witness(None)]), Finding::Group);
        assert_eq!(finding(SINCE, &[]), Finding::Group);
    }

    #[test]
    fn a_member_without_probes_speaks_by_its_link() {
        let unprobed = Witness { is_probed: false, ..witness(None) };
        assert_eq!(finding(SINCE, &[unprobed]), Finding::Member);
        assert_eq!(finding(SINCE, &[Witness { has_link: false, ..unprobed }]), Finding::Group);
    }

    #[test]
    fn who_is_out_of_service_is_no_witness() {
        let failed = Witness { serves: false, ..witness(Some(at(2000))) };
        assert_eq!(finding(SINCE, &[failed]), Finding::Group);
        assert_eq!(finding(Suspicion::Link, &[failed]), Finding::Group);
    }

    #[test]
    fn a_lost_link_needs_another_link_and_no_answer() {
        assert_eq!(finding(Suspicion::Link, &[witness(None)]), Finding::Member);
        assert_eq!(arbitrate(Suspicion::Link, true, [witness(None)].into_iter()), Finding::Group);
    }
}
