//! The one timer: an absolute deadline on the monotonic clock. The poll's own timeout counts milliseconds and is 0.6 ms
//! late; a timerfd is 0.05 ms late (Linux 6.18).

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::time::Instant;

/// A timer for the poll. It is never read: polling is edge-triggered, and each expiry is an edge.
#[derive(Debug)]
pub(super) struct Timer {
    timer: TimerFd,
    armed: Option<Instant>,
}

impl Timer {
    /// A timer that is not armed.
    ///
    /// # Errors
    ///
    /// Out of file descriptors or memory.
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        Ok(Self { timer: TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?, armed: None })
    }

    /// Wakes the poll at `deadline`, at once if that has passed, never if there is none.
    ///
    /// # Errors
    ///
    /// None that Linux documents for valid arguments.
    pub(super) fn arm(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        if self.armed == deadline {
            return Ok(());
        }
        match deadline {
            Some(at) => {
                let expiration = Expiration::OneShot(absolute(at));
                self.timer.set(expiration, TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
            }
            None => self.timer.unset()?,
        }
        self.armed = deadline;
        Ok(())
    }

    /// The poll saw the timer expire: the next `arm` counts, even for the same moment.
    pub(super) fn handle_expired(&mut self) {
        self.armed = None;
    }
}

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.timer.as_fd().as_raw_fd()
    }
}

/// Zero would disarm the timer; the first nanosecond after boot will do as well.
fn absolute(at: Instant) -> TimeSpec {
    TimeSpec::from_duration(std::time::Duration::from_nanos(at.as_nanos().clamp(1, LATEST)))
}

/// The kernel takes no more seconds than a signed 64-bit number of nanoseconds has.
const LATEST: u64 = i64::MAX as u64;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mio::unix::SourceFd;
    use mio::{Events, Interest, Poll, Token};

    use super::super::clock;
    use super::*;

    #[test]
    fn it_wakes_the_poll_each_time_it_is_armed_and_not_before() {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(4);
        let mut timer = Timer::new().unwrap();
        poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), Token(1), Interest::READABLE).unwrap();
        for _ in 0..3 {
            let deadline = clock::read().now + Duration::from_millis(20);
            timer.arm(Some(deadline)).unwrap();
            poll.poll(&mut events, Some(Duration::from_secs(2))).unwrap();
            assert_eq!(events.iter().count(), 1);
            assert!(clock::read().now >= deadline);
            timer.handle_expired();
        }
        timer.arm(Some(Instant::default())).unwrap();
        poll.poll(&mut events, Some(Duration::from_secs(2))).unwrap();
        assert_eq!(events.iter().count(), 1, "a deadline that has passed wakes at once");
        timer.arm(Some(clock::read().now + Duration::from_millis(20))).unwrap();
        timer.arm(None).unwrap();
        poll.poll(&mut events, Some(Duration::from_millis(60))).unwrap();
        assert!(events.is_empty());
        timer.arm(Some(Instant::from_nanos(u64::MAX))).unwrap();
        poll.poll(&mut events, Some(Duration::from_millis(20))).unwrap();
        assert!(events.is_empty(), "the end of time is far away");
    }
}
