//! `why` says what happens, why, and what must happen before it ends.

use crate::lab::{Lab, Loss};

#[test]
fn a_detour_is_explained_from_the_kernel_to_the_last_clean_slot() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    h1.ip("route add 10.99.0.0/24 via 10.77.1.2");
    let daemons = [h1.faild("-r"), h2.faild("-r")];
    lab.settle(&daemons);
    let home = h1.faildctl("why 10.77.1.2");
    assert_eq!(home.code, Some(0), "{home:?}");
    for words in ["through lanA", "the home path lanA is up", "home, in use", "evidence"] {
        assert!(home.text.contains(words), "{words}: {}", home.text);
    }
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    for destination in ["10.77.1.2", "10.99.0.0/24", "10.99.0.7"] {
        let words = [
            "through lanB via 10.77.2.2",
            "lanA is down (",
            "stays on lanB via 10.77.2.2 until:",
            "5 clean slots (0 so far)",
            "the peer reports this path down",
            "detour, in use",
        ];
        h1.wait_faildctl(&format!("why {destination}"), &words);
    }
    let route = h1.faildctl("why 10.99.0.7").text;
    assert!(route.contains("overlay:") && route.contains("10.99.0.0/24 via 10.77.1.2 dev lanA"), "{route}");
    let json = h1.faildctl("why 10.77.1.2 --json").text;
    assert!(json.contains(r#""word":"good-slots""#), "{json}");
    lab.heal_lan('A');
    lab.wait_home();
    h1.wait_faildctl("why fd77:1::2", &["the home path lanA is up"]);
}

#[test]
fn policy_and_penalty_are_named_and_failback_is_a_command() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let settings = "[failback]\npolicy = \"manual\"\n";
    let daemons = [
        h1.faild(&format!("-r {}", h1.configure(settings))),
        h2.faild(&format!("-r {}", h2.configure(settings))),
    ];
    lab.settle(&daemons);
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    lab.heal_lan('A');
    h1.wait_faildctl(
        "why 10.77.1.2",
        &["failback is manual: run faildctl failback", "the peer is not ready"],
    );
    assert_eq!(h2.faildctl("failback").code, Some(0));
    assert_eq!(h1.faildctl("failback").code, Some(0));
    lab.wait_home();
}

#[test]
fn what_faild_does_not_know_is_the_kernels() {
    let lab = Lab::new(1, "AB");
    let h1 = lab.host(1);
    let _daemon = h1.faild("-r");
    h1.wait_faildctl("why 10.77.0.1", &["an address of this host", "the kernel alone decides"]);
    let nowhere = h1.faildctl("why 203.0.113.7");
    assert!(nowhere.text.contains("rejected by the kernel"), "{nowhere:?}");
    let nonsense = h1.faildctl("why here");
    assert_eq!(nonsense.code, Some(1));
    assert!(nonsense.errors.contains("\"here\" is not an address or prefix"), "{nonsense:?}");
}
