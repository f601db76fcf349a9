use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::target::Names;
use crate::config::{
    ChangeKind, Config, Damping, Failback, GroupConfig, HookConfig, Judging, LanConfig, Limits, Loaded,
    MemberConfig, Method, Need, NextHopConfig, NextHops, PeerConfig, RouteConfig, TargetConfig,
};

#[test]
fn an_empty_file_is_the_defaults() {
    assert_eq!(good("").config, Config::default());
    assert_eq!(good("# nothing\n\n").config, Config::default());
}

#[test]
fn every_default_that_the_keys_name_is_the_default() {
    let stands_alone =
        |section: &str| !["lan", "hook", "route", "group"].iter().any(|listed| section.starts_with(listed));
    for key in keys().filter(|key| !key.default.is_empty() && stands_alone(key.section)) {
        let text = format!("{}\n{} = {}\n", header(key.section), key.name, key.default);
        assert_eq!(good(&text).config, Config::default(), "{text}");
    }
    for key in keys().filter(|key| !key.default.is_empty() && key.section == "lan") {
        let text = format!("[[lan]]\ninterface = \"a\"\n{} = {}\n", key.name, key.default);
        assert_eq!(good(&text).config.lans, [LanConfig::new("a")], "{text}");
    }
}

#[test]
fn every_default_of_a_hook_is_the_default() {
    let plain = good("[[hook]]\ncommand = [\"/bin/true\"]\n").config.hooks;
    for key in keys().filter(|key| !key.default.is_empty() && key.section == "hook") {
        let text = format!("[[hook]]\ncommand = [\"/bin/true\"]\n{} = {}\n", key.name, key.default);
        assert_eq!(good(&text).config.hooks, plain, "{text}");
    }
}

#[test]
fn every_default_of_a_route_and_a_group_is_the_default() {
    let plain = good("[[route]]\ndestination = \"default\"\nnext-hops = \"auto\"\n").config;
    assert_eq!(plain.routes[0].judging, Judging::default());
    for section in ["route", "route.next-hops", "group", "group.members"] {
        let plain = good(&document(section, "none", "1").replace("none = 1\n", "")).config;
        for key in keys().filter(|key| !key.default.is_empty() && key.section == section) {
            let text = document(section, key.name, key.default);
            assert_eq!(good(&text).config, plain, "{text}");
        }
    }
}

#[test]
fn every_key_is_read() {
    let config = good(
        r#"
requestor = true
interval = 0.05
missed = 3
good = 5
port = 1234
log = "/tmp/faild.log"
verbosity = 2
exclude = ["wlan0", "eth9"]
route-protocols = ["static", 16, "bird"]
packet-budget = 500
control-group = "netops"
exit = "keep"
user = "root"

[[lan]]
interface = "eth0"
ipv6 = false

[[lan]]
interface = "eth1"
ipv4 = false
multicast-group = "ff02::fa1d"
broadcast = false

[[peer]]
name = "db1"
addresses = ["10.0.0.2", "fd00::2"]

[[hook]]
command = ["/bin/tell", "me"]
events = ["lan-down"]
timeout = 3
user = "root"

[[route]]
destination = "default"
table = 100
next-hops = [
  { interface = "wan0", via = "192.0.2.1", rank = 7, weight = 3 },
  { interface = "ppp0" },
]
interval = "1s"
missed = 4
good = 20
probe = ["nd", "icmp", "inq"]
targets = ["203.0.113.9", "203.0.113.10"]
need = 2
loss = { bad = 30, good = 5 }
latency = { bad = "300ms", good = "200ms" }
window = 100

[[route]]
destination = "2001:db8::/32"
next-hops = "auto"
need = "all"
loss = 21
latency = 1

[[group]]
name = "lan0"
members = [
  { interface = "eth2", test-address = "192.0.2.11", standby = true, ipv6 = false, bring-up = false },
  { interface = "eth3" },
]
detection-time = "1s"
failback = false
targets = ["192.0.2.12"]

[damping]
penalty = 1.5
suppress = 4
reuse = 2
half-life = "30s"
maximum = 300

[failback]
policy = "window"
window = "02:00-04:30"
"#,
    )
    .config;
    let expected = Config {
        requestor: true,
        interval: Duration::from_millis(50),
        missed: NonZeroU32::new(3).unwrap(),
        good: NonZeroU32::new(5).unwrap(),
        port: 1234,
        log: Some(PathBuf::from("/tmp/faild.log")),
        verbosity: 2,
        exclude: vec!["wlan0".to_owned(), "eth9".to_owned()],
        route_protocols: vec![4, 16, 12],
        packet_budget: NonZeroU32::new(500).unwrap(),
        control_group: "netops".to_owned(),
        exit: Exit::Keep,
        user: "root".to_owned(),
        lans: vec![
            LanConfig { ipv6: false, ..LanConfig::new("eth0") },
            LanConfig {
                ipv4: false,
                multicast_group: "ff02::fa1d".parse().unwrap(),
                broadcast: false,
                ..LanConfig::new("eth1")
            },
        ],
        peers: vec![PeerConfig {
            name: "db1".to_owned(),
            addresses: vec!["10.0.0.2".parse().unwrap(), "fd00::2".parse().unwrap()],
        }],
        hooks: vec![HookConfig {
            command: vec!["/bin/tell".to_owned(), "me".to_owned()],
            events: vec![ChangeKind::LanDown],
            former: Vec::new(),
            timeout: Duration::from_secs(3),
            user: Some("root".to_owned()),
        }],
        routes: every_key_of_routes(),
        groups: every_key_of_groups(),
        damping: Damping {
            penalty: 1.5,
            suppress: 4.0,
            reuse: 2.0,
            half_life: Duration::from_secs(30),
            maximum: Duration::from_secs(300),
        },
        failback: Failback::Window { from: 7200, until: 16200 },
        ..Config::default()
    };
    assert_eq!(config, expected);
}

fn every_key_of_routes() -> Vec<RouteConfig> {
    vec![
        RouteConfig {
            destination: "0.0.0.0/0".parse().unwrap(),
            table: 100,
            next_hops: NextHops::Listed(vec![
                NextHopConfig {
                    interface: "wan0".to_owned(),
                    via: Some("192.0.2.1".parse().unwrap()),
                    rank: 7,
                    weight: 3,
                },
                NextHopConfig { interface: "ppp0".to_owned(), via: None, rank: 2, weight: 1 },
            ]),
            judging: Judging {
                interval: Duration::from_secs(1),
                missed: NonZeroU32::new(4).unwrap(),
                good: NonZeroU32::new(20).unwrap(),
                methods: vec![Method::Neighbour, Method::Echo, Method::Peer],
                targets: ["203.0.113.9", "203.0.113.10"].map(target).to_vec(),
                need: Need::AtLeast(2),
                loss: Some(Limits { bad: 30, good: 5 }),
                latency: Some(Limits { bad: Duration::from_millis(300), good: Duration::from_millis(200) }),
                window: 100,
            },
        },
        RouteConfig {
            destination: "2001:db8::/32".parse().unwrap(),
            table: 254,
            next_hops: NextHops::Auto,
            judging: Judging {
                need: Need::All,
                loss: Some(Limits { bad: 21, good: 10 }),
                latency: Some(Limits { bad: Duration::from_secs(1), good: Duration::from_millis(500) }),
                ..Judging::default()
            },
        },
    ]
}

fn every_key_of_groups() -> Vec<GroupConfig> {
    let members = vec![
        MemberConfig {
            interface: "eth2".to_owned(),
            standby: true,
            test_address: Some("192.0.2.11".parse().unwrap()),
            ipv6: false,
            bring_up: false,
        },
        MemberConfig {
            interface: "eth3".to_owned(),
            standby: false,
            test_address: None,
            ipv6: true,
            bring_up: true,
        },
    ];
    vec![GroupConfig {
        name: "lan0".to_owned(),
        members,
        detection_time: Duration::from_secs(1),
        failback: false,
        targets: vec![target("192.0.2.12")],
    }]
}

fn target(address: &str) -> TargetConfig {
    TargetConfig { name: address.to_owned(), address: address.parse().unwrap() }
}

#[test]
fn every_boundary_of_every_key() {
    for (section, key, good_values, bad_values) in BOUNDARIES {
        for value in *good_values {
            let text = document(section, key, value);
            assert_eq!(faults(&text), NONE, "{text}");
        }
        for value in *bad_values {
            let text = document(section, key, value);
            let faults = faults(&text);
            assert!(!faults.is_empty(), "{text}");
            assert!(faults.iter().all(|f| f.starts_with("f.toml: line ") && f.contains(';')), "{faults:#?}");
        }
    }
}

#[test]
fn every_key_has_its_boundaries_tested() {
    for key in keys() {
        let is_tested =
            BOUNDARIES.iter().any(|(section, name, ..)| (*section, *name) == (key.section, key.name));
        assert!(is_tested, "{key:?}");
    }
}

#[test]
fn an_error_says_where_what_and_how_to_fix_it() {
    for (text, fault) in [
        (
            "\n\ninterval = \"0s\"",
            "line 3: interval = \"0s\" is below 10ms; raise it, or remove the line to use 200ms",
        ),
        ("port = 70000", "line 1: port = 70000 is above 65535; lower it, or remove the line to use 64029"),
        ("prot = 1", "line 1: unknown key prot; did you mean port?"),
        ("packet_budget = 1", "line 1: unknown key packet_budget; did you mean packet-budget?"),
        ("half-life = \"1s\"", "line 1: unknown key half-life; it belongs in [damping]"),
        (
            "[damping]\n\nrequestor = true",
            "line 3: unknown key requestor in [damping]; it belongs at the top, before the first section",
        ),
        ("zebra = 1", "line 1: unknown key zebra; remove it, or see faild.toml(5) for the keys"),
        ("[lann]\n", "line 1: unknown key lann; did you mean lan?"),
        ("\n[[lan]]\nipv4 = true", "line 2: [[lan]] has no interface; add interface = \"eth0\""),
        (
            "[failback]\ndelay = \"5m\"",
            "line 2: delay has no effect without policy = \"delay\"; set that, or remove the line",
        ),
        (
            "[failback]\npolicy = \"delay\"",
            "line 1: [failback] has policy = \"delay\" but no delay; add delay = \"5m\"",
        ),
        (
            "[damping]\nreuse = 2500",
            "line 1: [damping] reuse 2500 must be below suppress 2500; lower reuse or raise suppress",
        ),
        (
            "[damping]\nmaximum = \"1m\"",
            "line 1: [damping] can never suppress: maximum caps the penalty at 2000, below suppress 2500; raise maximum, \
             shorten half-life or lower suppress",
        ),
        (
            "[[lan]]\ninterface=\"a\"\nipv4=false\nipv6=false",
            "line 1: [[lan]] has neither ipv4 nor ipv6 enabled; set one of them to true",
        ),
    ] {
        assert_eq!(faults(text), [format!("f.toml: {fault}")], "{text}");
    }
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_the_lines() {
    let text = "requestor = yes\nport = 0\n[[lan]\ninterface = \"a\"\n[[lan]]\nipv4 = 3\nnonsense\n[[peer]]\nnam = 1\n";
    let faults = faults(text);
    let lines: Vec<&str> = faults.iter().map(|f| f.split(": ").nth(1).unwrap()).collect();
    // No fault is made of what a line of broken syntax may have said.
    assert_eq!(lines, ["line 1", "line 2", "line 3", "line 4", "line 6", "line 7", "line 9"], "{faults:#?}");
}

#[test]
fn a_missing_key_is_not_guessed_where_the_syntax_is_broken() {
    let faults = faults("[[lan]]\ninterface = eth0\n");
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert!(faults[0].contains("line 2: invalid TOML"), "{faults:#?}");
}

#[test]
fn faults_of_syntax_come_to_an_end() {
    let faults = faults(&"nonsense\n".repeat(1000));
    assert!(faults.len() > 10 && faults.len() < 30, "{}", faults.len());
}

#[test]
fn a_long_or_many_lined_value_stays_one_short_line() {
    let text = format!("interval = \"\"\"\n{}\n\"\"\"", "x\n".repeat(5000));
    let faults = faults(&text);
    assert!(faults.len() == 1 && faults[0].len() < 200 && !faults[0].contains('\n'), "{faults:#?}");
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = load(&text);
    }

    #[test]
    fn no_near_miss_panics_and_every_fault_is_one_line(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)
    ) {
        for fault in faults(&pieces.concat()) {
            prop_assert!(!fault.contains('\n') && fault.len() < 400, "{}", fault);
        }
    }
}

/// What documents are made of, so that random ones get beyond the parser.
const PIECES: &[&str] = &[
    "\n",
    "\n",
    "\n",
    " = ",
    " = ",
    ".",
    ",",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "\"",
    "'''",
    "\"\"\"",
    "#",
    "é",
    "\t",
    "requestor",
    "interval",
    "missed",
    "lan",
    "peer",
    "damping",
    "failback",
    "auth",
    "addresses",
    "interface",
    "exclude",
    "route-protocols",
    "policy",
    "window",
    "half-life",
    "true",
    "false",
    "0",
    "-1",
    "1e400",
    "nan",
    "99999999999999999999999999999999999999999",
    "0xffff",
    "2020-01-01",
    "\"10.0.0.1\"",
    "\"200ms\"",
    "\"eth0\"",
    "[[lan]]\n",
    "[[peer]]\n",
    "[damping]\n",
    "[failback]\n",
    "[[route]]\n",
    "[[route.next-hops]]\n",
    "[[group]]\n",
    "destination",
    "next-hops",
    "members",
    "targets",
    "need",
    "loss",
    "\"default\"",
    "\"auto\"",
    "{ interface = \"a\" }",
    "{ bad = 1 }",
    "\r",
    "\r\n",
    "\0",
];

const NONE: Vec<String> = Vec::new();

type Boundary = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

/// Section, key, values that are taken, values that are not.
const BOUNDARIES: &[Boundary] = &[
    ("", "requestor", &["true", "false"], &["1", "\"true\"", "[]"]),
    (
        "",
        "interval",
        &["\"10ms\"", "\"60s\"", "0.01", "60", "60.0", "\"1m\""],
        &[
            "\"9ms\"",
            "\"0s\"",
            "0",
            "-1",
            "0.0099",
            "60.1",
            "\"61s\"",
            "\"x\"",
            "nan",
            "inf",
            "1e-1",
            "0x10",
            "true",
            "2020-01-01",
        ],
    ),
    ("", "missed", &["1", "100", "0x10"], &["0", "101", "-1", "1.5", "\"3\"", "99999999999999999999999999"]),
    ("", "good", &["1", "10000", "10_000"], &["0", "10001", "\"10\""]),
    ("", "port", &["1", "65535"], &["0", "65536", "70000", "-1", "\"64029\""]),
    (
        "",
        "log",
        &["\"/tmp/faild.log\"", "\"/dev/null\""],
        &["\"faild.log\"", "\"\"", "3", "\"/tmp\"", "\"/nonexistent/x\"", "\"/dev/null/x\""],
    ),
    ("", "verbosity", &["0", "2"], &["3", "-1", "\"debug\""]),
    (
        "",
        "exclude",
        &["[]", "[\"eth0\"]", "[\"a\", \"b\"]"],
        &["\"eth0\"", "[3]", "[\"\"]", "[\"sixteen-letters-\"]", "[\"a\", \"a\"]"],
    ),
    (
        "",
        "route-protocols",
        &["[]", "[3]", "[255]", "[\"bgp\", \"isis\"]"],
        &[
            "\"static\"",
            "[2]",
            "[\"kernel\"]",
            "[250]",
            "[256]",
            "[-1]",
            "[4, \"static\"]",
            "[true]",
            "[1.5]",
        ],
    ),
    ("", "packet-budget", &["100", "1000000"], &["99", "1000001"]),
    ("", "control-group", &["\"adm\""], &["\"\"", "\"a b\"", "3"]),
    ("", "exit", &["\"remove\"", "\"lift\"", "\"keep\""], &["\"\"", "\"Remove\"", "false"]),
    ("", "realtime", &["true", "false"], &["1", "\"yes\""]),
    ("", "user", &["\"faild\"", "\"root\""], &["\"\"", "0", "\"-x\"", "\"a b\"", "\"nobody-has-this\""]),
    (
        "hook",
        "command",
        &["[\"/bin/true\"]", "[\"/a\", \"\", \"b c\"]"],
        &["[]", "\"/a\"", "[\"a\"]", "[1]", "[\"/a\", 1]"],
    ),
    ("hook", "events", &["[\"lan-down\"]"], &["[]", "[\"lan\"]", "[3]", "\"lan-down\""]),
    ("hook", "timeout", &["\"100ms\"", "600"], &["\"99ms\"", "\"11m\""]),
    ("hook", "user", &["\"faild\""], &["\"\"", "\"root\"", "3"]),
    ("lan", "interface", &["\"eth0\""], &["\"\"", "\"a/b\"", "3"]),
    ("lan", "ipv4", &["true", "false"], &["\"no\""]),
    ("lan", "ipv6", &["true", "false"], &["0"]),
    ("lan", "multicast-group", &["\"ff02::fa1d\""], &["\"ff05::1\"", "\"239.0.0.1\"", "1"]),
    ("lan", "broadcast", &["true", "false"], &["1"]),
    ("peer", "name", &["\"a\""], &["\"\"", "\"a b\"", "1"]),
    (
        "peer",
        "addresses",
        &["[\"10.0.0.1\"]"],
        &["[]", "\"10.0.0.1\"", "[\"fe80::1\"]", "[\"10.0.0.1\", \"10.0.0.1\"]", "[1]"],
    ),
    ("auth", "key-file", &[], &["\"keys\"", "\"/nonexistent/keys\"", "\"/tmp\"", "3"]),
    ("damping", "penalty", &["0", "1000000", "0.5"], &["-1", "1000001", "nan", "inf", "\"1000\""]),
    ("damping", "suppress", &["1001", "1000001e-1"], &["0", "1000", "1000001", "nan"]),
    ("damping", "reuse", &["1000", "2499.9"], &["0.9", "2500", "1000001"]),
    ("damping", "half-life", &["\"1s\"", "1", "\"7m\""], &["0.9", "\"25h\"", "\"24h\""]),
    ("damping", "maximum", &["\"2m\"", "\"24h\""], &["\"79s\"", "\"25h\"", "0"]),
    ("failback", "policy", &["\"auto\"", "\"manual\""], &["\"delay\"", "\"window\"", "\"never\"", "true"]),
    (
        "failback",
        "delay",
        &["\"1s\"\npolicy = \"delay\"", "\"168h\"\npolicy = \"delay\""],
        &["\"1s\"", "0\npolicy = \"delay\"", "\"169h\"\npolicy = \"delay\""],
    ),
    (
        "failback",
        "window",
        &["\"00:00-24:00\"\npolicy = \"window\""],
        &["\"02:00-04:30\"", "\"02:00-02:00\"\npolicy = \"window\"", "3"],
    ),
    (
        "route",
        "destination",
        &["\"default\"", "\"0.0.0.0/0\"", "\"10.0.0.0/8\"", "\"192.0.2.7/32\""],
        &[
            "\"\"",
            "4",
            "\"main\"",
            "\"192.0.2.7\"",
            "\"192.0.2.7/24\"",
            "\"10.0.0.0/33\"",
            "\"2001:db8::1/64\"",
            "\"127.0.0.0/8\"",
            "\"224.0.0.0/4\"",
            "\"ff00::/8\"",
            "\"fe80::/64\"",
        ],
    ),
    (
        "route",
        "table",
        &["\"main\"", "1", "254", "256", "4294967295"],
        &["0", "255", "-1", "4294967296", "\"local\"", "\"100\"", "1.5", "true"],
    ),
    (
        "route",
        "next-hops",
        &["\"auto\"", "[{ interface = \"a\" }]", "[{ interface = \"a\" }, { interface = \"b\" }]"],
        &["\"all\"", "[]", "[\"a\"]", "[{}]", "[{ via = \"192.0.2.1\" }]", "{ interface = \"a\" }", "3"],
    ),
    ("route", "interval", &["\"10ms\"", "\"60s\"", "0.5"], &["\"9ms\"", "\"61s\"", "\"x\"", "true"]),
    ("route", "missed", &["1", "100"], &["0", "101", "\"3\""]),
    ("route", "good", &["1", "10000"], &["0", "10001", "1.5"]),
    (
        "route",
        "probe",
        &["[\"arp\"]", "[\"nd\", \"icmp\", \"inq\"]", "[]\ntargets = [\"192.0.2.53\"]"],
        &["[]", "\"arp\"", "[\"ping\"]", "[3]", "[\"arp\", \"arp\"]", "[\"arp\", \"nd\"]"],
    ),
    (
        "route",
        "targets",
        &["[]", "[\"192.0.2.53\"]", "[\"192.0.2.53\", \"192.0.2.54\"]"],
        &[
            "\"192.0.2.53\"",
            "[53]",
            "[\"\"]",
            "[\"192.0.2.300\"]",
            "[\"1.2.3\"]",
            "[\"a b\"]",
            "[\"-a\"]",
            "[\"a..b\"]",
            "[\"127.0.0.1\"]",
            "[\"0.0.0.0\"]",
            "[\"255.255.255.255\"]",
            "[\"224.0.0.1\"]",
            "[\"::ffff:192.0.2.1\"]",
            "[\"2001:db8::1\"]",
            "[\"192.0.2.53\", \"192.0.2.53\"]",
        ],
    ),
    (
        "route",
        "need",
        &["\"any\"", "\"all\"", "1\ntargets = [\"192.0.2.53\"]"],
        &["0", "1", "17", "2\ntargets = [\"192.0.2.53\"]", "\"some\"", "1.5", "true"],
    ),
    (
        "route",
        "loss",
        &["1", "100", "{ bad = 1 }", "{ bad = 100, good = 100 }", "{ bad = 1, good = 0 }"],
        &["0", "101", "{}", "{ good = 1 }", "{ bad = 10, good = 11 }", "{ bad = 10, god = 1 }", "\"20%\""],
    ),
    (
        "route",
        "latency",
        &["\"1ms\"", "60", "{ bad = \"300ms\", good = \"300ms\" }", "{ bad = \"300ms\" }"],
        &["\"0.9ms\"", "61", "{}", "{ good = \"1s\" }", "{ bad = \"1s\", good = \"1.1s\" }", "true"],
    ),
    ("route", "window", &["5", "1000"], &["4", "1001", "\"50\""]),
    ("route.next-hops", "interface", &["\"eth0\""], &["\"\"", "\"a/b\"", "3"]),
    (
        "route.next-hops",
        "via",
        &["\"192.0.2.1\"", "\"169.254.0.1\""],
        &[
            "\"\"",
            "1",
            "\"router\"",
            "\"0.0.0.0\"",
            "\"127.0.0.1\"",
            "\"224.0.0.1\"",
            "\"fe80::1\"",
            "\"2001:db8::1\"",
        ],
    ),
    ("route.next-hops", "rank", &["1", "255"], &["0", "256", "\"1\""]),
    ("route.next-hops", "weight", &["1", "255"], &["0", "256", "1.5"]),
    ("group", "name", &["\"lan0\""], &["\"\"", "\"a b\"", "0"]),
    (
        "group",
        "members",
        &["[{ interface = \"a\" }]", "[{ interface = \"a\" }, { interface = \"b\" }]"],
        &["[]", "[\"a\"]", "[{}]", "[{ standby = true }]", "\"a\"", "[{ interface = \"a\", rank = 1 }]"],
    ),
    ("group", "detection-time", &["\"100ms\"", "\"1h\"", "10"], &["\"99ms\"", "\"3601s\"", "0", "true"]),
    ("group", "failback", &["true", "false"], &["\"yes\"", "1"]),
    (
        "group",
        "targets",
        &["[]", "[\"192.0.2.1\"]", "[\"fe80::1\"]"],
        &["\"192.0.2.1\"", "[1]", "[\"127.0.0.1\"]", "[\"192.0.2.1\", \"192.0.2.1\"]"],
    ),
    ("group.members", "interface", &["\"eth0\""], &["\"\"", "\"a b\"", "3"]),
    (
        "group.members",
        "test-address",
        &["\"192.0.2.11\"", "\"169.254.1.1\""],
        &["\"\"", "\"fe80::1\"", "\"192.0.2.11/24\"", "\"224.0.0.1\"", "\"127.0.0.1\"", "\"0.0.0.0\"", "3"],
    ),
    ("group.members", "standby", &["true", "false"], &["\"yes\""]),
    ("group.members", "ipv6", &["true", "false"], &["1"]),
    ("group.members", "bring-up", &["true", "false"], &["0"]),
];

fn document(section: &str, key: &str, value: &str) -> String {
    let others = match (section, key) {
        ("lan", "interface") | ("peer", "none") => "",
        ("lan", _) => "interface = \"eth7\"\n",
        ("hook", "command") => "",
        ("hook", _) => "command = [\"/bin/true\"]\n",
        ("peer", "name") => "addresses = [\"10.9.9.9\"]\n",
        ("peer", _) => "name = \"other\"\n",
        ("route", "destination") => "next-hops = \"auto\"\n",
        ("route", "next-hops") => "destination = \"default\"\n",
        ("route", _) => "destination = \"default\"\nnext-hops = \"auto\"\n",
        ("group", "members") => "",
        ("group", _) => "members = [{ interface = \"eth7\", test-address = \"192.0.2.77\" }]\n",
        ("route.next-hops" | "group.members", "interface") => "",
        ("route.next-hops" | "group.members", _) => "interface = \"eth7\"\n",
        _ => "",
    };
    format!("{}\n{others}{key} = {value}\n", header(section))
}

fn header(section: &str) -> String {
    match section {
        "" => String::new(),
        "lan" | "peer" | "hook" | "route" | "group" => format!("[[{section}]]"),
        "route.next-hops" => "[[route]]\ndestination = \"default\"\n[[route.next-hops]]".to_owned(),
        "group.members" => {
            "[[group]]\nname = \"lan0\"\n[[group.members]]\ninterface = \"eth8\"\n[[group.members]]"
                .to_owned()
        }
        _ => format!("[{section}]"),
    }
}

fn load(text: &str) -> Result<Loaded, super::super::Faults> {
    let mut draft = Draft::from_text(std::path::Path::new("f.toml"), text);
    // No test asks a name server.
    draft.names = Names::of_resolver(|_| Err(std::io::Error::other("name not known")));
    draft.finish()
}

fn good(text: &str) -> Loaded {
    load(text).unwrap_or_else(|faults| panic!("{text}: {faults}"))
}

fn faults(text: &str) -> Vec<String> {
    load(text).err().map(|f| f.list.iter().map(ToString::to_string).collect()).unwrap_or_default()
}

#[test]
fn an_event_by_the_name_that_it_had_before_is_taken_with_a_warning() {
    let text = "[[hook]]\ncommand = [\"/bin/true\"]\nevents = [\"lan-lost\", \"group-ok\", \"failover\"]\n";
    let loaded = good(text);
    let events = [ChangeKind::LanDown, ChangeKind::GroupOk, ChangeKind::PeerFailover];
    assert_eq!(loaded.config.hooks[0].events, events);
    let warnings = [
        "[[hook]] events: \"lan-lost\" is now named \"lan-down\"; write that",
        "[[hook]] events: \"failover\" is now named \"peer-failover\"; write that",
    ];
    assert_eq!(loaded.warnings, warnings);
}

#[test]
fn the_former_word_for_exit_is_taken_with_a_warning() {
    let loaded = good("exit = \"lift\"\n");
    assert_eq!(loaded.config.exit, Exit::Remove);
    assert_eq!(loaded.warnings, ["exit: \"lift\" is now named \"remove\"; write that"]);
    assert_eq!(good("exit = \"remove\"\n").warnings, [""; 0]);
}
