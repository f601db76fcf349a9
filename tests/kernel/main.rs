//! The netlink edge against the real kernel.
//!
//! Each test has a network namespace of its own, which no one else can see and which goes with its thread:
//!
//! ```text
//!        10.1.0.1/24, fd00:1::1/64           10.2.0.1/24, fd00:2::1/64
//!               lanA                                lanB
//!                 |  veth                             |  veth
//!               farA                                farB
//! ```
//!
//! Root is needed, and its absence is a failure. No test adds a route with encapsulation: some kernels die of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod changes;
mod listings;
mod notifications;
mod routes;
mod world;
