//! A world with a judge beside it.

use std::fmt;
use std::time::Duration;

use faild::time::Instant;

use crate::judge::{Judge, Violation};
use crate::world::{Setup, World};

/// A world, and a judge if it is watched.
pub struct Simulation {
    /// The world.
    pub world: World,
    judge: Option<Judge>,
    setup: Setup,
}

/// A promise was broken.
#[derive(Debug)]
pub struct Failure {
    /// Of the world.
    pub seed: u64,
    /// When it was noticed.
    pub at: Instant,
    /// Which promise, by whom.
    pub violation: Violation,
    /// What had happened until then.
    pub log: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.log {
            writeln!(f, "  {line}")?;
        }
        write!(f, "seed {} at {}: {}", self.seed, self.at, self.violation)
    }
}

impl Simulation {
    /// Begins.
    pub fn new(setup: Setup) -> Self {
        let world = World::new(&setup);
        let judge = setup.watched.then(|| Judge::new(&world));
        Self { world, judge, setup }
    }

    /// How it began.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Plays for so long.
    pub fn run(&mut self, duration: Duration) -> Result<(), Failure> {
        let until = self.world.now + duration;
        while self.world.step(until) {
            self.watch()?;
        }
        self.watch()
    }

    /// Plays until everything is home and has stayed so for a while; `patience` is the longest time that may take.
    pub fn run_home(&mut self, patience: Duration) -> Result<(), Failure> {
        let step = Duration::from_secs(1);
        let until = self.world.now + patience;
        loop {
            self.run(step)?;
            match self.rests_at_home(step * 3)? {
                Ok(()) => return Ok(()),
                Err(failure) if self.world.now >= until => return Err(failure),
                Err(_) => {}
            }
        }
    }

    /// Whether everything is home, and stays so for this time without any doing.
    fn rests_at_home(&mut self, rest: Duration) -> Result<Result<(), Failure>, Failure> {
        if let Err(failure) = self.all_home() {
            return Ok(Err(failure));
        }
        let operations = self.operations();
        self.run(rest)?;
        self.all_home()?;
        if self.operations() == operations {
            return Ok(Ok(()));
        }
        let detail = "operations although everything is home".to_owned();
        let node = self.world.nodes[0].number;
        Ok(Err(self.failure(Violation { node, promise: "all_is_home", detail })))
    }

    /// Whether everything is home just now.
    pub fn all_home(&self) -> Result<(), Failure> {
        self.judge.as_ref().map_or(Ok(()), |judge| judge.all_home(&self.world)).map_err(|v| self.failure(v))
    }

    /// A failure here and now.
    pub fn failure(&self, violation: Violation) -> Failure {
        let log = self.world.log.recent().map(str::to_owned).collect();
        Failure { seed: self.setup.seed, at: self.world.now, violation, log }
    }

    fn operations(&self) -> u64 {
        self.world.nodes.iter().map(|n| n.counters.operations).sum()
    }

    fn watch(&mut self) -> Result<(), Failure> {
        let Some(judge) = &mut self.judge else { return Ok(()) };
        judge.watch(&mut self.world).map_err(|violation| self.failure(violation))
    }
}
