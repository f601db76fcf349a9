//! Filling maps and sets one by one.

/// `collect` for maps and sets whose contents are few. `BTreeMap` and `BTreeSet` sort what they are collected from, to
/// build their nodes in one go: each type of element brings 5 to 8 kB of code for that, all of which is resident.
pub(crate) trait Gather: Iterator + Sized {
    /// Of equal keys the last value stays, as with `collect`.
    fn gather<C: Default + Extend<Self::Item>>(self) -> C {
        let mut all = C::default();
        all.extend(self);
        all
    }
}

impl<I: Iterator> Gather for I {}

/// Inserts into a short list that is in the order of `key`, behind its equals: a stable sort is as much code again.
pub(crate) fn insert_by_key<T, K: Ord>(all: &mut Vec<T>, one: T, key: impl Fn(&T) -> K) {
    let at = all.partition_point(|other| key(other) <= key(&one));
    all.insert(at, one);
}
