//! The address of an interface is changed under the daemon: its peers follow.

use std::net::IpAddr;

use crate::lab::{Family, Lab, Loss, pause_ms};

#[test]
fn peers_follow_an_address_that_is_changed() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let _daemons = lab.faild_everywhere("-r");
    let new: IpAddr = [10, 77, 1, 22].into();
    h2.ip(&format!("addr add {new}/24 dev lanA"));
    h2.ip(&format!("addr del {} dev lanA", h2.prefix('A', Family::V4)));
    // It was a secondary address, which goes along with the primary unless the sysctl says otherwise.
    h2.ip(&format!("addr replace {new}/24 dev lanA"));
    // The new address has to be announced and proven before it can be kept reachable.
    pause_ms(3000);
    lab.cut_lan('A', Loss::Silent);
    h1.wait_way('B', new);
    h2.wait_way('B', h1.v4('A'));
    assert!(h1.goes_by('A', h2.v4('A')), "the old address is nobody's");
    lab.heal_lan('A');
    lab.wait_home();
}

#[test]
fn an_overlay_of_an_address_that_is_withdrawn_is_lifted() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    h2.ip("addr add 10.77.1.22/24 dev lanA");
    let _daemons = lab.faild_everywhere("-r");
    pause_ms(2000);
    lab.cut_lan('A', Loss::Silent);
    h1.wait_way('B', h2.v4('A'));
    h1.wait_way('B', [10, 77, 1, 22].into());
    h2.ip("addr del 10.77.1.22/24 dev lanA");
    h1.wait_way('A', [10, 77, 1, 22].into());
    assert!(h1.goes_by('B', h2.v4('A')), "the other address stays where it works");
}
