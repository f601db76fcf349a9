//! Trace-shaped tests: a plan and events go in, a mirror plays the kernel, all operations and notices are compared.

mod addresses;
mod destinations;
mod found;
mod gateways;
mod hosts;
mod in_front;
mod journal;
mod members;
mod originals;
mod others;
mod property;
mod rig;
mod serving;
mod settings;
mod test_addresses;
mod wans;
mod watch_property;
