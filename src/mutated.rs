//! Mutated inputs for the tests of decoders. Each test stands beside its decoder, whose functions stay private, and
//! gives its corpus (tests/corpus/NAME, one file an input) to [`each_of`], whole and changed at random.
//!
//! The randomness has a fixed seed: a run in CI plays the same inputs each time, some thousands a decoder. By hand
//! `scripts/test fuzz SECONDS` plays others for as long, with a seed that it prints. An input that fails is printed in
//! hexadecimal; put it into the corpus.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// Gives `decode` every file of the corpus `name` and `more`, and mutations of them. `decode` panics if it finds a
/// fault.
#[expect(clippy::disallowed_methods, reason = "a run by hand lasts for a time")]
pub(crate) fn each_of(name: &str, more: &[Vec<u8>], decode: impl Fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    let mut paths: Vec<_> =
        std::fs::read_dir(&directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let corpus: Vec<Vec<u8>> = paths.iter().map(|path| read(path)).chain(more.iter().cloned()).collect();
    assert!(!corpus.is_empty(), "the corpus {name} is empty");
    for input in &corpus {
        try_one(name, input, &decode);
    }
    let number = |key| std::env::var(key).ok().and_then(|text| text.parse::<u64>().ok());
    let limit = number("FAILD_FUZZ_SECONDS").map(Duration::from_secs);
    let seed = number("FAILD_FUZZ_SEED").unwrap_or(1);
    let (mut random, started, mut cases) = (Random(seed), Instant::now(), 0_u64);
    while limit.map_or(cases < CASES, |limit| started.elapsed() < limit) {
        let mut input = corpus[random.below(corpus.len())].clone();
        for _ in 0..=random.below(4) {
            random.mutate(&mut input, &corpus);
        }
        try_one(name, &input, &decode);
        cases += 1;
    }
    eprintln!("{name}: {cases} cases, seed {seed}");
}

/// A file of the corpus; those whose names end with `.hex` are bytes in hexadecimal, with white space.
fn read(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).expect("cannot read the corpus");
    if path.extension().is_none_or(|extension| extension != "hex") {
        return bytes;
    }
    let digits: Vec<u8> = bytes.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digits = std::str::from_utf8(&digits).expect("no hexadecimal");
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("no hexadecimal");
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn try_one(name: &str, input: &[u8], decode: &impl Fn(&[u8])) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| decode(input))) {
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        eprintln!("{name} fails with this input: {hex}\n{}", String::from_utf8_lossy(input));
        resume_unwind(panic);
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).unwrap_or(1);
        usize::try_from(self.next() % limit).unwrap_or(0)
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        start..start + self.below((length - start).min(64) + 1)
    }

    fn mutate(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.below(input.len());
        match self.below(9) {
            0 if !input.is_empty() => input[at] ^= 1 << self.below(8),
            1 if !input.is_empty() => input[at] = BYTES[self.below(BYTES.len())],
            2 => input.truncate(at),
            3 => {
                let range = self.range(input.len());
                input.drain(range);
            }
            4 => {
                let copy = input[self.range(input.len())].to_vec();
                input.splice(at..at, copy);
            }
            5 => {
                let other = &corpus[self.below(corpus.len())];
                let piece = other[self.range(other.len())].to_vec();
                let range = self.range(input.len());
                input.splice(range, piece);
            }
            6 => {
                let word = WORDS[self.below(WORDS.len())].as_bytes();
                let range = self.range(input.len());
                input.splice(range, word.iter().copied());
            }
            7 if at + 4 <= input.len() => {
                let number = NUMBERS[self.below(NUMBERS.len())];
                let bytes = if self.below(2) == 0 { number.to_ne_bytes() } else { number.to_be_bytes() };
                input[at..at + 4].copy_from_slice(&bytes);
            }
            _ => {
                let byte = self.next().to_le_bytes()[0];
                input.insert(at, byte);
            }
        }
        input.truncate(LONGEST);
    }
}

/// Mutations of each decoder without a time limit.
const CASES: u64 = 5000;

/// Nothing that is decoded needs to be longer to reach every branch.
const LONGEST: usize = 4096;

const BYTES: [u8; 16] = *b"\x00\x01\x7f\x80\xff\n \"'\\{[]=.-";

const NUMBERS: [u32; 8] = [0, 1, 4, 16, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

const WORDS: [&str; 16] = [
    "-1",
    "0",
    "9223372036854775807",
    "18446744073709551616",
    "1e999",
    "nan",
    "inf",
    "true",
    "null",
    "\"\"",
    "0.0.0.0/0",
    "::/0",
    "[[",
    "}}",
    "\u{202e}\u{1b}",
    "1s",
];
