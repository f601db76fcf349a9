//! Stand-ins for rooms that are not built yet, with the signatures that they will have. To be deleted with them.
#![allow(missing_docs, dead_code, clippy::unused_self, clippy::new_without_default, unreachable_pub)]

use std::fmt;
use std::io;

use crate::config::Config;
use crate::engine::{Input, Memory, Output, Plan};
use crate::interface::{Interface, InterfaceIndex};
use crate::reconcile::{self, Operation, Refusal, Route};
use crate::time::Instant;

#[derive(Debug)]
pub struct Snapshot;
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("shim")
    }
}
#[derive(Debug)]
pub struct Reason;
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("shim")
    }
}

#[derive(Debug, Default)]
pub struct Engine(Plan);
impl Engine {
    pub fn new(_: &Config, _: Memory, _: [u8; 32]) -> Self {
        Self::default()
    }
    pub fn handle(&mut self, _: Instant, _: Input<'_>) {}
    pub fn next_output(&mut self) -> Option<Output> {
        None
    }
    pub fn deadline(&self) -> Option<(Instant, Reason)> {
        None
    }
    pub fn plan(&self) -> &Plan {
        &self.0
    }
    pub fn snapshot(&self) -> Snapshot {
        Snapshot
    }
}

#[derive(Debug, Default)]
pub struct Reconciler;
impl Reconciler {
    pub fn new(_: &Config, _: Option<&str>) -> Self {
        Self
    }
    pub fn handle(&mut self, _: Instant, _: reconcile::Input<'_>) {}
    pub fn next_output(&mut self) -> Option<reconcile::Output> {
        None
    }
    pub fn deadline(&self) -> Option<(Instant, Reason)> {
        None
    }
    pub fn snapshot(&self) -> Snapshot {
        Snapshot
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkState {
    pub index: InterfaceIndex,
    pub up: bool,
    pub carrier: bool,
}
#[derive(Debug, thiserror::Error)]
#[error("shim")]
pub struct Error;
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Links,
    Addresses,
    RouteAdded(Route),
    RouteDeleted(Route),
    Overrun,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    Nothing,
    MoreWaiting,
}
pub trait Kernel {
    fn interfaces(&mut self) -> Result<Vec<Interface>, Error>;
    fn links(&mut self, wanted: &[InterfaceIndex]) -> Result<Vec<LinkState>, Error>;
    fn own_routes(&mut self) -> Result<Vec<Route>, Error>;
    fn routes_over(&mut self, interfaces: &[InterfaceIndex]) -> Result<Vec<Route>, Error>;
    fn apply(&mut self, operations: &[Operation]) -> Vec<Result<(), Refusal>>;
}
#[derive(Debug)]
pub struct Netlink;
pub const RECEIVE_BUFFER: usize = 4 << 20;
impl Netlink {
    pub fn open(_: usize) -> Result<Self, Error> {
        Ok(Self)
    }
    pub fn port(&self) -> u32 {
        0
    }
}
impl Kernel for Netlink {
    fn interfaces(&mut self) -> Result<Vec<Interface>, Error> {
        Ok(Vec::new())
    }
    fn links(&mut self, _: &[InterfaceIndex]) -> Result<Vec<LinkState>, Error> {
        Ok(Vec::new())
    }
    fn own_routes(&mut self) -> Result<Vec<Route>, Error> {
        Ok(Vec::new())
    }
    fn routes_over(&mut self, _: &[InterfaceIndex]) -> Result<Vec<Route>, Error> {
        Ok(Vec::new())
    }
    fn apply(&mut self, operations: &[Operation]) -> Vec<Result<(), Refusal>> {
        operations.iter().map(|_| Ok(())).collect()
    }
}
#[derive(Debug)]
pub struct Monitor(std::os::unix::net::UnixDatagram);
impl Monitor {
    pub fn open(_: u32, _: usize) -> Result<Self, Error> {
        std::os::unix::net::UnixDatagram::unbound().map(Self).map_err(|_: io::Error| Error)
    }
    pub fn read(&mut self, _: usize, _: &mut Vec<Event>) -> Result<Rest, Error> {
        Ok(Rest::Nothing)
    }
}
impl std::os::fd::AsRawFd for Monitor {
    fn as_raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }
}
#[derive(Debug, Clone, Copy)]
pub enum Weight {
    Note,
    Warning,
}
#[derive(Debug)]
pub struct Finding {
    pub weight: Weight,
    pub what: &'static str,
    pub interface: String,
    pub value: u32,
    pub why: &'static str,
    pub mend: String,
}
#[derive(Debug, Default)]
pub struct Sysctls(());
impl Sysctls {
    pub fn check(&self, _: &[&Interface]) -> Vec<Finding> {
        Vec::new()
    }
}
