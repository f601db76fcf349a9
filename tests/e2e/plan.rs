//! `plan --fail` says what will be done, to the letter, and does nothing. These run alone, see `Lab::alone`.

use crate::lab::{Host, Lab, Loss, pause_ms};

/// The commands that a plan names, sorted.
fn planned(host: &Host, fail: &str) -> Vec<String> {
    let answer = host.faildctl(&format!("plan --fail {fail}"));
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let commands =
        answer.text.lines().filter_map(|line| line.find(" ip ").map(|at| line[at + 1..].to_owned()));
    let mut commands: Vec<String> = commands.collect();
    commands.sort();
    commands
}

/// A route behind host 2, whose gateway is its address on LAN A.
fn add_route_by_gateway(lab: &Lab) {
    lab.host(1).ip("route add 10.99.0.0/24 via 10.77.1.2");
}

#[test]
fn the_loss_of_a_carrier_leads_to_what_was_planned() {
    let lab = Lab::alone(3, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    add_route_by_gateway(&lab);
    let daemons = lab.faild_everywhere("-r -v");
    let before = (h1.foreign_routes(), h1.overlays());
    let plan = planned(h1, "lanA");
    assert!(
        plan.iter().any(|c| c.starts_with("ip route add 10.77.1.2/32 via 10.77.2.2 dev lanB")),
        "{plan:#?}"
    );
    assert!(plan.iter().any(|c| c.contains("10.99.0.0/24")), "{plan:#?}");
    assert_eq!((h1.foreign_routes(), h1.overlays()), before, "nothing was changed");
    pause_ms(500);
    let from = daemons[0].log().len();
    lab.carrier_off(h1, 'A');
    lab.wait_moved(h1, h2, 'A', 'B');
    lab.wait_moved(h1, lab.host(3), 'A', 'B');
    pause_ms(500);
    assert_eq!(daemons[0].commands_done(from), plan);
}

#[test]
fn the_silence_of_a_peers_interface_leads_to_what_was_planned() {
    for flags in ["-r -v", "-v"] {
        let lab = Lab::alone(3, "AB");
        let (h1, h2) = (lab.host(1), lab.host(2));
        add_route_by_gateway(&lab);
        let daemons = [h1.faild(flags), h2.faild("-r"), lab.host(3).faild("-r")];
        lab.settle(&daemons);
        let plan = planned(h1, "10.77.1.2");
        assert!(plan.iter().any(|c| c.starts_with("ip route add 10.77.1.2/32 via 10.77.2.2")), "{plan:#?}");
        assert!(
            plan.iter().any(|c| c.starts_with("ip -6 route add fd77:1::2/128")),
            "both families: {plan:#?}"
        );
        assert!(!plan.iter().any(|c| c.contains("10.77.1.3")), "the other peer stays: {plan:#?}");
        let from = daemons[0].log().len();
        lab.cut(h2, 'A', Loss::Silent);
        lab.wait_moved(h1, h2, 'A', 'B');
        pause_ms(500);
        assert_eq!(daemons[0].commands_done(from), plan, "{flags}");
    }
}

#[test]
fn a_peer_that_is_gone_moves_nothing() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let settings = h1.configure(&h2.as_peer());
    let daemons = [h1.faild(&format!("-r {settings}")), h2.faild("-r")];
    lab.settle(&daemons);
    let answer = h1.faildctl("plan --fail h2");
    assert!(answer.text.contains("no change: the peer itself"), "{answer:?}");
    let unknown = h1.faildctl("plan --fail eth9");
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.errors.contains("\"eth9\" is not a LAN (lanA, lanB)"), "{unknown:?}");
}

#[test]
fn what_is_on_a_detour_already_would_go_home() {
    let lab = Lab::alone(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let daemons = lab.faild_everywhere("-r -v");
    assert_eq!(h1.faildctl("offline lanA").code, Some(0));
    lab.wait_moved(h1, h2, 'A', 'B');
    pause_ms(300);
    let plan = planned(h1, "lanB");
    assert!(plan.iter().any(|c| c.starts_with("ip route del 10.77.1.2/32")), "{plan:#?}");
    let from = daemons[0].log().len();
    lab.carrier_off(h1, 'B');
    lab.wait_moved(h1, h2, 'A', 'A');
    lab.wait_moved(h1, h2, 'B', 'A');
    pause_ms(500);
    assert_eq!(daemons[0].commands_done(from), plan);
}
