//! Values as people write them, on the command line and in the file: durations, times of day, names, numbers.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::Complaint;
use crate::interface::is_link_local;

/// `-t`: below 10 ms the host's own scheduling looks like loss; above 60 s it is not a failover.
pub(crate) const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);
/// `-f`: 100 slots of 60 s are more than an hour and a half; more is not a failover.
pub(crate) const MISSED: RangeInclusive<u32> = 1..=100;
/// `-s`: 10,000 slots of 60 s are a week.
pub(crate) const GOOD: RangeInclusive<u32> = 1..=10_000;
/// `-p`: 0 would be a port that the kernel picks, which no peer could know.
pub(crate) const PORT: RangeInclusive<u32> = 1..=65_535;

/// A duration such as `200ms`, `0.2`, `2s`, `1.5m`, `1h`; without a unit it is in seconds. Down to nanoseconds.
pub(crate) fn duration(text: &str) -> Result<Duration, Complaint> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..) {
        Some("ms") => 1_000_000,
        Some("" | "s") => 1_000_000_000,
        Some("m") => 60_000_000_000,
        Some("h") => 3_600_000_000_000,
        _ => return Err(NOT_A_DURATION),
    };
    let nanos = decimal(digits, unit).ok_or(NOT_A_DURATION)?;
    Ok(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
}

/// A duration within a range.
pub(crate) fn duration_in(text: &str, range: &RangeInclusive<Duration>) -> Result<Duration, Complaint> {
    let duration = duration(text)?;
    if duration < *range.start() {
        return Err(Complaint::Below { least: duration_text(*range.start()) });
    }
    if duration > *range.end() {
        return Err(Complaint::Above { most: duration_text(*range.end()) });
    }
    Ok(duration)
}

/// A duration in the form that [`duration`] reads, in the largest unit that keeps it whole and above 1.
pub(crate) fn duration_text(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        _ if !millis.is_multiple_of(1000) => format!("{millis}ms"),
        _ if millis < 120_000 || !millis.is_multiple_of(60_000) => format!("{}s", millis / 1000),
        _ if millis < 7_200_000 || !millis.is_multiple_of(3_600_000) => format!("{}m", millis / 60_000),
        _ => format!("{}h", millis / 3_600_000),
    }
}

/// A whole number within a range.
pub(crate) fn whole_in(number: i128, range: &RangeInclusive<u32>) -> Result<u32, Complaint> {
    if number < i128::from(*range.start()) {
        return Err(Complaint::Below { least: range.start().to_string() });
    }
    u32::try_from(number)
        .ok()
        .filter(|n| n <= range.end())
        .ok_or(Complaint::Above { most: range.end().to_string() })
}

/// A whole number in decimal digits within a range.
pub(crate) fn whole_text_in(text: &str, range: &RangeInclusive<u32>) -> Result<u32, Complaint> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Complaint::Form { wanted: "a whole number" });
    }
    // A number that does not fit an i128 is out of every range, on the side of its sign.
    let beyond = if text.starts_with('-') { i128::MIN } else { i128::MAX };
    whole_in(text.parse().unwrap_or(beyond), range)
}

/// A user's name as passwd(5) has them.
pub(crate) fn user_name(text: &str) -> Result<String, Complaint> {
    let is_good = |c: char| c.is_ascii_alphanumeric() || "_.-$".contains(c);
    if (1..=32).contains(&text.len()) && !text.starts_with('-') && text.chars().all(is_good) {
        Ok(text.to_owned())
    } else {
        Err(Complaint::Form { wanted: "a user's name" })
    }
}

/// A time of day range, `HH:MM-HH:MM`, in seconds since midnight; may pass midnight, `24:00` ends a day.
pub(crate) fn window(text: &str) -> Result<(u32, u32), Complaint> {
    const WANTED: Complaint = Complaint::Form { wanted: "a time of day range such as \"02:00-04:30\"" };
    let (from, until) = text.split_once('-').ok_or(WANTED)?;
    let (from, until) = (time_of_day(from).ok_or(WANTED)?, time_of_day(until).ok_or(WANTED)?);
    if from == until {
        return Err(Complaint::Other(
            "is empty; set an end that differs from the start, or use policy = \"auto\"",
        ));
    }
    Ok((from, until))
}

/// The name of an interface, as the kernel accepts it (dev_valid_name, Linux 6.18).
pub(crate) fn interface_name(text: &str) -> Result<String, Complaint> {
    let fits = !text.is_empty() && text.len() <= 15 && text != "." && text != "..";
    if fits && !text.contains(|c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control()) {
        return Ok(text.to_owned());
    }
    Err(Complaint::Form { wanted: "a valid interface name (1 to 15 bytes, no '/', ':' or space)" })
}

/// The name of a peer: one word, so that the log keeps its form.
pub(crate) fn peer_name(text: &str) -> Result<String, Complaint> {
    let is_word = |c: char| !c.is_whitespace() && !c.is_control() && c != '=' && c != '"';
    if !text.is_empty() && text.len() <= 64 && text.chars().all(is_word) {
        return Ok(text.to_owned());
    }
    Err(Complaint::Form { wanted: "a single word (1 to 64 bytes, no space, '=' or quote)" })
}

/// The name of a group of users, as useradd(8) accepts it.
pub(crate) fn group_name(text: &str) -> Result<String, Complaint> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !text.is_empty() && text.len() <= 32 && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err(Complaint::Form { wanted: "the name of a group (1 to 32 letters, digits, '_', '-' or '.')" })
}

/// An address that a peer can have.
pub(crate) fn peer_address(text: &str) -> Result<IpAddr, Complaint> {
    let address =
        text.parse::<IpAddr>().map_err(|_| Complaint::Form { wanted: "an address such as \"192.0.2.7\"" })?;
    let is_host = !(address.is_unspecified() || address.is_loopback() || address.is_multicast());
    match address {
        IpAddr::V4(v4) if is_host && !v4.is_broadcast() => Ok(address),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Err(Complaint::Other(
            "is a link-local address, which does not identify the LAN; use the peer's global or ULA addresses",
        )),
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => {
            Err(Complaint::Other("is an IPv4-mapped IPv6 address; write it as IPv4"))
        }
        IpAddr::V6(_) if is_host => Ok(address),
        IpAddr::V4(_) | IpAddr::V6(_) => Err(NO_HOST),
    }
}

/// An address of a host, link-local ones included, as it is written.
pub(crate) fn host_address(text: &str) -> Result<IpAddr, Complaint> {
    let address =
        text.parse::<IpAddr>().map_err(|_| Complaint::Form { wanted: "an address such as \"192.0.2.1\"" })?;
    let is_host = !(address.is_unspecified() || address.is_loopback() || address.is_multicast());
    match address {
        IpAddr::V4(v4) if v4.is_broadcast() => Err(NOT_A_HOST),
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => {
            Err(Complaint::Other("is an IPv4-mapped IPv6 address; write it as IPv4"))
        }
        IpAddr::V4(_) | IpAddr::V6(_) if is_host => Ok(address),
        IpAddr::V4(_) | IpAddr::V6(_) => Err(NOT_A_HOST),
    }
}

/// A host: an address, or a name (RFC 1123 section 2.1, and underscores). A name's last label is not a number, so that
/// a mistyped address is not taken for a name.
pub(crate) fn host(text: &str) -> Result<String, Complaint> {
    if text.parse::<IpAddr>().is_ok() {
        return host_address(text).map(|address| address.to_string());
    }
    let is_label = |label: &str| {
        let is_good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&label.len()) && !label.starts_with('-') && label.chars().all(is_good)
    };
    let labels: Vec<&str> = text.strip_suffix('.').unwrap_or(text).split('.').collect();
    let ends_in_word = labels.last().is_some_and(|label| label.contains(|c: char| c.is_ascii_alphabetic()));
    if text.len() <= 253 && ends_in_word && labels.into_iter().all(is_label) {
        return Ok(text.to_owned());
    }
    Err(Complaint::Form { wanted: "an address such as \"192.0.2.53\" or a name such as \"dns.example\"" })
}

/// A destination: `default` for all of IPv4, `default6` for all of IPv6, or a prefix.
pub(crate) fn destination(text: &str) -> Result<IpNet, Complaint> {
    let prefix = match text {
        "default" => return Ok(IpNet::V4(Ipv4Net::default())),
        "default6" => return Ok(IpNet::V6(Ipv6Net::default())),
        _ => text.parse::<IpNet>().map_err(|_| Complaint::Form {
            wanted: "\"default\", \"default6\" or a prefix such as \"198.51.100.0/24\"",
        })?,
    };
    let address = prefix.addr();
    if prefix != prefix.trunc() {
        return Err(Complaint::HostBits { prefix: prefix.trunc().to_string() });
    }
    if address.is_loopback() || address.is_multicast() || is_link_local(&address) {
        return Err(Complaint::Other("is not routable; use another"));
    }
    Ok(prefix)
}

/// A multicast group whose packets stay on the link (RFC 4291 §2.7: scope 2).
pub(crate) fn multicast_group(text: &str) -> Result<Ipv6Addr, Complaint> {
    text.parse::<Ipv6Addr>()
        .ok()
        .filter(|group| group.is_multicast() && group.octets()[1] & 0x0f == 2)
        .ok_or(Complaint::Form { wanted: "an IPv6 multicast group of link scope such as \"ff02::1\"" })
}

/// The number of a routing protocol that has this name (linux/rtnetlink.h, Linux 6.18).
pub(crate) fn route_protocol(name: &str) -> Option<u8> {
    PROTOCOL_NAMES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

/// `digits` ("12", "0.05") times `unit`, rounded down; `None` if it is not a decimal number of at most 18 digits on
/// either side of the point.
fn decimal(digits: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let number = |text: &str| {
        let fits = (1..=18).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| text.parse::<u128>().ok()).flatten()
    };
    let places = u32::try_from(fraction.len()).ok()?;
    // 10^18 x 3.6x10^12 is far below 2^128.
    Some(number(whole)? * unit + number(fraction)? * unit / 10_u128.pow(places))
}

/// Seconds since midnight of `HH:MM`.
fn time_of_day(text: &str) -> Option<u32> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let number = |text: &str| {
        let fits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| text.parse::<u32>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (minutes < 60 && hours * 60 + minutes <= 24 * 60).then_some(hours * 3600 + minutes * 60)
}

/// Not a duration.
const NOT_A_DURATION: Complaint =
    Complaint::Form { wanted: "a duration such as 0.2 (seconds), 200ms, 2s, 5m or 1h" };

/// Not an address of a peer.
const NO_HOST: Complaint = Complaint::Other("is not a host address; use one at which the peer is reachable");

/// Not an address of a host.
const NOT_A_HOST: Complaint = Complaint::Other("is not a host address; use one");

/// The names that ip-route(8) prints.
const PROTOCOL_NAMES: [(&str, u8); 18] = [
    ("boot", 3),
    ("static", 4),
    ("gated", 8),
    ("ra", 9),
    ("mrt", 10),
    ("zebra", 11),
    ("bird", 12),
    ("dnrouted", 13),
    ("xorp", 14),
    ("dhcp", 16),
    ("mrouted", 17),
    ("keepalived", 18),
    ("babel", 42),
    ("bgp", 186),
    ("isis", 187),
    ("ospf", 188),
    ("rip", 189),
    ("eigrp", 192),
];

#[cfg(test)]
mod tests;
