//! Keys: who has one is heard, who has none is not, and a key can be changed while everything runs.

use crate::lab::{EventName, FAILD_UID, Host, Lab, Loss, Meter, Watch, pause_ms};

#[test]
fn hosts_with_the_same_key_keep_each_other_reachable() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let daemons = [h1, h2].map(|host| host.faild(&format!("-r {}", host.configure_keys(&[1]))));
    lab.settle(&daemons);
    let meter = Meter::on_lan('A', h1, h2);
    pause_ms(300);
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    pause_ms(300);
    meter.finish_after_failover();
    lab.heal_lan('A');
    lab.wait_home();
}

#[test]
fn hosts_with_another_key_or_none_are_not_believed() {
    let lab = Lab::new(3, "AB");
    let (h1, h2, h3) = (lab.host(1), lab.host(2), lab.host(3));
    let watches = lab.watch();
    let _others = [h2.faild(&format!("-r {}", h2.configure_keys(&[2]))), h3.faild("-r")];
    let keyed = h1.faild(&format!("-r {}", h1.configure_keys(&[1])));
    pause_ms(1500);
    lab.cut_lan('A', Loss::Silent);
    pause_ms(1500);
    assert!(keyed.dropped() > 0, "what was not believed is counted: {}", keyed.dump_state());
    assert_eq!(keyed.paths_lost(), 0);
    watches.iter().for_each(Watch::assert_nothing_moved);
}

#[test]
fn a_key_is_rolled_over_by_reloads_one_after_the_other() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let daemons = [h1, h2].map(|host| host.faild(&format!("-r {}", host.configure_keys(&[1]))));
    lab.settle(&daemons);
    let watches = lab.watch();
    // The new key last everywhere, then first everywhere, then alone.
    for keys in [[1, 2].as_slice(), &[2, 1], &[2]] {
        for index in 0..2 {
            daemons[index].host().configure_keys(keys);
            open_keys(daemons[index].host());
            let answer = daemons[index].host().faildctl("reload");
            assert!(answer.text.starts_with("reloaded: auth"), "{answer:?}");
            // What the next step takes for granted: each has heard the other by the new keys.
            pause_ms(500);
            lab.settle(&daemons);
        }
    }
    watches.iter().for_each(Watch::assert_nothing_moved);
    for daemon in &daemons {
        assert!(daemon.told(EventName::PeerDown).is_empty(), "no peer is lost meanwhile");
    }
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
}

/// Opens the key file to the user that faild runs as by then, in the way that the manual names.
fn open_keys(host: &Host) {
    let mend = format!("chgrp {FAILD_UID} {0} && chmod 640 {0}", host.file("keys").display());
    assert!(host.sh(&mend).status.success(), "{mend}");
}
