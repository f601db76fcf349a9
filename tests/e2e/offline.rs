//! An interface is taken out of service before its cable is pulled, and put back: nobody loses a packet.

use std::time::Duration;

use crate::lab::{EventName, Lab, Loss, Meter, pause_ms, wait_until};

#[test]
fn traffic_leaves_before_the_cable_is_pulled_and_returns_when_it_is_back() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let daemons = lab.faild_everywhere("-r");
    let meter = Meter::on_lan('A', h1, h2);
    pause_ms(200);
    let answer = h1.faildctl("offline lanA --reason new-switch --for 1h");
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert!(answer.text.contains("lanA is offline until 20"), "{answer:?}");
    lab.wait_moved(h1, h2, 'A', 'B');
    h1.wait_faildctl("status", &["lanA: offline until 20", "new-switch"]);
    assert!(h1.faildctl("lans").text.contains("offline"));
    assert!(daemons[0].dump_state().contains("dump-offline interface=lanA"), "the dump says so");
    lab.carrier_off(h1, 'A');
    pause_ms(300);
    lab.carrier_on(h1, 'A');
    pause_ms(300);
    assert!(h1.goes_by('B', h2.v4('A')), "it is still offline");
    assert_eq!(h1.faildctl("online lanA").code, Some(0));
    lab.wait_home();
    pause_ms(200);
    meter.finish_unharmed();
}

#[test]
fn the_other_end_drains_as_well_and_what_works_all_along_returns_at_once() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let flags = "-r -t 50ms -f 2 -s 600 -i lanA -i lanB";
    let daemons = [h1.faild_with(flags), h2.faild_with(flags)];
    lab.settle(&daemons);
    let meter = Meter::on_lan('A', h2, h1);
    assert_eq!(h1.faildctl("offline lanA").code, Some(0));
    lab.wait_moved(h2, h1, 'A', 'B');
    pause_ms(500);
    assert_eq!(h1.faildctl("online lanA").code, Some(0));
    // 600 slots would be half a minute, more than this waits.
    lab.wait_home();
    meter.finish_unharmed();
}

#[test]
fn the_last_way_is_refused_and_even_by_force_nothing_goes_to_a_dead_way() {
    let lab = Lab::new(3, "AB");
    let (h1, h2, h3) = (lab.host(1), lab.host(2), lab.host(3));
    let _daemons = lab.faild_everywhere("-r");
    lab.cut(h3, 'B', Loss::Silent);
    lab.wait_moved(h1, h3, 'B', 'A');
    let refused = h1.faildctl("offline lanA");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.errors.contains("only working path to") && refused.errors.contains("10.77.1.3"),
        "{refused:?}"
    );
    assert!(!refused.errors.contains("10.77.1.2"), "the other is reached by lanB: {refused:?}");
    let forced = h1.faildctl("offline lanA --force");
    assert_eq!(forced.code, Some(0), "{forced:?}");
    assert!(forced.text.contains("no other path to") && forced.text.contains("10.77.1.3"), "{forced:?}");
    lab.wait_moved(h1, h2, 'A', 'B');
    pause_ms(500);
    assert!(h1.goes_by('A', h3.v4('A')) && h1.goes_by('A', h3.v4('B')), "there is no other way");
    assert!(h3.goes_by('A', h1.v4('A')) && h3.goes_by('A', h1.v4('B')));
    lab.heal(h3, 'B');
    lab.wait_moved(h1, h3, 'A', 'B');
}

#[test]
fn it_survives_a_restart_and_a_kill() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let mut daemons = lab.faild_everywhere("-r");
    let meter = Meter::on_lan('A', h2, h1);
    assert_eq!(h1.faildctl("offline lanA").code, Some(0));
    lab.wait_moved(h1, h2, 'A', 'B');
    daemons[0].kill();
    daemons[0].restart();
    daemons[0].wait_event(EventName::InterfaceOffline, &["interface=lanA", "cause=restart"]);
    daemons[0].terminate();
    daemons[0].restart();
    lab.wait_moved(h1, h2, 'A', 'B');
    pause_ms(1000);
    assert!(h1.goes_by('B', h2.v4('A')) && h2.goes_by('B', h1.v4('A')), "it is still offline");
    meter.finish_unharmed();
    assert_eq!(h1.faildctl("online lanA").code, Some(0));
    lab.wait_home();
}

#[test]
fn it_expires_by_itself() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let daemons = lab.faild_everywhere("-r");
    assert_eq!(h1.faildctl("offline lanA --for 2s").code, Some(0));
    lab.wait_moved(h1, h2, 'A', 'B');
    daemons[0].wait_event(EventName::InterfaceOnline, &["interface=lanA cause=expired"]);
    lab.wait_home();
    let refused = h1.faildctl("online lanA");
    assert!(refused.errors.contains("lanA is not offline"), "{refused:?}");
}

#[test]
fn what_makes_no_sense_is_refused_in_a_line() {
    let lab = Lab::new(1, "AB");
    let h1 = lab.host(1);
    let _daemon = h1.faild("-r");
    wait_until("it answers", Duration::from_secs(20), || h1.faildctl("lans").text.contains("lanB"));
    for (command, words) in [
        ("offline eth9", "unknown LAN \"eth9\" (known: lanA, lanB)"),
        ("online eth9", "unknown LAN \"eth9\""),
        ("online lanA", "lanA is not offline"),
    ] {
        let refused = h1.faildctl(command);
        assert_eq!(refused.code, Some(1), "{command}: {refused:?}");
        assert!(refused.errors.contains(words) && refused.errors.lines().count() == 1, "{refused:?}");
    }
    assert_eq!(h1.faildctl("offline lanA").code, Some(0), "nobody hangs on it");
    let twice = h1.faildctl("offline lanA");
    assert_eq!(twice.code, Some(1));
    assert!(twice.errors.contains("lanA is already offline"), "{twice:?}");
    assert_eq!(h1.faildctl("offline lanA --for never").code, Some(64));
}
