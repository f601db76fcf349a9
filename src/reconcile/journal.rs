//! The journal: what a new start after a crash could not learn from the kernel. A file of lines under /run/faild:
//!
//! ```text
//! faild-journal 1
//! address <interface> present|absent <prefix> <protocol> <flags> <scope> <broadcast>
//! original missing|overlaid <prefix> <tos> <metric> <protocol> <scope> <source> <flags> <nexthop> <legs> <attributes>
//! ```
//!
//! `-` stands for what is absent. The prefix of a route is followed by `@table` unless that is main. Legs are
//! `interface/gateway` or `interface/gateway*weight`, joined by `//`, which no interface name holds; attributes are
//! hexadecimal. The journal tells which subject an overlay belongs to (by the gateway of the original that it stands in front of), and
//! what must be put back.
//!
//! Routes that stand and have no overlay are not in it, on purpose: whether the kernel flushed one with its interface,
//! or somebody deleted it, while nobody listened, a start cannot know. A route that was deleted and comes back is worse
//! than one that is lost as it would be without faild. Where an overlay stands it is the other way round: to lift it in
//! front of nothing would lose traffic that goes well.
//!
//! One that cannot be read is ignored: overlays are still found by their protocol number.

use std::fmt::Write;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::interface::{InterfaceAddress, InterfaceIndex};

use super::route::{Leg, MAIN_TABLE, Route, RouteKey, RouteType};

/// First line of a journal of this version.
const HEADER: &str = "faild-journal 1";

/// What a journal says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Journal {
    pub(super) addresses: Vec<Address>,
    pub(super) originals: Vec<Original>,
}

/// An address that stands, or stood until its interface fell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) interface: String,
    pub(super) present: bool,
    pub(super) address: InterfaceAddress,
}

/// A route that is gone and to be put back, or that an overlay stands in front of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Original {
    pub(super) missing: bool,
    /// Interface numbers in it are 0: they may be others by the time it is read.
    pub(super) route: Route,
    /// The interfaces of its legs, in order.
    pub(super) interfaces: Vec<String>,
}

/// Why a journal cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub(super) struct JournalError {
    pub(super) line: usize,
    pub(super) fault: String,
}

impl Journal {
    /// The text of the file.
    pub(super) fn render(&self) -> String {
        let mut text = format!("{HEADER}\n");
        for address in &self.addresses {
            address.render(&mut text);
        }
        for original in &self.originals {
            original.render(&mut text);
        }
        text
    }

    /// Reads the text of the file. An empty one is an empty journal.
    pub(super) fn parse(text: &str) -> Result<Self, JournalError> {
        let mut journal = Self::default();
        let mut lines = text.lines().enumerate().map(|(i, line)| (i + 1, line));
        match lines.next() {
            None => return Ok(journal),
            Some((_, HEADER)) => {}
            Some((line, _)) => return Err(JournalError { line, fault: format!("is not {HEADER:?}") }),
        }
        for (line, text) in lines {
            journal.parse_line(text).map_err(|fault| JournalError { line, fault })?;
        }
        Ok(journal)
    }

    fn parse_line(&mut self, line: &str) -> Result<(), String> {
        let mut words = Words(line.split_ascii_whitespace());
        match words.next("kind")? {
            "address" => self.addresses.push(Address::parse(&mut words)?),
            "original" => self.originals.push(Original::parse(&mut words)?),
            other => return Err(format!("unknown kind {other:?}")),
        }
        words.0.next().map_or(Ok(()), |word| Err(format!("{word:?} is one word too many")))
    }
}

impl Address {
    fn render(&self, text: &mut String) {
        let a = &self.address;
        let flags = u8::from(a.permanent) | u8::from(a.deprecated) << 1 | u8::from(a.no_prefix_route) << 2;
        let state = if self.present { "present" } else { "absent" };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "address {} {state} {} {} {flags} {} {}",
            self.interface,
            a.prefix,
            a.protocol,
            a.scope,
            or_dash(a.broadcast)
        );
    }

    fn parse(words: &mut Words<'_>) -> Result<Self, String> {
        let interface = words.next("interface")?.to_owned();
        let present = words.either("present", "absent")?;
        let prefix = words.parse("prefix")?;
        let protocol = words.parse("protocol")?;
        let flags: u8 = words.parse("flags")?;
        let address = InterfaceAddress {
            prefix,
            secondary: false,
            tentative: false,
            deprecated: flags & 2 != 0,
            permanent: flags & 1 != 0,
            protocol,
            scope: words.parse("scope")?,
            no_prefix_route: flags & 4 != 0,
            broadcast: words.optional("broadcast")?,
        };
        Ok(Self { interface, present, address })
    }
}

impl Original {
    fn render(&self, text: &mut String) {
        let r = &self.route;
        let state = if self.missing { "missing" } else { "overlaid" };
        let _ = write!(
            text,
            "original {state} {}{} {} {} {} {} {} {} {} ",
            r.key.destination,
            if r.key.table == MAIN_TABLE { String::new() } else { format!("@{}", r.key.table) },
            r.key.tos,
            r.key.metric,
            r.protocol,
            r.scope,
            or_dash(r.source),
            r.flags,
            or_dash(r.nexthop_id)
        );
        for (i, (leg, interface)) in r.legs.iter().zip(&self.interfaces).enumerate() {
            let joint = if i == 0 { "" } else { "//" };
            let weight = if leg.weight == 1 { String::new() } else { format!("*{}", leg.weight) };
            let _ = write!(text, "{joint}{interface}/{}{weight}", or_dash(leg.gateway));
        }
        text.push(' ');
        render_hex(text, &r.attributes);
        text.push('\n');
    }

    fn parse(words: &mut Words<'_>) -> Result<Self, String> {
        let missing = words.either("missing", "overlaid")?;
        let (destination, table) = parse_destination(words.next("prefix")?)?;
        let tos = words.parse("tos")?;
        let key = RouteKey { table, destination, tos, metric: words.parse("metric")? };
        let protocol = words.parse("protocol")?;
        let scope = words.parse("scope")?;
        let source = words.optional("source")?;
        let flags = words.parse("flags")?;
        let nexthop_id = words.optional("nexthop")?;
        let (interfaces, legs) = parse_legs(words.next("legs")?)?;
        let attributes = parse_hex(words.next("attributes")?)?;
        let encapsulated = false;
        let linkdown = false;
        let route = Route {
            key,
            kind: RouteType::Unicast,
            protocol,
            scope,
            source,
            legs,
            nexthop_id,
            encapsulated,
            linkdown,
            attributes,
            flags,
        };
        Ok(Self { missing, route, interfaces })
    }
}

struct Words<'a>(std::str::SplitAsciiWhitespace<'a>);

impl<'a> Words<'a> {
    fn next(&mut self, what: &str) -> Result<&'a str, String> {
        self.0.next().ok_or_else(|| format!("{what} is missing"))
    }

    fn parse<T: FromStr>(&mut self, what: &str) -> Result<T, String> {
        let word = self.next(what)?;
        word.parse().map_err(|_| format!("{word:?} is no {what}"))
    }

    fn optional<T: FromStr>(&mut self, what: &str) -> Result<Option<T>, String> {
        match self.next(what)? {
            "-" => Ok(None),
            word => word.parse().map(Some).map_err(|_| format!("{word:?} is no {what}")),
        }
    }

    fn either(&mut self, yes: &str, no: &str) -> Result<bool, String> {
        match self.next("state")? {
            word if word == yes => Ok(true),
            word if word == no => Ok(false),
            word => Err(format!("{word:?} is neither {yes} nor {no}")),
        }
    }
}

fn parse_destination(word: &str) -> Result<(IpNet, u32), String> {
    let (prefix, table) = word.split_once('@').map_or((word, None), |(prefix, table)| (prefix, Some(table)));
    let destination = prefix.parse().map_err(|_| format!("{prefix:?} is no prefix"))?;
    let number = |table: &str| table.parse().map_err(|_| format!("{table:?} is no table"));
    Ok((destination, table.map_or(Ok(MAIN_TABLE), number)?))
}

fn parse_legs(word: &str) -> Result<(Vec<String>, Vec<Leg>), String> {
    let leg = |part: &str| {
        let (name, gateway) = part.split_once('/').ok_or_else(|| format!("{part:?} is no leg"))?;
        let (gateway, weight) = gateway.split_once('*').unwrap_or((gateway, "1"));
        let weight = weight.parse().map_err(|_| format!("{weight:?} is no weight"))?;
        let gateway: Option<IpAddr> = match gateway {
            "-" => None,
            word => Some(word.parse().map_err(|_| format!("{word:?} is no gateway"))?),
        };
        Ok((name.to_owned(), Leg { gateway, interface: InterfaceIndex(0), weight }))
    };
    word.split("//").map(leg).collect()
}

fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| v.to_string())
}

fn render_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    if bytes.is_empty() {
        text.push('-');
    }
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

fn parse_hex(word: &str) -> Result<Vec<u8>, String> {
    if word == "-" {
        return Ok(Vec::new());
    }
    let digits: Option<Vec<u8>> =
        word.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    match digits {
        Some(digits) if digits.len() % 2 == 0 => Ok(digits.chunks(2).map(|d| d[0] << 4 | d[1]).collect()),
        _ => Err("attributes are not hexadecimal".to_owned()),
    }
}
