//! A host with a group of interfaces on one subnet, whose router and other hosts run no faild.
//!
//! ```text
//!       eth0 192.0.2.20 (test address .11) --+
//!   h   eth1 192.0.2.21 (.12) ---------------+-- LAN A --+-- 192.0.2.1  r   203.0.113.53, 2001:db8:53::53 (on its lo)
//!       eth2 192.0.2.22 (.13) ---------------+           +-- 192.0.2.2  o
//! ```
//!
//! IPv6: 2001:db8:a::20 and on, r is 2001:db8:a::1 and fe80::1, o is 2001:db8:a::2. The ports of the group at the switch
//! are eth0g and on. The addresses are those of the examples in `examples/config`.

use std::net::IpAddr;
use std::ops::Deref;
use std::time::Duration;

use super::host::On;
use super::{BOTH, Daemon, Host, Lab, Meter, wait_until};

/// What is beyond the router, and the other host of the subnet.
pub(crate) const BEYOND: &str = "203.0.113.53";
pub(crate) const BEYOND_V6: &str = "2001:db8:53::53";
pub(crate) const NEIGHBOUR: &str = "192.0.2.2";
pub(crate) const NEIGHBOUR_V6: &str = "2001:db8:a::2";

/// How the interfaces of the group are found at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    /// Up, with an address of each family.
    Ready,
    /// Up, without addresses.
    Bare,
    /// The same, but down.
    Down,
}

/// The lab; other faults as in [`Lab`].
pub(crate) struct Grouped {
    lab: Lab,
}

impl Deref for Grouped {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.lab
    }
}

impl Grouped {
    /// Two interfaces with addresses.
    pub(crate) fn pair() -> Self {
        Self::new(&[Made::Ready, Made::Ready])
    }

    /// These interfaces, eth0 and on.
    pub(crate) fn new(members: &[Made]) -> Self {
        Self::build(Lab::new(0, "A"), members)
    }

    /// The same, while no other lab stands (see [`Lab::alone`]).
    pub(crate) fn alone(members: &[Made]) -> Self {
        Self::build(Lab::alone(0, "A"), members)
    }

    fn build(mut lab: Lab, members: &[Made]) -> Self {
        for (number, name) in (1_u8..).zip(["h", "r", "o"]) {
            let prefix = lab.switch.netns().trim_end_matches("-sw").to_owned();
            let host = Host::new(&prefix, name, number, On { lans: "", families: BOTH }, &lab.directory);
            lab.hosts.push(host);
        }
        let grouped = Self { lab };
        grouped.add_router();
        grouped.add_host("lan0", grouped.other(), 2);
        // Else one interface answers ARP for the others, and probes lie (faild.toml(5), GROUPS).
        grouped.here().sysctl("net.ipv4.conf.all.arp_ignore=1");
        for (number, made) in (0_u8..).zip(members) {
            grouped.plug_member(number, *made);
        }
        if members.first() == Some(&Made::Ready) {
            grouped.add_default_routes();
        }
        grouped
    }

    fn add_router(&self) {
        let router = self.router();
        self.add_host("lan0", router, 1);
        router.ip("addr add fe80::1/64 dev lan0 nodad");
        router.ip(&format!("addr add {BEYOND}/32 dev lo"));
        router.ip(&format!("addr add {BEYOND_V6}/128 dev lo"));
    }

    fn add_host(&self, interface: &str, host: &Host, number: u8) {
        self.plug_in(host, interface, &format!("{}A", host.name()));
        host.ip(&format!("addr add 192.0.2.{number}/24 dev {interface}"));
        host.ip(&format!("addr add 2001:db8:a::{number}/64 dev {interface} nodad"));
    }

    /// Plugs in a member: when the lab is built, and after its interface was deleted.
    pub(crate) fn plug_member(&self, number: u8, made: Made) {
        let here = self.here();
        self.plug_in(here, &format!("eth{number}"), &port(number));
        if made == Made::Down {
            here.ip(&format!("link set eth{number} down"));
        }
        if made != Made::Bare {
            self.address_member(number);
        }
    }

    /// Gives a member its addresses.
    pub(crate) fn address_member(&self, number: u8) {
        self.here().ip(&format!("addr add 192.0.2.2{number}/24 dev eth{number}"));
        self.here().ip(&format!("addr add 2001:db8:a::2{number}/64 dev eth{number} nodad"));
    }

    /// By eth0, as whoever sets up a host makes them.
    pub(crate) fn add_default_routes(&self) {
        self.here().ip("route add default via 192.0.2.1 dev eth0");
        self.here().ip("route add default via fe80::1 dev eth0");
    }

    fn plug_in(&self, host: &Host, interface: &str, port: &str) {
        let switch = self.switch();
        host.ip(&format!("link add {interface} type veth peer name {port} netns {}", switch.netns()));
        switch.ip(&format!("link set {port} master lanA up"));
        host.ip(&format!("link set {interface} up"));
    }

    /// The host with the group.
    pub(crate) fn here(&self) -> &Host {
        self.host(1)
    }

    /// The router of the subnet.
    pub(crate) fn router(&self) -> &Host {
        self.host(2)
    }

    /// The other host of the subnet.
    pub(crate) fn other(&self) -> &Host {
        self.host(3)
    }

    /// Takes a port out of the switch: who is behind it keeps its carrier and hears nobody.
    pub(crate) fn cut_off(&self, port: &str) {
        self.switch().ip(&format!("link set {port} nomaster"));
    }

    /// Puts it back.
    pub(crate) fn plug_back(&self, port: &str) {
        self.switch().ip(&format!("link set {port} master lanA"));
    }

    /// [`Grouped::cut_off`] of a member.
    pub(crate) fn silence(&self, number: u8) {
        self.cut_off(&port(number));
    }

    /// Heals it.
    pub(crate) fn unsilence(&self, number: u8) {
        self.plug_back(&port(number));
    }

    /// Sets the port of a member up or down, which the member sees as carrier.
    pub(crate) fn set_carrier(&self, number: u8, state: &str) {
        self.switch().ip(&format!("link set {} {state}", port(number)));
    }

    /// Starts `faild` on the host with these settings, and waits until every target of every member has answered.
    #[track_caller]
    pub(crate) fn start(&self, toml: &str) -> Daemon<'_> {
        let daemon = self.here().faild_with(&format!("-v {}", self.here().configure(toml)));
        self.wait_answers();
        daemon
    }

    /// Waits until every member has targets, and all of them answer.
    #[track_caller]
    pub(crate) fn wait_answers(&self) {
        wait_until("all targets of the group answer", PATIENCE, || {
            let answer = self.here().faildctl("--json targets").text;
            let Ok(answer) = serde_json::from_str::<serde_json::Value>(&answer) else { return false };
            let Some(members) = answer["targets"]["members"].as_array() else { return false };
            let probed: Vec<_> = members.iter().filter(|member| member["mode"] != "disabled").collect();
            let answers = |member: &&serde_json::Value| {
                let targets = member["targets"].as_array();
                targets.is_some_and(|all| !all.is_empty() && all.iter().all(|t| t["good"] != 0))
            };
            !probed.is_empty() && probed.iter().all(answers)
        });
    }

    /// Waits until the group looks like this to `ipmpstat -gP -o state,interfaces`.
    #[track_caller]
    pub(crate) fn wait_group(&self, row: &str) {
        let mut seen = String::new();
        let what = format!("the group is {row:?}");
        wait_until(&what, PATIENCE, || {
            seen = self.here().faildctl("ipmpstat -gP -o state,interfaces").text;
            seen.trim_end() == row
        });
    }

    /// Datagrams to an address of the router or the other host, from whatever address the routes say.
    pub(crate) fn meter(&self, destination: &str) -> Meter {
        let near = [NEIGHBOUR, NEIGHBOUR_V6].contains(&destination);
        let there = if near { self.other() } else { self.router() };
        let destination: IpAddr = destination.parse().expect("an address");
        let any: IpAddr = if destination.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
        Meter::start(self.here(), any, there, destination)
    }

    /// The interface and the source address of packets to a destination, as the kernel says it.
    pub(crate) fn way(&self, destination: &str) -> (String, String) {
        let route = self.here().try_ip(&format!("route get {destination}")).unwrap_or_default();
        let word = |key: &str| route.split_whitespace().skip_while(|word| *word != key).nth(1);
        (word("dev").unwrap_or_default().to_owned(), word("src").unwrap_or_default().to_owned())
    }

    /// Waits until packets to all these destinations leave by this interface and bear its address.
    #[track_caller]
    pub(crate) fn wait_by(&self, number: u8, destinations: &[&str]) {
        let mut ways = Vec::new();
        let wanted: Vec<_> =
            destinations.iter().map(|d| (format!("eth{number}"), source(number, d))).collect();
        let what = format!("packets to {destinations:?} leave as {wanted:?}");
        wait_until(&what, PATIENCE, || {
            ways = destinations.iter().map(|destination| self.way(destination)).collect::<Vec<_>>();
            ways == wanted
        });
    }
}

/// The address of a member of the family of a destination.
pub(crate) fn source(number: u8, destination: &str) -> String {
    let family = if destination.contains(':') { "2001:db8:a::2" } else { "192.0.2.2" };
    format!("{family}{number}")
}

/// The port of a member at the switch.
fn port(number: u8) -> String {
    format!("eth{number}g")
}

/// The section of a group of so many members with test addresses; `more` goes into it.
pub(crate) fn group(members: u8, detection_time: Duration, more: &str) -> String {
    let member = |n| format!("{{ interface = \"eth{n}\", test-address = \"192.0.2.1{}\" }}", n + 1);
    let members: Vec<String> = (0..members).map(member).collect();
    let (members, time) = (members.join(", "), detection_time.as_millis());
    format!("[[group]]\nname = \"lan0\"\nmembers = [{members}]\ndetection-time = \"{time}ms\"\n{more}\n")
}

const PATIENCE: Duration = Duration::from_secs(20);
