//! faild keeps every host reachable over redundant LANs.
//!
//! It probes its peers over every LAN, notices within a fraction of a second that one way is dead, lays routes in
//! front of those that use it, and takes them away again when the way has proven itself.
//!
//! The map of the modules; arrows of dependency point down only:
//!
//! ```text
//! cli         the command line of faild           config   TOML text -> checked Config
//! faildctl    the control command                 control  what faildctl and the daemon say: requests, snapshots
//! daemon      the loop: one thread, one mio poll; signals, timers, log, state files
//!   change      what the core shows, from moment to moment -> what was lost and regained
//!     core        engine, watch and reconcile, wired together: all that decides
//!       reconcile   plan against mirror of the kernel -> operations
//!         engine      packets, interfaces, time -> plan: each subject home, detour or undecided
//!         watch       the same for hosts without faild: gateways, targets, groups of interfaces
//!           wire        bytes <-> probe packets
//!           group       how a silent member of a group is judged
//!   net         UDP, ICMP, ARP and ND sockets     kernel   netlink: dump, monitor, apply; sysctls
//!             interface, route, operation, packet     what edges and core hand to each other
//!             time, units, damping, failback, random, gather, words, event     what all of them share
//!
//! plain_file, trusted     opening files that others may have put something in the place of; for daemon and config
//! ```
//!
//! `core` and all below it is pure: no clock, socket, log or random source, same input, same output.

pub mod change;
pub mod cli;
pub mod config;
pub mod control;
pub mod core;
pub mod daemon;
mod damping;
pub mod engine;
pub mod event;
pub mod failback;
pub mod faildctl;
mod gather;
pub mod group;
pub mod interface;
pub mod kernel;
#[cfg(test)]
mod mutated;
pub mod net;
pub mod operation;
pub mod packet;
mod plain_file;
mod random;
pub mod reconcile;
pub mod route;
#[cfg(test)]
mod scratch;
pub mod time;
mod trusted;
mod units;
pub mod watch;
pub mod wire;
mod words;
