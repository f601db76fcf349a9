//! What is to happen, in order of time; what is due at the same moment happens in the order in which it was planned.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use faild::time::Instant;

/// Events by time.
#[derive(Debug)]
pub struct Queue<E> {
    heap: BinaryHeap<Entry<E>>,
    planned: u64,
}

#[derive(Debug)]
struct Entry<E> {
    at: Instant,
    order: u64,
    event: E,
}

impl<E> Queue<E> {
    /// Nothing planned.
    pub fn new() -> Self {
        Self { heap: BinaryHeap::new(), planned: 0 }
    }

    /// Plans an event.
    pub fn push(&mut self, at: Instant, event: E) {
        self.planned += 1;
        self.heap.push(Entry { at, order: self.planned, event });
    }

    /// The next event, if it is due at `until` at the latest.
    pub fn pop(&mut self, until: Instant) -> Option<(Instant, E)> {
        if self.heap.peek()?.at > until {
            return None;
        }
        self.heap.pop().map(|entry| (entry.at, entry.event))
    }
}

impl<E> Ord for Entry<E> {
    /// The earliest is the greatest: the heap hands out its greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Entry<E> {}

#[test]
fn events_come_by_time_then_in_the_order_they_were_planned() {
    let mut queue = Queue::new();
    for (at, event) in [(2, 'c'), (1, 'a'), (2, 'd'), (1, 'b')] {
        queue.push(Instant::from_nanos(at), event);
    }
    let seen: String = std::iter::from_fn(|| queue.pop(Instant::from_nanos(9))).map(|(_, e)| e).collect();
    assert_eq!(seen, "abcd");
}
