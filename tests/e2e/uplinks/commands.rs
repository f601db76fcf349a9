//! What the administrator asks and orders: `offline`, `plan`, `why`.

use crate::lab::{Lab, Loss, Routed, TARGET, TARGET_V6, Uplinks, pause_ms};

use super::{LISTED, both, route, with_target};

#[test]
fn an_uplink_taken_out_of_service_drains_without_loss() {
    let lab = Uplinks::new(Routed::Statically);
    let host = lab.host(1);
    let _daemon = lab.start(&both());
    let meters = [TARGET, TARGET_V6].map(|target| lab.meter(target));
    pause_ms(200);
    let answer = host.faildctl("offline wan0 --reason new-modem");
    assert_eq!(answer.code, Some(0), "{answer:?}");
    for target in [TARGET, TARGET_V6] {
        lab.wait_by("wan1", target);
    }
    host.wait_faildctl("routes", &["offline"]);
    lab.cut_lan('A', Loss::Silent);
    pause_ms(500);
    lab.heal_lan('A');
    pause_ms(1500);
    assert_eq!(lab.source_to(TARGET), "198.51.100.10", "it is still offline");
    let refused = host.faildctl("offline wan1");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.errors.contains("the only working next hop of 0.0.0.0/0"), "{refused:?}");
    assert_eq!(host.faildctl("online wan0").code, Some(0));
    lab.wait_home();
    lab.wait_by("wan0", TARGET);
    pause_ms(200);
    for meter in meters {
        meter.finish_unharmed();
    }
}

#[test]
fn the_last_way_that_works_is_not_taken_out_of_service() {
    let lab = Uplinks::new(Routed::Statically);
    let host = lab.host(1);
    let _daemon = lab.start(&both());
    lab.cut_lan('B', Loss::Silent);
    host.wait_faildctl("routes", &["down"]);
    pause_ms(500);
    let refused = host.faildctl("offline wan0");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.errors.contains("the only working next hop of 0.0.0.0/0"), "{refused:?}");
    assert_eq!(host.overlays(), Vec::<String>::new());
}

#[test]
fn the_loss_of_an_uplink_leads_to_what_was_planned() {
    let lab = Uplinks::alone(Routed::Statically);
    let host = lab.host(1);
    let daemon = lab.start_with(&both(), "-v");
    let before = (host.foreign_routes(), host.overlays());
    let plan = planned(&lab, "wan0");
    assert!(
        plan.iter().any(|c| c.starts_with("ip route add default via 198.51.100.1 dev wan1")),
        "{plan:#?}"
    );
    assert!(plan.iter().any(|c| c.starts_with("ip -6 route add default via fe80::1 dev wan1")), "{plan:#?}");
    assert_eq!((host.foreign_routes(), host.overlays()), before, "nothing was changed");
    let from = daemon.log().len();
    lab.carrier_off(host, 'A');
    for target in [TARGET, TARGET_V6] {
        lab.wait_by("wan1", target);
    }
    pause_ms(500);
    assert_eq!(daemon.commands_done(from), plan);
}

#[test]
fn the_silence_of_a_router_leads_to_what_was_planned() {
    let lab = Uplinks::alone(Routed::Statically);
    let daemon = lab.start_with(&both(), "-v");
    let plan = planned(&lab, "192.0.2.1");
    assert!(plan.iter().any(|c| c.starts_with("ip route add default via 198.51.100.1")), "{plan:#?}");
    let from = daemon.log().len();
    lab.router(1).nft("table arp t { chain c { type filter hook input priority 0; drop; }; }");
    lab.wait_by("wan1", TARGET);
    pause_ms(500);
    let done: Vec<String> =
        daemon.commands_done(from).into_iter().filter(|c| !c.starts_with("ip -6")).collect();
    assert_eq!(done, plan);
}

#[test]
fn why_says_what_serves_and_what_it_waits_for() {
    let lab = Uplinks::new(Routed::Statically);
    let host = lab.host(1);
    let _daemon = lab.start(&route(LISTED, &with_target()));
    let home = host.faildctl(&format!("why {TARGET}"));
    assert_eq!(home.code, Some(0), "{home:?}");
    for words in ["wan0", "192.0.2.1", "works"] {
        assert!(home.text.contains(words), "{words}: {}", home.text);
    }
    lab.cut(lab.router(1), 'C', Loss::Silent);
    lab.wait_by("wan1", TARGET);
    for destination in [TARGET, "default", "8.8.8.8"] {
        host.wait_faildctl(&format!("why {destination}"), &["wan1 via 198.51.100.1", "203.0.113.53", "down"]);
    }
    lab.heal(lab.router(1), 'C');
    Lab::wait_home(&lab);
}

/// The commands that a plan names, sorted.
fn planned(lab: &Uplinks, fail: &str) -> Vec<String> {
    let answer = lab.host(1).faildctl(&format!("plan --fail {fail}"));
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let command = |line: &str| line.find(" ip ").map(|at| line[at + 1..].to_owned());
    let mut commands: Vec<String> = answer.text.lines().filter_map(command).collect();
    commands.sort();
    commands
}
