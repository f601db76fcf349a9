//! End to end: the real daemon in network namespaces, real traffic, every fault; one promise a file.
//!
//! tests/README.md draws the topology. They need root: `scripts/test netns` runs them.

#[path = "../lab/mod.rs"]
mod lab;

mod lab_itself;
