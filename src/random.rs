//! The only source of chance of the pure rooms: one seed in, the same numbers out.

use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::wire::{Nonce, Token};

/// Unpredictable to others, repeatable from the seed.
#[derive(Debug, Clone)]
pub(crate) struct Random(ChaCha12Rng);

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// A number that is not 0: 0 stands for "none" in ids, nonces and tokens.
    pub(crate) fn number(&mut self) -> u64 {
        self.0.next_u64().max(1)
    }

    pub(crate) fn nonce(&mut self) -> Nonce {
        Nonce(self.number())
    }

    pub(crate) fn token(&mut self) -> Token {
        Token(self.number())
    }

    pub(crate) fn secret(&mut self) -> [u8; 32] {
        let mut secret = [0; 32];
        self.0.fill_bytes(&mut secret);
        secret
    }

    /// Evenly spread from `from` to `until`.
    pub(crate) fn between(&mut self, from: Duration, until: Duration) -> Duration {
        let span = until.saturating_sub(from).as_secs_f64();
        let share = f64::from(self.0.next_u32()) / f64::from(u32::MAX);
        from + Duration::from_secs_f64(span * share)
    }
}
