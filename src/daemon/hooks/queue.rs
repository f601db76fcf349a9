//! What hooks are still to be told, in order: one run for each hook and subject at a time, so that a later change of a
//! thing never overtakes an earlier one; a few runs at once altogether.

use std::collections::{BTreeSet, VecDeque};

use crate::change::Subject;

/// Which hook, by its number, and about what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Topic {
    pub(super) hook: usize,
    pub(super) subject: Subject,
}

/// The waiting ones and the topics that are being told.
#[derive(Debug)]
pub(super) struct Queue<T> {
    waiting: VecDeque<(Topic, T)>,
    busy: BTreeSet<Topic>,
    most_waiting: usize,
    most_busy: usize,
    /// What was never told, because too much waited.
    pub(super) dropped: u64,
}

impl<T> Queue<T> {
    /// For so many at most.
    pub(super) fn new(most_waiting: usize, most_busy: usize) -> Self {
        Self { waiting: VecDeque::new(), busy: BTreeSet::new(), most_waiting, most_busy, dropped: 0 }
    }

    /// Puts one at the end. If too many wait, the oldest goes that a later one of its topic supersedes, or else the
    /// oldest of all; the topic of what went.
    pub(super) fn push(&mut self, topic: Topic, what: T) -> Option<Topic> {
        self.waiting.push_back((topic, what));
        if self.waiting.len() <= self.most_waiting {
            return None;
        }
        self.dropped += 1;
        let index = self.oldest_superseded().unwrap_or(0);
        self.waiting.remove(index).map(|(topic, _)| topic)
    }

    /// The next one that may run; its topic is busy until [`Queue::finish`].
    pub(super) fn start(&mut self) -> Option<(Topic, T)> {
        if self.busy.len() >= self.most_busy {
            return None;
        }
        let index = self.waiting.iter().position(|(topic, _)| !self.busy.contains(topic))?;
        let next = self.waiting.remove(index)?;
        self.busy.insert(next.0.clone());
        Some(next)
    }

    /// A run has ended.
    pub(super) fn finish(&mut self, topic: &Topic) {
        self.busy.remove(topic);
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    fn oldest_superseded(&self) -> Option<usize> {
        let mut later = BTreeSet::new();
        let mut oldest = None;
        for (index, (topic, _)) in self.waiting.iter().enumerate().rev() {
            if !later.insert(topic) {
                oldest = Some(index);
            }
        }
        oldest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lan(hook: usize, name: &str) -> Topic {
        Topic { hook, subject: Subject::Lan(name.to_owned()) }
    }

    fn start(queue: &mut Queue<u32>) -> Option<u32> {
        queue.start().map(|(_, number)| number)
    }

    #[test]
    fn one_of_a_topic_runs_at_a_time_and_others_pass_it() {
        let mut queue = Queue::new(9, 9);
        for (number, topic) in [lan(0, "a"), lan(0, "a"), lan(1, "a"), lan(0, "b")].into_iter().enumerate() {
            queue.push(topic, u32::try_from(number).unwrap());
        }
        assert_eq!([start(&mut queue), start(&mut queue), start(&mut queue)], [Some(0), Some(2), Some(3)]);
        assert_eq!(start(&mut queue), None);
        queue.finish(&lan(1, "a"));
        assert_eq!(start(&mut queue), None);
        queue.finish(&lan(0, "a"));
        assert_eq!(start(&mut queue), Some(1));
    }

    #[test]
    fn only_a_few_run_at_once() {
        let mut queue = Queue::new(9, 2);
        for name in ["a", "b", "c"] {
            queue.push(lan(0, name), 0);
        }
        assert!(queue.start().is_some() && queue.start().is_some() && queue.start().is_none());
        queue.finish(&lan(0, "b"));
        assert_eq!(queue.start().map(|(topic, _)| topic), Some(lan(0, "c")));
    }

    #[test]
    fn what_is_superseded_is_dropped_first_and_then_the_oldest() {
        let mut queue = Queue::new(3, 9);
        for (name, number) in [("a", 1), ("b", 2), ("b", 3)] {
            assert_eq!(queue.push(lan(0, name), number), None);
        }
        assert_eq!(queue.push(lan(0, "b"), 4), Some(lan(0, "b")), "2 is: 3 and 4 come after it");
        assert_eq!(queue.push(lan(0, "c"), 5), Some(lan(0, "b")), "3 is: 4 comes after it");
        assert_eq!(queue.push(lan(0, "d"), 6), Some(lan(0, "a")), "nothing is superseded");
        assert_eq!((queue.dropped, queue.len()), (3, 3));
        let rest: Vec<u32> = std::iter::from_fn(|| start(&mut queue)).collect();
        assert_eq!(rest, [4, 5, 6]);
    }
}
