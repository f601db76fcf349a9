//! End to end: the real daemon in network namespaces, real traffic, every fault; one promise a file.
//!
//! tests/README.md draws the topology. They need root: `scripts/test netns` runs them.

#[path = "../lab/mod.rs"]
mod lab;

mod address_changed;
mod admin_down;
mod boot;
mod both_lans_down;
mod carrier;
mod chaos;
mod check;
mod cloned;
mod control;
mod crash;
mod demo;
mod deployment;
mod discovered;
mod dry_run;
mod firewall;
mod flapping;
mod foreign_flush;
mod group_commands;
mod groups;
mod hooks;
mod hostile;
mod instance;
mod interface_recreated;
mod ipv6_only;
mod keyed;
mod lab_itself;
mod lan_silent;
mod log_file;
mod loss;
mod offline;
mod one_way;
mod peer_dies;
mod plan;
mod privileges;
mod realtime;
mod reload;
mod responder;
mod routes;
mod services;
mod stall;
mod start;
mod static_peer;
mod stopping;
mod systemd;
mod three_lans;
mod transfer;
mod upgrade;
mod uplinks;
mod why;
