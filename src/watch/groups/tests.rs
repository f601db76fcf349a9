//! A group on a virtual clock, among hosts that answer or not.

mod detection;
mod duties;
mod failures;
mod links;
mod properties;
mod restarts;
mod states;
mod targets;
mod test_addresses;
mod world;
