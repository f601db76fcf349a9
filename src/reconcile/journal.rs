//! The journal: what a new start after a crash could not learn from the kernel. A file of lines under /run/faild, to
//! which is appended; of several lines about one thing the last counts:
//!
//! ```text
//! faild-journal 2
//! kernel <boot>/<network namespace>
//! interface <name> <number> <link-local made> <IPv6 changed> <carrier losses> away|quiet <address>*
//! routes <prefix> <tos> <route>*
//! kept <prefix> <tos> <route>*
//!
//! <address>: present|absent <prefix> <protocol> <flags> <scope> <broadcast>
//! <route>:   standing|missing <metric> <protocol> <scope> <source> <flags> <nexthop> <legs> <attributes>
//! ```
//!
//! `-` stands for what is absent. The prefix of routes is followed by `@table` unless that is main. Legs are
//! `interface/gateway` or `interface/gateway*weight`, joined by `//`, which no interface name holds; attributes are
//! hexadecimal. `kept` follows the line of the same routes, and names those that somebody deleted while their interface had
//! no carrier: they are not put back, but their places are kept. Who does not know the word passes over the line.
//!
//! It tells what must be put back, and which subject an overlay belongs to (by the gateway of the original that it
//! stands in front of). Each line is whole: what kill -9 tore off at the end is passed over, and the line before it
//! about the same thing counts.
//!
//! Routes that stand are in it from the moment when they are learned, for the kernel may take them with their interface
//! in the same instant in which faild is killed. Whether one that a start does not find was taken by the kernel, or
//! deleted by a person while no daemon ran, its interface tells: the line about it has the history
//! ([`LinkHistory`]) that it had when all its routes were last known to stand or to be missing. An interface that is
//! down, has another number, or was set down since took its routes along, and they are restored. Under one that stood
//! all the time a route was deleted on purpose, and is forgotten. Where an overlay stands for it, it is restored all
//! the same: to remove that in front of nothing would lose traffic that arrives.
//!
//! An orderly end leaves only what is missing, or has an overlay in front: what happens to the others until the next
//! start is an administrator's affair. A journal of another boot, or of another network namespace, is no use: that
//! kernel has none of these routes. Version 1 had no `kernel`, and a line for each address and each route; it is read.
//!
//! What cannot be read is passed over: overlays are still found by their protocol number.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::interface::{InterfaceAddress, InterfaceIndex, LinkHistory};

use super::lan::{HomeAddress, Vouched};
use super::table::Group;
use crate::route::{Leg, MAIN_TABLE, Route, RouteKey, RouteType};

/// First line of a journal of this version.
pub(super) const HEADER: &str = "faild-journal 2";

/// First line of the version before.
const HEADER_1: &str = "faild-journal 1";

/// What a journal says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Journal {
    /// Whose routes and interfaces these are, if it says so.
    pub(super) kernel: Option<String>,
    /// By name.
    pub(super) interfaces: BTreeMap<String, InterfaceRecord>,
    pub(super) routes: BTreeMap<Group, Vec<RouteRecord>>,
}

/// An interface, and what it had.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct InterfaceRecord {
    /// As all its routes were last accounted for.
    pub(super) vouched: Option<Vouched>,
    /// A detour of what it leads to is in force, or an address of it is absent.
    pub(super) is_away: bool,
    /// Its addresses; each stands, or stood until the interface fell.
    pub(super) addresses: Vec<HomeAddress>,
}

/// A route that stands, or that is gone and to be put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RouteRecord {
    pub(super) missing: bool,
    /// It was deleted by somebody who may give it back.
    pub(super) is_place: bool,
    /// Interface numbers in it are 0: they may be others by the time it is read.
    pub(super) route: Route,
    /// The interfaces of its legs, in order.
    pub(super) interfaces: Vec<String>,
}

/// What of a journal cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub(super) struct JournalError {
    pub(super) line: usize,
    pub(super) fault: String,
}

impl Journal {
    /// Reads the text of the file, with the first fault in it if there is one: lines that cannot be read are passed
    /// over. An empty text is an empty journal.
    pub(super) fn parse(text: &str) -> (Self, Option<JournalError>) {
        let mut journal = Self::default();
        // A line without its end was torn off.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut lines = whole.lines().enumerate().map(|(i, line)| (i + 1, line));
        let parse_line = match lines.next() {
            None => return (journal, None),
            Some((_, HEADER)) => Self::parse_line,
            Some((_, HEADER_1)) => Self::parse_line_1,
            Some((line, _)) => {
                return (journal, Some(JournalError { line, fault: format!("is not {HEADER:?}") }));
            }
        };
        let mut first = None;
        for (line, text) in lines {
            if let Err(fault) = parse_line(&mut journal, text) {
                first.get_or_insert(JournalError { line, fault });
            }
        }
        (journal, first)
    }

    fn parse_line(&mut self, line: &str) -> Result<(), String> {
        let mut words = Words::of(line);
        match words.next("kind")? {
            "kernel" => self.kernel = Some(words.next("kernel")?.to_owned()),
            "interface" => {
                let (name, record) = InterfaceRecord::parse(&mut words)?;
                self.interfaces.insert(name, record);
            }
            ROUTES => {
                let (group, routes) = parse_routes(&mut words)?;
                match routes.is_empty() {
                    true => self.routes.remove(&group),
                    false => self.routes.insert(group, routes),
                };
            }
            KEPT => {
                let (group, routes) = parse_routes(&mut words)?;
                let mut all = self.routes.remove(&group).unwrap_or_default();
                all.retain(|record| !record.is_place);
                all.extend(routes.into_iter().map(|record| RouteRecord { is_place: true, ..record }));
                if !all.is_empty() {
                    self.routes.insert(group, all);
                }
            }
            other => return Err(format!("unknown kind {other:?}")),
        }
        words.end()
    }

    /// Lines for single addresses and routes: `address INTERFACE ADDRESS`, `original missing|overlaid ROUTE`.
    fn parse_line_1(&mut self, line: &str) -> Result<(), String> {
        let mut words = Words::of(line);
        match words.next("kind")? {
            "address" => {
                let name = words.next("interface")?.to_owned();
                let address = parse_address(&mut words)?;
                words.end()?;
                let record = self.interfaces.entry(name).or_default();
                record.is_away = true;
                record.addresses.push(address);
            }
            "original" => {
                let missing = words.either("missing", "overlaid")?;
                let (destination, table) = parse_destination(words.next("prefix")?)?;
                let group = Group { table, destination, tos: words.parse("tos")? };
                let record = RouteRecord::parse_rest(missing, group, &mut words)?;
                words.end()?;
                self.routes.entry(group).or_default().push(record);
            }
            other => return Err(format!("unknown kind {other:?}")),
        }
        Ok(())
    }
}

impl InterfaceRecord {
    /// Appends the line of the interface.
    pub(super) fn render(&self, name: &str, text: &mut String) {
        let index = or_dash(self.vouched.map(|vouched| vouched.index));
        let history = self.vouched.map_or_else(LinkHistory::default, |vouched| vouched.history);
        let LinkHistory { link_local_made, ipv6_changed, carrier_losses } = history;
        let away = if self.is_away { "away" } else { "quiet" };
        // Writing to a String cannot fail; so below.
        let _ = write!(
            text,
            "interface {name} {index} {} {} {} {away}",
            or_dash(link_local_made),
            or_dash(ipv6_changed),
            or_dash(carrier_losses)
        );
        for home in &self.addresses {
            render_address(home, text);
        }
        text.push('\n');
    }

    fn parse(words: &mut Words<'_>) -> Result<(String, Self), String> {
        let name = words.next("interface")?.to_owned();
        let index: Option<u32> = words.optional("number")?;
        let history = LinkHistory {
            link_local_made: words.optional("time")?,
            ipv6_changed: words.optional("time")?,
            carrier_losses: words.optional("count")?,
        };
        let vouched = index.map(|index| Vouched { index: InterfaceIndex(index), history });
        let is_away = words.either("away", "quiet")?;
        let mut addresses = Vec::new();
        while !words.are_over() {
            addresses.push(parse_address(words)?);
        }
        Ok((name, Self { vouched, is_away, addresses }))
    }
}

fn render_address(home: &HomeAddress, text: &mut String) {
    let a = &home.address;
    let is_special = (a.peer, a.metric, a.flags) != (None, 0, 0);
    let flags = u8::from(a.permanent)
        | u8::from(a.deprecated) << 1
        | u8::from(a.no_prefix_route) << 2
        | u8::from(is_special) << 3;
    let state = if home.present { "present" } else { "absent" };
    let _ = write!(text, " {state} {} {} {flags} {} {}", a.prefix, a.protocol, a.scope, or_dash(a.broadcast));
    if is_special {
        let _ = write!(text, " {} {} {}", or_dash(a.peer), a.metric, a.flags);
    }
}

fn parse_address(words: &mut Words<'_>) -> Result<HomeAddress, String> {
    let present = words.either("present", "absent")?;
    let prefix = words.parse("prefix")?;
    let protocol = words.parse("protocol")?;
    let flags: u8 = words.parse("flags")?;
    let mut address = InterfaceAddress {
        deprecated: flags & 2 != 0,
        permanent: flags & 1 != 0,
        protocol,
        scope: words.parse("scope")?,
        no_prefix_route: flags & 4 != 0,
        broadcast: words.optional("broadcast")?,
        ..InterfaceAddress::new(prefix)
    };
    if flags & 8 != 0 {
        address.peer = words.optional("peer")?;
        address.metric = words.parse("metric")?;
        address.flags = words.parse("flags")?;
    }
    Ok(HomeAddress { address, present })
}

/// The kind of a line about the routes of a group.
pub(super) const ROUTES: &str = "routes";

/// The kind of one about the places that are kept.
pub(super) const KEPT: &str = "kept";

/// Appends the beginning of a line about a group.
pub(super) fn render_group(kind: &str, group: &Group, text: &mut String) {
    let _ = write!(text, "{kind} {}", group.destination);
    if group.table != MAIN_TABLE {
        let _ = write!(text, "@{}", group.table);
    }
    let _ = write!(text, " {}", group.tos);
}

/// Appends one route to the line of its group. `name`: the interface of each leg, in order.
pub(super) fn render_route<'n>(
    missing: bool,
    route: &Route,
    mut name: impl FnMut(usize) -> &'n str,
    text: &mut String,
) {
    let state = if missing { "missing" } else { "standing" };
    let _ = write!(text, " {state} {} {} {} ", route.key.metric, route.protocol, route.scope);
    render_or_dash(route.source, text);
    let _ = write!(text, " {} ", route.flags);
    render_or_dash(route.nexthop_id, text);
    for (i, leg) in route.legs.iter().enumerate() {
        text.push_str(if i == 0 { " " } else { "//" });
        text.push_str(name(i));
        text.push('/');
        render_or_dash(leg.gateway, text);
        if leg.weight != 1 {
            let _ = write!(text, "*{}", leg.weight);
        }
    }
    text.push(' ');
    render_hex(text, &route.attributes);
}

fn parse_routes(words: &mut Words<'_>) -> Result<(Group, Vec<RouteRecord>), String> {
    let (destination, table) = parse_destination(words.next("prefix")?)?;
    let group = Group { table, destination, tos: words.parse("tos")? };
    let mut routes = Vec::new();
    while !words.are_over() {
        let missing = words.either("missing", "standing")?;
        routes.push(RouteRecord::parse_rest(missing, group, words)?);
    }
    Ok((group, routes))
}

impl RouteRecord {
    fn parse_rest(missing: bool, group: Group, words: &mut Words<'_>) -> Result<Self, String> {
        let key: RouteKey = group.key(words.parse("metric")?);
        let protocol = words.parse("protocol")?;
        let scope = words.parse("scope")?;
        let source = words.optional("source")?;
        let flags = words.parse("flags")?;
        let nexthop_id = words.optional("nexthop")?;
        let (interfaces, legs) = parse_legs(words.next("legs")?)?;
        let attributes = parse_hex(words.next("attributes")?)?;
        let route = Route {
            key,
            kind: RouteType::Unicast,
            protocol,
            scope,
            source,
            legs,
            nexthop_id,
            encapsulated: false,
            linkdown: false,
            attributes,
            flags,
        };
        Ok(Self { missing, is_place: false, route, interfaces })
    }
}

struct Words<'a>(std::iter::Peekable<std::str::SplitAsciiWhitespace<'a>>);

impl<'a> Words<'a> {
    fn of(line: &'a str) -> Self {
        Self(line.split_ascii_whitespace().peekable())
    }

    fn are_over(&mut self) -> bool {
        self.0.peek().is_none()
    }

    fn end(&mut self) -> Result<(), String> {
        self.0.next().map_or(Ok(()), |word| Err(format!("{word:?} is one word too many")))
    }

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

fn render_or_dash<T: std::fmt::Display>(value: Option<T>, text: &mut String) {
    match value {
        Some(value) => {
            let _ = write!(text, "{value}");
        }
        None => text.push('-'),
    }
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
