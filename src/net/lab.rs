//! Hosts for tests: network namespaces of the test's own thread, which end with it, however it ends.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::process::Command;

use nix::sched::{CloneFlags, setns, unshare};

use crate::interface::{InterfaceIndex, MacAddress};

/// A host.
pub(super) struct Namespace(File);

impl Namespace {
    pub(super) fn new() -> Self {
        unshare(CloneFlags::CLONE_NEWNET).expect("network namespaces need root: run the tests as root");
        let namespace = Self(File::open("/proc/thread-self/ns/net").unwrap());
        namespace.ip("link set lo up");
        namespace
    }

    /// What the thread does from here on it does on this host.
    pub(super) fn enter(&self) {
        setns(&self.0, CloneFlags::CLONE_NEWNET).unwrap();
    }

    pub(super) fn inside<T>(&self, act: impl FnOnce() -> T) -> T {
        self.enter();
        act()
    }

    pub(super) fn ip(&self, arguments: &str) {
        self.said(arguments);
    }

    /// What ip(8) says.
    pub(super) fn said(&self, arguments: &str) -> String {
        let output = self.inside(|| Command::new("ip").args(arguments.split(' ')).output().unwrap());
        assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A setting below /proc/sys/net.
    pub(super) fn set(&self, name: &str, value: &str) {
        self.inside(|| fs::write(format!("/proc/sys/net/{name}"), value)).unwrap();
    }

    /// A cable to another host, whose end bears the same name.
    pub(super) fn join(&self, name: &str, other: &Namespace) {
        let other = format!("/proc/{}/fd/{}", std::process::id(), other.0.as_raw_fd());
        self.ip(&format!("link add {name} type veth peer name {name} netns {other}"));
    }

    pub(super) fn index(&self, name: &str) -> InterfaceIndex {
        InterfaceIndex(self.inside(|| nix::net::if_::if_nametoindex(name)).unwrap_or(4_000_000))
    }

    pub(super) fn mac(&self, name: &str) -> MacAddress {
        let text = self.said(&format!("-br link show {name}"));
        let bytes = text.split_whitespace().nth(2).unwrap().split(':');
        let bytes: Vec<u8> = bytes.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        MacAddress(bytes.try_into().unwrap())
    }
}
