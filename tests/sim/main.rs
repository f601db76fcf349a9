//! The simulator: many cores, virtual LANs and model kernels on one virtual clock, all from one seed.
//!
//! ```text
//! runner      seeds: a random world, a random story of faults, then peace    scenarios   stories with an end
//!   faults      what can go wrong                                            statistics  long worlds
//!                                                                              scale       large worlds
//!     judge       the promises, as code                  traffic   where packets really go
//!       world       hosts, LANs, one clock
//!         node        a host: its kernel, its disk, and the daemon's loop
//!           daemon      the core, and what the kernel has for it
//!             kernel      the model kernel    network   the virtual LANs    neighbours   who is known there
//!               queue, random
//!
//! uplinks     a second, small world: one host, routers, targets and groups around it
//! ```

#![expect(unreachable_pub, reason = "a test binary has no outside")]

mod daemon;
mod faults;
mod judge;
mod kernel;
mod neighbours;
mod network;
mod node;
mod queue;
mod random;
mod runner;
mod scale;
mod scenarios;
mod simulation;
mod statistics;
mod story;
mod traffic;
mod uplinks;
mod world;
