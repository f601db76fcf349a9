//! Random faults on a real kernel: hosts on two LANs, and a host with two uplinks, to which anything happens, one by one
//! and at once. After each step the hosts that share a path have traffic, what others have made is as they left it, and
//! what a kill switch refuses does not pass. At the end everything is home, and after a stop nothing is left over.
//!
//! A seed is a story. CI plays a few; `scripts/test chaos STEPS` plays as many as that takes, from `FAILD_CHAOS_SEED` on.

mod action;
mod flows;
mod lans;
mod local;
mod look;
mod model;
#[path = "../../sim/random.rs"]
#[allow(dead_code, unreachable_pub, reason = "the simulator uses all of it")]
mod random;
mod story;
mod uplinks;
mod world;

use std::fmt;
use std::panic::catch_unwind;
use std::time::Duration;

use random::Random;

/// Steps of one story.
const STORY: usize = 20;

/// After so many stories that end badly it is enough.
const ENOUGH: usize = 10;

#[test]
fn two_lans() {
    play_all(&[1, 2, 3, 8, 9, 10], lans::play);
}

#[test]
fn two_uplinks() {
    play_all(&[4, 7, 8, 9, 11, 12], uplinks::play);
}

/// Plays the stories that the environment asks for, else these.
fn play_all(seeds: &[u64], play: fn(u64, usize)) {
    let number = |name| std::env::var(name).ok().map(|value| value.parse().expect(name));
    let first = number("FAILD_CHAOS_SEED");
    let stories: Vec<(u64, usize)> = match number("FAILD_CHAOS_STEPS") {
        None => seeds.iter().map(|seed| (*seed, STORY)).collect(),
        Some(steps) => {
            let steps = usize::try_from(steps).expect("a number of steps");
            let first = first.unwrap_or(1);
            let parts = (0..steps.div_ceil(STORY)).map(|part| STORY.min(steps - part * STORY));
            (first..).zip(parts).collect()
        }
    };
    let (mut failed, mut steps) = (Vec::new(), 0);
    for (seed, length) in stories {
        if catch_unwind(|| play(seed, length)).is_err() {
            failed.push(seed);
        }
        steps += length;
        eprintln!("chaos: seed {seed} played, {steps} steps so far, failed: {failed:?}");
        if failed.len() >= ENOUGH {
            break;
        }
    }
    assert!(failed.is_empty(), "seeds that end badly: {failed:?}");
}

/// How the daemons of a world probe.
#[derive(Debug, Clone, Copy)]
struct Timing {
    interval: Duration,
    missed: u32,
    good: u32,
}

impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "-t {}ms -f {} -s {}", self.interval.as_millis(), self.missed, self.good)
    }
}

impl Timing {
    fn of(random: &mut Random) -> Self {
        let interval = Duration::from_millis(*random.pick(&[50, 50, 100, 200]));
        Self { interval, missed: *random.pick(&[1, 2, 2, 3]), good: *random.pick(&[5, 5, 10]) }
    }

    /// What a fault, or the end of one, takes to be dealt with: noticed, told to the other end, proven good.
    fn recovery(&self) -> Duration {
        self.interval * (self.missed + self.good + 3)
    }

    /// What a new address takes to be known to the others: told, asked for and answered; a path that was dead before is
    /// asked in every eighth slot only.
    fn acquaintance(&self) -> Duration {
        Duration::from_millis(100) + self.interval * (self.missed + 10)
    }

    /// The same as `recovery` on a busy machine, with processes that start, and routes that wait a second for their interface.
    fn limit(&self) -> Duration {
        Duration::from_secs(4) + 3 * self.recovery()
    }
}

/// What a world does about links that fail again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damping {
    Off,
    /// So quick that its end can be waited for.
    Quick,
    Default,
}

impl Damping {
    fn of(random: &mut Random) -> Self {
        match random.below(16) {
            0..=9 => Self::Off,
            10..=14 => Self::Quick,
            _ => Self::Default,
        }
    }

    fn settings(self) -> &'static str {
        match self {
            Self::Off => "[damping]\npenalty = 0\n",
            Self::Quick => "[damping]\nhalf-life = \"1s\"\nmaximum = \"4s\"\n",
            Self::Default => "",
        }
    }

    /// The longest that it keeps traffic from home.
    fn lasts(self) -> Duration {
        match self {
            Self::Off => Duration::ZERO,
            Self::Quick => Duration::from_secs(4),
            // `maximum`.
            Self::Default => Duration::from_mins(10),
        }
    }
}
