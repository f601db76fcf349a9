//! Packets are lost at random: that is not a dead way.

use crate::lab::{Lab, Loss, Watch, pause_ms};

#[test]
fn nobody_moves_at_five_percent_loss() {
    let lab = Lab::new(3, "AB");
    let _daemons = lab.faild_everywhere("-r");
    let watches = lab.watch();
    for host in lab.hosts() {
        for lan in ['A', 'B'] {
            lab.cut(host, lan, Loss::Percent(5));
        }
    }
    pause_ms(20_000);
    watches.iter().for_each(Watch::assert_nothing_moved);
}
