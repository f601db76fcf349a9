//! Targets: hosts that are probed, by address or by name. A name is resolved once, when the configuration is loaded at
//! startup: a running daemon waits for no name server.

use std::io;
use std::net::IpAddr;
use std::process::Command;

use super::document::Value;
use super::draft::Placed;
use super::fault::{Complaint, Fault, Origin};
use super::{Config, TargetConfig, value};
use crate::interface::Family;

/// Maximum number of targets of a route or group: each is probed through each interface.
pub(super) const TARGETS: usize = 16;

/// Maximum number of names in a file: a silent name server delays the start by some seconds for each.
pub(super) const NAMES: usize = 5;

/// Resolves names.
#[derive(Debug)]
pub(super) struct Names {
    /// Those that are resolved already.
    known: Vec<TargetConfig>,
    /// Resolves the others; `None` while the daemon runs.
    resolver: Option<Resolver>,
    asked: Vec<String>,
}

/// All addresses of a name.
pub(super) type Resolver = fn(&str) -> io::Result<Vec<IpAddr>>;

impl Names {
    /// Each name is resolved.
    pub(super) fn of_resolver(resolver: Resolver) -> Self {
        Self { known: Vec::new(), resolver: Some(resolver), asked: Vec::new() }
    }

    /// Nothing is resolved: names keep the addresses that they have in the running configuration.
    pub(super) fn of_running(running: &Config) -> Self {
        let routes = running.routes.iter().flat_map(|route| &route.judging.targets);
        let targets = routes.chain(running.groups.iter().flat_map(|group| &group.targets));
        Self { known: targets.cloned().collect(), resolver: None, asked: Vec::new() }
    }

    /// The target with this name; with an address of `family`, if that is given.
    pub(super) fn target(
        &mut self,
        name: &Placed<String>,
        family: Option<Family>,
    ) -> Result<TargetConfig, Fault> {
        let target = |address| TargetConfig { name: name.value.clone(), address };
        let fits = |address: &IpAddr| family.is_none_or(|family| family == Family::of(address));
        if let Ok(address) = name.value.parse() {
            return Ok(target(address));
        }
        let known = self.known.iter().find(|known| known.name == name.value && fits(&known.address));
        if let Some(known) = known {
            return Ok(target(known.address));
        }
        let fault = |kind: fn(Origin, String) -> Fault, text: String| {
            Err(kind(name.origin.clone(), format!("target {} {text}", name.value)))
        };
        let Some(resolver) = self.resolver else {
            let text = "is new, and names are resolved only at startup; give its address, or restart faild";
            return fault(Fault::new, text.to_owned());
        };
        if !self.asked.contains(&name.value) {
            self.asked.push(name.value.clone());
        }
        if self.asked.len() > NAMES {
            return fault(Fault::new, format!("exceeds the limit of {NAMES} names; give its address"));
        }
        let addresses = match resolver(&name.value) {
            Ok(addresses) => addresses,
            Err(e) => {
                let text = format!("cannot be resolved: {e}; correct the name, or give its address");
                return fault(Fault::environment, text);
            }
        };
        let address =
            addresses.into_iter().find(fits).map(|address| value::host_address(&address.to_string()));
        match (address, family) {
            (Some(Ok(address)), _) => {
                self.known.push(target(address));
                Ok(target(address))
            }
            (Some(Err(complaint)), _) => {
                fault(Fault::environment, format!("has an address that {complaint}"))
            }
            (None, None) => fault(Fault::environment, "has no address; give one".to_owned()),
            (None, Some(family)) => fault(
                Fault::environment,
                format!("has no {} address; use a host that has one", family_text(family)),
            ),
        }
    }
}

/// The resolver of the system, by getent(1): a statically linked C library cannot use every source that
/// nsswitch.conf(5) may list.
pub(super) fn ask_system(name: &str) -> io::Result<Vec<IpAddr>> {
    let output = Command::new("getent").args(["ahosts", name]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut addresses: Vec<IpAddr> =
        text.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
    // Once for each type of socket.
    addresses.dedup();
    if addresses.is_empty() { Err(io::Error::other("host not found")) } else { Ok(addresses) }
}

/// The family as text.
pub(super) const fn family_text(family: Family) -> &'static str {
    match family {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    }
}

/// The elements of a list of targets.
pub(super) fn read(
    targets: &mut Vec<Placed<String>>,
    value: &Value<'_>,
    faults: &mut Vec<Fault>,
) -> Result<(), Complaint> {
    for item in value.items("a list of hosts such as [\"192.0.2.53\"]", TARGETS)? {
        match item.text("an address or a name in quotes").and_then(value::host) {
            Ok(host) if targets.iter().any(|other| other.value == host) => {
                faults.push(item.fault(&Complaint::Other("is listed twice; remove one")));
            }
            Ok(host) => targets.push(Placed { origin: item.origin(), value: host }),
            Err(complaint) => faults.push(item.fault(&complaint)),
        }
    }
    Ok(())
}

/// The targets with their addresses; two that are one host, or are of another family, are refused.
pub(super) fn resolve(
    written: &[Placed<String>],
    family: Option<Family>,
    names: &mut Names,
    faults: &mut Vec<Fault>,
) -> Vec<Placed<TargetConfig>> {
    let mut targets: Vec<Placed<TargetConfig>> = Vec::new();
    for name in written {
        let target = match names.target(name, family) {
            Ok(target) => target,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        match targets.iter().find(|other| other.value.address == target.address) {
            Some(other) => faults.push(Fault::new(
                name.origin.clone(),
                format!(
                    "targets {} and {} are both {}; remove one",
                    other.value.name, target.name, target.address
                ),
            )),
            None => targets.push(Placed { origin: name.origin.clone(), value: target }),
        }
    }
    targets
}

#[cfg(test)]
mod tests;
