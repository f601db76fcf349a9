//! Trace-shaped tests: a plan and events go in, a mirror plays the kernel, all operations and notices are compared.

mod addresses;
mod gateways;
mod hosts;
mod journal;
mod originals;
mod others;
mod property;
mod rig;
mod serving;
mod settings;
mod wans;
