//! Randomness from one seed: the same seed is the same story, on every machine.

use std::time::Duration;

/// xoshiro256** (Blackman and Vigna), seeded through SplitMix64 as its authors advise. Not for secrets.
#[derive(Debug, Clone)]
pub struct Random([u64; 4]);

impl Random {
    /// A generator whose numbers depend on nothing but `seed`.
    pub fn new(mut seed: u64) -> Self {
        let mut split = || {
            seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        Self([split(), split(), split(), split()])
    }

    /// Another generator, so that one part of a story can change without changing the others.
    pub fn fork(&mut self) -> Self {
        Self::new(self.number())
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        let [a, b, c, d] = self.0;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let (c, d) = (c ^ a, d ^ b);
        self.0 = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// A number from 0 to `limit - 1`; 0 if there is none.
    pub fn below(&mut self, limit: usize) -> usize {
        let wide = u128::from(self.number()) * (limit as u128);
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.fraction() < probability
    }

    /// From 0 to just below 1.
    pub fn fraction(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A duration from `least` to `most`.
    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        least + most.saturating_sub(least).mul_f64(self.fraction())
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// A seed for an engine.
    pub fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.number().to_le_bytes());
        }
        bytes
    }
}

#[test]
fn same_seed_same_numbers_and_they_are_spread() {
    let (mut one, mut two) = (Random::new(7), Random::new(7));
    assert!((0..100).all(|_| one.number() == two.number()));
    let hits = (0..10_000).filter(|_| one.chance(0.05)).count();
    assert!((400..600).contains(&hits), "{hits} of 10,000 at 5 %");
    assert!((0..1000).all(|_| one.below(3) < 3));
}
