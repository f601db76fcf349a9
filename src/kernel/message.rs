//! Netlink messages: the walk over a datagram, a batch of requests, and what the kernel answers to one.

use nix::errno::Errno;
use rtnetlink::packet_core::{Emitable, NLM_F_ACK, NLM_F_REQUEST};

use super::attributes::{Attributes, Malformed, aligned, pad, read_u16, read_u32};
use crate::operation::Refusal;

/// The header of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// RTM_ or NLMSG_ type.
    pub kind: u16,
    /// NLM_F_ flags.
    pub flags: u16,
    /// Sequence number of the request that it belongs to.
    pub sequence: u32,
    /// Port of the socket whose request it belongs to; 0 if the kernel acted by itself.
    pub port: u32,
}

/// A walk over the messages of a datagram; it ends where a length does not fit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Messages<'a>(pub &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = (Header, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (header, body, rest) = split(self.0).ok()?;
        self.0 = rest;
        Some((header, body))
    }
}

fn split(bytes: &[u8]) -> Result<(Header, &[u8], &[u8]), Malformed> {
    let length = usize::try_from(read_u32(bytes, 0)?).map_err(|_| Malformed)?;
    let header = Header {
        kind: read_u16(bytes, 4)?,
        flags: read_u16(bytes, 6)?,
        sequence: read_u32(bytes, 8)?,
        port: read_u32(bytes, 12)?,
    };
    let body = bytes.get(HEADER..length).ok_or(Malformed)?;
    Ok((header, body, bytes.get(aligned(length)..).unwrap_or_default()))
}

/// One request, without what the socket adds to it: sequence number and acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// RTM_ type.
    pub kind: u16,
    /// NLM_F_ flags besides REQUEST and ACK.
    pub flags: u16,
    /// What follows the header.
    pub body: Vec<u8>,
}

impl Request {
    /// A request from a typed message.
    pub(super) fn typed(kind: u16, flags: u16, message: &impl Emitable) -> Self {
        let mut body = vec![0; message.buffer_len()];
        message.emit(&mut body);
        Self { kind, flags, body }
    }
}

/// How many of the requests, at least one, go into one datagram.
pub(super) fn batch_size(requests: &[Request]) -> usize {
    let mut bytes = 0;
    let fitting = requests.iter().take(BATCH).take_while(|request| {
        bytes += HEADER + aligned(request.body.len());
        bytes <= BATCH_BYTES
    });
    fitting.count().clamp(1, BATCH)
}

/// The requests as one datagram, numbered from `first`. Only the last asks for an acknowledgement: the kernel works
/// in order and always reports errors, so that this one proves all earlier ones.
pub(super) fn batch(requests: &[Request], first: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(requests.iter().map(|r| HEADER + aligned(r.body.len())).sum());
    let mut sequence = first;
    for (request, left) in requests.iter().zip((0..requests.len()).rev()) {
        let fence = if left == 0 { NLM_F_ACK } else { 0 };
        let length = u32::try_from(HEADER + request.body.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_ne_bytes());
        out.extend_from_slice(&request.kind.to_ne_bytes());
        out.extend_from_slice(&(request.flags | NLM_F_REQUEST | fence).to_ne_bytes());
        out.extend_from_slice(&sequence.to_ne_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&request.body);
        pad(&mut out);
        sequence = sequence.wrapping_add(1);
    }
    out
}

/// What NLMSG_ERROR says: an acknowledgement, or a refusal.
pub(super) fn answer(header: &Header, body: &[u8]) -> Result<(), Refusal> {
    let is_capped = header.flags & CAPPED != 0;
    let copied = body.get(4..).map_or(0, |copy| match (is_capped, read_u32(copy, 0)) {
        (false, Ok(length)) => aligned(usize::try_from(length).unwrap_or(usize::MAX / 2)),
        (true, _) | (false, Err(_)) => HEADER,
    });
    outcome(header, body, 4 + copied)
}

/// What NLMSG_DONE says: the end of a listing, or why there is none.
pub(super) fn end_of_dump(header: &Header, body: &[u8]) -> Result<(), Refusal> {
    outcome(header, body, 4)
}

/// An error number, and from `text_at` on attributes that may word it.
fn outcome(header: &Header, body: &[u8], text_at: usize) -> Result<(), Refusal> {
    let code = body.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
    if code >= 0 {
        return Ok(());
    }
    let explained = (header.flags & HAS_ATTRIBUTES != 0).then(|| body.get(text_at..)).flatten();
    Err(match explained.and_then(explanation) {
        Some(text) => Refusal { errno: code.saturating_neg(), text },
        None => refusal(code.saturating_neg()),
    })
}

fn explanation(attributes: &[u8]) -> Option<String> {
    let found = Attributes(attributes).flatten().find(|attribute| attribute.kind == MESSAGE_TEXT)?;
    Some(found.text()).filter(|text| !text.is_empty())
}

/// A refusal worded by the error's name alone.
pub(super) fn refusal(errno: i32) -> Refusal {
    Refusal { errno, text: Errno::from_raw(errno).desc().to_owned() }
}

/// NLMSG_ERROR: an answer to a request.
pub(super) const ERROR: u16 = 2;

/// NLMSG_DONE: the end of a listing.
pub(super) const DONE: u16 = 3;

/// Most requests in one datagram: 64 take 0.25 ms, and several ms on a loaded machine, in which no probe is answered.
const BATCH: usize = 64;

/// Most bytes in one datagram of several requests: well below the send buffer's 208 KiB, beyond which the kernel takes
/// none of them (routes with hundreds of legs).
const BATCH_BYTES: usize = 64 * 1024;

/// Length of a message's header.
const HEADER: usize = 16;

/// NLM_F_CAPPED: of the request only the header is repeated.
const CAPPED: u16 = 0x100;

/// NLM_F_ACK_TLVS: attributes follow.
const HAS_ATTRIBUTES: u16 = 0x200;

/// NLMSGERR_ATTR_MSG.
const MESSAGE_TEXT: u16 = 1;
