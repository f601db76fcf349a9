//! Time as an argument: the core is told the time and has no way to ask for it.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment of the monotonic clock (CLOCK_MONOTONIC), in nanoseconds since an arbitrary origin.
///
/// Kept as one more, so that an `Option` takes no more room: there are a dozen of them for each path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(NonZeroU64);

impl Instant {
    /// The moment `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(nanos))
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0.get() - 1
    }

    /// Time since `earlier`; zero if that is in the future.
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }
}

impl Default for Instant {
    /// The origin.
    fn default() -> Self {
        Self::from_nanos(0)
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    /// Saturates at the end of time, after 584 years.
    fn add(self, duration: Duration) -> Instant {
        Instant(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;

    /// Saturates at the origin.
    fn sub(self, duration: Duration) -> Instant {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Instant::from_nanos(self.as_nanos().saturating_sub(nanos))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.as_nanos();
        write!(f, "{}.{:06}s", nanos / 1_000_000_000, nanos % 1_000_000_000 / 1000)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Instant").field(&self.as_nanos()).finish()
    }
}

/// A moment in UTC as text (RFC 3339), from the time since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Stamp(pub Duration);

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let millis = self.0.subsec_millis();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// Year, month and day of a day since 1970, in the Gregorian calendar: counted in eras of 400 years from the first of
/// March of the year 0, so that the odd day stands at the end of a year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: Instant = Instant::from_nanos(u64::MAX);

    #[test]
    fn moments_at_both_ends_of_time() {
        let origin = Instant::default();
        assert_eq!((origin.as_nanos(), origin - Duration::from_secs(1)), (0, origin));
        assert_eq!(
            (END + Duration::from_secs(1), END.since(origin)),
            (END, Duration::from_nanos(u64::MAX - 1))
        );
        assert_eq!(origin.since(END), Duration::ZERO);
        let moment = origin + Duration::from_micros(1_500_000);
        assert_eq!((moment.to_string().as_str(), moment - Duration::MAX), ("1.500000s", origin));
        assert_eq!(format!("{moment:?}"), "Instant(1500000000)");
    }

    #[test]
    fn no_moment_takes_no_room() {
        assert_eq!(size_of::<Option<Instant>>(), size_of::<Instant>());
    }
}
