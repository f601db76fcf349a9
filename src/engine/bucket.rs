//! A token bucket: so many in a burst, so many a second after that.

use crate::time::Instant;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    most: f64,
    per_second: f64,
    left: f64,
    filled: Instant,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(most: f64, per_second: f64, now: Instant) -> Self {
        Self { most, per_second, left: most, filled: now }
    }

    /// Whether there is one more.
    pub(super) fn spend(&mut self, now: Instant) -> bool {
        let gained = now.since(self.filled).as_secs_f64() * self.per_second;
        self.left = (self.left + gained).min(self.most);
        self.filled = now;
        let may = self.left >= 1.0;
        if may {
            self.left -= 1.0;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_is_empty_after_a_burst_and_fills_again() {
        let start = Instant::from_nanos(5);
        let mut bucket = Bucket::new(100.0, 10.0, start);
        let spent = |bucket: &mut Bucket, at: Instant| (0..1000).filter(|_| bucket.spend(at)).count();
        assert_eq!(spent(&mut bucket, start), 100);
        assert_eq!(spent(&mut bucket, start + Duration::from_millis(550)), 5);
        assert_eq!(spent(&mut bucket, start + Duration::from_secs(3600)), 100);
    }
}
