//! `[damping]`: how long failback to a path that keeps failing is suppressed.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Damping;
use super::document::{Key, Value};
use super::draft::Draft;
use super::fault::{Complaint, Fault};
use super::file::put;

pub(super) const KEYS: &[Key<Damping>] = &[
    Key { name: "penalty", default: "1000", read: |d, v, _| put(&mut d.penalty, v.number(&(0.0..=PENALTY))) },
    Key {
        name: "suppress",
        default: "2500",
        read: |d, v, _| put(&mut d.suppress, v.number(&(1.0..=PENALTY))),
    },
    Key { name: "reuse", default: "1000", read: |d, v, _| put(&mut d.reuse, v.number(&(1.0..=PENALTY))) },
    Key {
        name: "half-life",
        default: "\"60s\"",
        read: |d, v, _| put(&mut d.half_life, v.duration(&HALF_LIFE)),
    },
    Key { name: "maximum", default: "\"10m\"", read: |d, v, _| put(&mut d.maximum, v.duration(&SUPPRESSED)) },
];

pub(super) fn read(draft: &mut Draft, value: &Value<'_>, faults: &mut Vec<Fault>) -> Result<(), Complaint> {
    let before = faults.len();
    let damping = &mut draft.settings.damping;
    value.read(KEYS, damping, faults)?;
    if faults.len() > before {
        return Ok(());
    }
    let Damping { suppress, reuse, .. } = *damping;
    let ceiling = damping.ceiling();
    if reuse >= suppress {
        faults.push(value.fault_of_section(&format!(
            "reuse {reuse} must be below suppress {suppress}; lower reuse or raise suppress"
        )));
    } else if ceiling < suppress {
        faults.push(value.fault_of_section(&format!(
            "can never suppress: maximum caps the penalty at {ceiling:.0}, below suppress {suppress}; raise maximum, \
             shorten half-life or lower suppress"
        )));
    }
    Ok(())
}

/// The maximum of all penalties: only their proportions count, so a million is enough.
const PENALTY: f64 = 1_000_000.0;
/// A penalty that halves in under a second damps nothing; one that takes over a day never goes.
const HALF_LIFE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);
/// As for the half-life.
const SUPPRESSED: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);
