//! A group of interfaces on one subnet (faild.toml(5), `[[group]]`).

use std::net::IpAddr;

use super::{Host, Lab};

/// The router of the group's subnet.
pub(crate) const ROUTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

impl Lab {
    /// Gives host 1 three more interfaces on LAN A, eth0 to eth2, with a subnet of their own, whose router is host 2; the
    /// settings that make a group of them. What is behind the router is 203.0.113.0/24.
    pub(crate) fn add_group(&self) -> String {
        let (host, router) = (self.host(1), self.host(2));
        router.ip(&format!("addr add {ROUTER}/24 dev lanA"));
        // Else one interface answers ARP for the others, and probes lie.
        host.sysctl("net.ipv4.conf.all.arp_ignore=1");
        for number in 0..3 {
            self.plug(host, number);
        }
        for number in 0..2 {
            host.ip(&format!("addr add 192.0.2.2{number}/24 dev eth{number}"));
        }
        // The router is one of the routing table, so that it is asked.
        host.ip(&format!("route add 203.0.113.0/24 via {ROUTER} dev eth0"));
        "[[group]]\nname = \"lan0\"\ndetection-time = \"1s\"\nmembers = [\n\
         { interface = \"eth0\", test-address = \"192.0.2.11\" },\n\
         { interface = \"eth1\", test-address = \"192.0.2.12\" },\n\
         { interface = \"eth2\", test-address = \"192.0.2.13\", standby = true },\n]\n"
            .to_owned()
    }

    /// Sets the port of an interface of the group at the switch up or down, which its end sees as carrier.
    pub(crate) fn set_group_port(&self, number: u8, state: &str) {
        self.switch().ip(&format!("link set eth{number}g {state}"));
    }

    fn plug(&self, host: &Host, number: u8) {
        let switch = self.switch();
        host.ip(&format!("link add eth{number} type veth peer name eth{number}g netns {}", switch.netns()));
        switch.ip(&format!("link set eth{number}g master lanA up"));
        host.ip(&format!("link set eth{number} up"));
    }
}
