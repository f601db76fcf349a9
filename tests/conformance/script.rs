//! The script.

use faild::reconcile::mirror::Insert;

use faild::route::RouteType::{Blackhole, Prohibit, Throw, Unreachable};

use crate::route::{refusing, via};
use crate::step::Step;

pub(crate) fn script() -> Vec<Step> {
    use Insert::{Append, Exclusive, Prepend, Replace};
    use Step::{
        AddAddress, AddPeer, AddTestAddress, Carrier, CreateLink, DeleteAddress, DeleteLink, DeleteRoute,
        PromoteSecondaries, Up,
    };
    let route = Step::Route;
    let default = || via("0.0.0.0/0", "10.0.0.9", "eth0", 0);
    let overlay = || via("0.0.0.0/0", "10.1.0.9", "eth1", 0).ours().from("10.0.0.1");
    vec![
        AddAddress("eth0", "10.0.0.1/24"),
        AddAddress("eth1", "10.1.0.1/24"),
        AddAddress("eth0", "fd00::1/64"),
        AddAddress("eth1", "fd01::1/64"),
        AddAddress("eth0", "10.0.0.1/24"),
        // Refusals.
        route(Exclusive, via("192.0.2.0/24", "172.16.0.1", "eth0", 0)),
        route(Exclusive, via("192.0.2.0/24", "10.0.0.9", "eth1", 0)),
        route(Exclusive, via("192.0.2.0/24", "10.0.0.9", "eth0", 0).from("10.9.9.9")),
        route(Exclusive, via("2001:db8::/32", "fd99::1", "eth0", 0)),
        route(Exclusive, via("2001:db8::/32", "fd00::9", "eth0", 0).from("fd99::1")),
        DeleteRoute(via("192.0.2.0/24", "10.0.0.9", "eth0", 0)),
        // Keys, and places among equals.
        route(Exclusive, default()),
        route(Exclusive, default()),
        route(Exclusive, overlay()),
        route(Prepend, overlay()),
        route(Prepend, overlay()),
        DeleteRoute(via("0.0.0.0/0", "10.1.0.8", "eth1", 0).ours()),
        route(Append, via("0.0.0.0/0", "10.0.0.8", "eth0", 0)),
        route(Replace, via("0.0.0.0/0", "10.0.0.7", "eth0", 0)),
        route(Prepend, overlay()),
        DeleteRoute(overlay()),
        // Twins that differ in their source alone: a delete that names one hits that one.
        route(Prepend, overlay()),
        route(Prepend, overlay().from("10.1.0.1")),
        DeleteRoute(overlay()),
        route(Prepend, overlay()),
        DeleteRoute(via("0.0.0.0/0", "10.1.0.9", "eth1", 0).ours()),
        DeleteRoute(via("0.0.0.0/0", "10.1.0.9", "eth1", 0).ours()),
        route(Exclusive, via("198.51.100.0/24", "10.0.0.9", "eth0", 100)),
        route(Exclusive, via("198.51.100.0/24", "10.1.0.9", "eth1", 99).ours().from("10.0.0.1")),
        route(Exclusive, via("10.0.0.2/32", "10.1.0.2", "eth1", 0).ours().from("10.0.0.1")),
        route(Exclusive, via("203.0.113.0/24", "10.0.0.9", "eth0", 0).and("10.1.0.9", "eth1")),
        route(Exclusive, via("2001:db8::/32", "fd00::9", "eth0", 0)),
        route(Exclusive, via("2001:db8::/32", "fd01::9", "eth1", 1023).ours().from("fd00::1")),
        route(Exclusive, via("fd00::2/128", "fd01::2", "eth1", 1024).ours().from("fd00::1")),
        route(Exclusive, via("2001:db8:1::/48", "fe80::9", "eth0", 1024)),
        route(Exclusive, via("2001:db8:2::/48", "fd00::9", "eth0", 1024).and("fd01::9", "eth1")),
        // Those that refuse have the same keys, and are replaced, merged and deleted by the same rules.
        route(Exclusive, refusing(Prohibit, "192.0.2.0/24", 99)),
        route(Exclusive, via("192.0.2.0/24", "10.1.0.9", "eth1", 99).ours()),
        route(Append, via("192.0.2.0/24", "10.1.0.9", "eth1", 99).ours()),
        route(Prepend, refusing(Blackhole, "192.0.2.0/24", 99)),
        DeleteRoute(refusing(Unreachable, "192.0.2.0/24", 99)),
        DeleteRoute(refusing(Prohibit, "192.0.2.0/24", 99)),
        route(Replace, refusing(Throw, "198.51.100.0/24", 99)),
        DeleteRoute(refusing(Throw, "198.51.100.0/24", 99)),
        route(Exclusive, via("198.51.100.0/24", "10.1.0.9", "eth1", 99).ours().from("10.0.0.1")),
        DeleteRoute(via("192.0.2.0/24", "10.1.0.9", "eth1", 99).ours()),
        DeleteRoute(refusing(Blackhole, "192.0.2.0/24", 99)),
        route(Exclusive, refusing(Prohibit, "2001:db8:7::/48", 99)),
        route(Exclusive, via("2001:db8:7::/48", "fd01::9", "eth1", 99).ours()),
        route(Replace, refusing(Unreachable, "2001:db8::/32", 1023)),
        DeleteRoute(refusing(Unreachable, "2001:db8::/32", 1023)),
        route(Exclusive, via("2001:db8::/32", "fd01::9", "eth1", 1023).ours().from("fd00::1")),
        DeleteRoute(refusing(Prohibit, "2001:db8:7::/48", 99)),
        // A delete without metric is a wildcard.
        DeleteRoute(via("198.51.100.0/24", "10.0.0.9", "eth0", 0)),
        route(Exclusive, via("198.51.100.0/24", "10.0.0.9", "eth0", 100)),
        // Carrier.
        Carrier("eth0", false),
        Carrier("eth0", true),
        // Down and up.
        Up("eth0", false),
        route(Exclusive, via("192.0.2.0/24", "10.0.0.9", "eth0", 0)),
        AddAddress("lo", "fd00::1/128"),
        route(Exclusive, via("fd00::3/128", "fd01::2", "eth1", 1024).ours().from("fd00::1")),
        Up("eth0", true),
        AddAddress("eth0", "fd00::1/64"),
        DeleteAddress("lo", "fd00::1/128"),
        route(Exclusive, default()),
        route(Exclusive, overlay()),
        route(Prepend, overlay()),
        // Addresses.
        AddAddress("eth0", "10.0.0.11/24"),
        AddAddress("eth0", "10.5.0.1/24"),
        DeleteAddress("eth0", "10.0.0.1/24"),
        route(Exclusive, via("192.0.2.0/24", "10.5.0.9", "eth0", 0)),
        DeleteAddress("eth0", "10.5.0.1/24"),
        DeleteAddress("eth0", "fd00::1/64"),
        DeleteAddress("eth0", "fd00::1/64"),
        // An interface that is deleted and made again.
        AddAddress("eth0", "10.0.0.1/24"),
        AddAddress("eth0", "fd00::1/64"),
        route(Exclusive, default()),
        route(Exclusive, via("203.0.113.0/24", "10.0.0.9", "eth0", 0).and("10.1.0.9", "eth1")),
        route(Exclusive, via("2001:db8:3::/48", "fd00::9", "eth0", 1024).and("fd01::9", "eth1")),
        route(Exclusive, via("10.0.0.3/32", "10.1.0.2", "eth1", 0).ours().from("10.0.0.1")),
        DeleteLink("eth0"),
        CreateLink("eth0"),
        AddAddress("eth0", "10.0.0.1/24"),
        route(Exclusive, default()),
        // Secondaries.
        PromoteSecondaries(true),
        AddAddress("eth0", "10.6.0.1/24"),
        AddAddress("eth0", "10.6.0.2/24"),
        AddAddress("eth0", "10.6.0.3/24"),
        route(Exclusive, via("192.0.2.0/24", "10.6.0.9", "eth0", 0).from("10.6.0.2")),
        DeleteAddress("eth0", "10.6.0.1/24"),
        PromoteSecondaries(false),
        DeleteAddress("eth0", "10.6.0.2/24"),
        // Weights, and a table of its own.
        AddAddress("eth0", "10.0.0.1/24"),
        route(
            Exclusive,
            via("203.0.113.0/24", "10.0.0.9", "eth0", 0).and("10.1.0.9", "eth1").weighing(3, 2).ours(),
        ),
        DeleteRoute(
            via("203.0.113.0/24", "10.0.0.9", "eth0", 0).and("10.1.0.9", "eth1").weighing(2, 3).ours(),
        ),
        route(
            Exclusive,
            via("2001:db8:4::/48", "fe80::9", "eth0", 50).and("fe80::8", "eth1").weighing(3, 2).ours(),
        ),
        DeleteRoute(
            via("203.0.113.0/24", "10.0.0.9", "eth0", 0).and("10.1.0.9", "eth1").weighing(3, 2).ours(),
        ),
        route(Exclusive, default().into_table(77)),
        route(Exclusive, overlay().into_table(77)),
        route(Prepend, overlay().into_table(77)),
        route(Exclusive, via("2001:db8:5::/48", "fe80::9", "eth0", 50).into_table(77).ours()),
        DeleteRoute(via("0.0.0.0/0", "10.1.0.8", "eth1", 0).ours().into_table(77)),
        DeleteRoute(overlay().into_table(77)),
        // A test address holds the routes of its interface, and its loss is that of the last address.
        AddTestAddress("eth1", "10.1.0.77/32"),
        route(Exclusive, via("198.51.100.0/24", "10.1.0.9", "eth1", 0).into_table(77)),
        DeleteAddress("eth1", "10.1.0.1/24"),
        route(Exclusive, via("192.0.2.0/24", "10.1.0.9", "eth1", 0)),
        DeleteAddress("eth1", "10.1.0.77/32"),
        AddTestAddress("eth1", "10.1.0.77/32"),
        AddTestAddress("eth1", "10.1.0.77/32"),
        AddAddress("eth1", "10.1.0.1/24"),
        route(Exclusive, overlay()),
        route(Prepend, overlay()),
        // The other end of a link, and metrics.
        AddPeer("eth1", "10.7.0.1", "10.7.0.2/32", 0),
        AddPeer("eth1", "10.7.0.1", "10.7.0.3/32", 77),
        AddPeer("eth1", "10.7.0.1", "10.7.0.3/32", 77),
        AddPeer("eth1", "10.8.0.1", "10.9.0.2/24", 78),
        AddPeer("eth1", "fd07::1", "fd07:1::2/64", 79),
        route(Exclusive, via("192.0.2.0/24", "10.7.0.3", "eth1", 5)),
        DeleteRoute(via("192.0.2.0/24", "10.7.0.3", "eth1", 5)),
        // Both ways at once.
        Up("eth1", false),
        Up("eth0", false),
        Up("eth1", true),
        Up("eth0", true),
    ]
}
