//! A listing while it is read: many datagrams, until the kernel says that it was all.

use rtnetlink::packet_core::NLM_F_DUMP_INTR;

use super::attributes::Malformed;
use super::message::{self, DONE, ERROR, Messages};
use crate::operation::Refusal;

/// What came so far. Messages that belong to another request are passed over, those that cannot be read are counted.
#[derive(Debug)]
pub(super) struct Listing<T> {
    port: u32,
    sequence: u32,
    /// What could be read.
    pub entries: Vec<T>,
    /// Whether the kernel's list changed meanwhile, so that entries may be missing or come twice.
    pub is_interrupted: bool,
    /// How many messages could not be read.
    pub malformed: u64,
    /// How it ended.
    pub end: Option<Result<(), Refusal>>,
}

impl<T> Listing<T> {
    /// Nothing yet of what the socket with this port asked for under this number.
    pub(super) const fn new(port: u32, sequence: u32) -> Self {
        Self { port, sequence, entries: Vec::new(), is_interrupted: false, malformed: 0, end: None }
    }

    /// Takes one datagram in.
    pub(super) fn take(&mut self, datagram: &[u8], read: impl Fn(&[u8]) -> Result<Option<T>, Malformed>) {
        for (header, body) in Messages(datagram) {
            if header.sequence != self.sequence || header.port != self.port || self.end.is_some() {
                continue;
            }
            self.is_interrupted |= header.flags & NLM_F_DUMP_INTR != 0;
            match header.kind {
                DONE => self.end = Some(message::end_of_dump(&header, body)),
                ERROR => self.end = Some(message::answer(&header, body)),
                _ => self.add(read(body)),
            }
        }
    }

    fn add(&mut self, entry: Result<Option<T>, Malformed>) {
        match entry {
            Ok(found) => self.entries.extend(found),
            Err(Malformed) => self.malformed = self.malformed.saturating_add(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_to_others_do_not_end_or_enter_a_listing() {
        let mut listing = Listing::new(7, 9);
        let datagrams = [message(24, 0, 9, 8, b"other port"), message(DONE, 0, 8, 7, &[0; 4])];
        listing.take(&datagrams.concat(), text);
        assert_eq!((listing.entries.len(), &listing.end), (0, &None));
        listing.take(&[message(24, 0, 9, 7, b"ours"), message(DONE, 0, 9, 7, &[0; 4])].concat(), text);
        assert_eq!((listing.entries.as_slice(), listing.end), (&["ours".to_owned()][..], Some(Ok(()))));
    }

    #[test]
    fn interruption_is_seen_on_any_message() {
        for (first, last) in [(NLM_F_DUMP_INTR, 0), (0, NLM_F_DUMP_INTR)] {
            let mut listing = Listing::new(7, 9);
            listing.take(&message(24, first, 9, 7, b"ours"), text);
            listing.take(&message(DONE, last, 9, 7, &[0; 4]), text);
            assert!(listing.is_interrupted);
        }
    }

    #[test]
    fn message_that_cannot_be_read_is_counted_and_the_others_stay() {
        let mut listing = Listing::new(7, 9);
        let three = [b"one", b"\xff\xff\xff", b"two"].map(|body| message(24, 0, 9, 7, body));
        listing.take(&three.concat(), text);
        assert_eq!((listing.entries.len(), listing.malformed), (2, 1));
    }

    #[test]
    fn refusal_at_the_end_is_heard() {
        let mut listing = Listing::new(7, 9);
        listing.take(&message(DONE, 0, 9, 7, &(-2_i32).to_ne_bytes()), text);
        assert!(listing.end.unwrap().is_err());
    }

    fn text(body: &[u8]) -> Result<Option<String>, Malformed> {
        String::from_utf8(body.to_vec()).map(Some).map_err(|_| Malformed)
    }

    fn message(kind: u16, flags: u16, sequence: u32, port: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(16 + body.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend(port.to_ne_bytes());
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }
}
