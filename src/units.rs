//! Durations in JSON are whole numbers, and the name of the member ends with their unit: `round_trip_us`, `heard_ms`.
//! For `#[serde(with = "...")]`, on a duration or an optional one.

use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

macro_rules! unit {
    ($(#[$doc:meta])* $unit:ident, $to:ident, $from:ident) => {
        $(#[$doc])*
        pub(crate) mod $unit {
            use super::*;

            /// A duration in this unit; saturates.
            pub(crate) fn of(duration: Duration) -> u64 {
                u64::try_from(duration.$to()).unwrap_or(u64::MAX)
            }

            pub(crate) fn serialize<T: Span, S: Serializer>(span: &T, serializer: S) -> Result<S::Ok, S::Error> {
                span.duration().map(of).serialize(serializer)
            }

            pub(crate) fn deserialize<'de, T: Span, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
                let number = Option::<u64>::deserialize(from)?;
                T::from_duration(number.map(Duration::$from)).ok_or_else(|| D::Error::custom("a number is missing"))
            }
        }
    };
}

unit!(
    /// In microseconds.
    micros, as_micros, from_micros
);
unit!(
    /// In milliseconds.
    millis, as_millis, from_millis
);

/// A duration, or an optional one.
pub(crate) trait Span: Sized {
    fn duration(&self) -> Option<Duration>;

    fn from_duration(duration: Option<Duration>) -> Option<Self>;
}

impl Span for Duration {
    fn duration(&self) -> Option<Duration> {
        Some(*self)
    }

    fn from_duration(duration: Option<Duration>) -> Option<Self> {
        duration
    }
}

impl Span for Option<Duration> {
    fn duration(&self) -> Option<Duration> {
        *self
    }

    fn from_duration(duration: Option<Duration>) -> Option<Self> {
        Some(duration)
    }
}
