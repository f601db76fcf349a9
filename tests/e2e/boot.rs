//! A host starts while one of its LANs is dead.

use crate::lab::{Lab, Loss};

#[test]
fn addresses_that_were_known_before_are_reachable_though_their_lan_is_dead_at_the_start() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let mut daemons = lab.faild_everywhere("-r");
    for daemon in &mut daemons {
        assert!(daemon.terminate().success());
    }
    lab.cut_lan('A', Loss::Silent);
    daemons.iter_mut().for_each(|daemon| daemon.restart());
    lab.wait_moved(h1, h2, 'A', 'B');
    lab.heal_lan('A');
    lab.wait_home();
}

#[test]
fn addresses_of_configured_peers_are_reachable_though_their_lan_is_dead_at_the_start() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    lab.cut_lan('A', Loss::Silent);
    let _daemons = [(h1, h2), (h2, h1)].map(|(here, there)| {
        let settings = here.configure(&there.as_peer());
        here.faild(&format!("-r {settings}"))
    });
    h1.wait_way('B', h2.v4('A'));
    h2.wait_way('B', h1.v4('A'));
    lab.heal_lan('A');
    lab.wait_home();
}
