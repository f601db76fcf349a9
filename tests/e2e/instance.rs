//! One instance a network namespace.

use crate::lab::Lab;

#[test]
fn a_second_instance_is_refused_with_the_pid_of_the_first() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let mut daemons = [h1.faild("-r"), h2.faild("-r")];
    lab.settle(&daemons);
    let second = h1.run_faild(&format!("-r -i lanA --state-dir {}", h1.file("other").display()));
    assert_eq!(second.code, Some(1), "{}", second.errors);
    assert!(second.errors.contains(&daemons[0].pid().to_string()), "{}", second.errors);
    assert_eq!(second.errors.trim().lines().count(), 1, "one line: {}", second.errors);
    assert!(daemons[0].is_running());
    // The pid of a dead one keeps nobody from starting.
    daemons[0].kill();
    daemons[0].restart();
    lab.settle(&daemons);
}
