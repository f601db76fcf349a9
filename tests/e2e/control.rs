//! faild can be asked how things are, by those who may, and nobody who asks keeps it from its work.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

use crate::lab::control::FAILDCTL;
use crate::lab::{EventName, Lab, Loss, wait_until};

#[test]
fn the_status_follows_a_failover_and_the_exit_status_tells_monitoring() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    assert_eq!(h1.faildctl("status").code, Some(3), "nothing runs");
    let daemons = [h1.faild("-r"), h2.faild("-r")];
    lab.settle(&daemons);
    let well = h1.faildctl("status");
    assert_eq!(well.code, Some(0), "{well:?}");
    assert!(well.text.starts_with("faild:  ok\n"), "{}", well.text);
    assert!(well.text.lines().all(|line| line.len() <= 80), "fits a terminal: {}", well.text);
    assert!(!well.text.contains('\x1b'), "no colour where there is no terminal");
    assert!(h1.faildctl("routes").text.contains("no overlays"));

    lab.cut_lan('A', Loss::Silent);
    let broken = h1.wait_faildctl("status", &["faild:  degraded", "lanA", "1 on a detour"]);
    assert_eq!(broken.code, Some(1), "{broken:?}");
    h1.wait_faildctl("routes", &["overlay", "10.77.1.2", "lanB"]);
    h1.wait_faildctl("peers", &["lanA", "down", "both moved", "uses lanB via"]);
    let json = h1.faildctl("--json lans");
    assert!(json.text.starts_with(r#"{"version":2,"lans":[{"interface":"lanA""#), "{}", json.text);
    let events = h1.faildctl("events");
    assert!(events.text.contains(EventName::PeerFailover.as_str()), "{}", events.text);

    lab.cut_lan('B', Loss::Silent);
    assert_eq!(h1.wait_faildctl("status", &["faild:  failed"]).code, Some(2));
    lab.heal_lan('A');
    lab.heal_lan('B');
    assert_eq!(h1.wait_faildctl("status", &["faild:  ok"]).code, Some(0));
}

#[test]
fn what_happens_is_told_while_it_happens() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let mut daemons = [h1.faild("-r"), h2.faild("-r")];
    lab.settle(&daemons);
    let mut command = h1.command(FAILDCTL);
    command.arg("--state-dir").arg(h1.state_dir()).args(["events", "-f", "--json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut follower = command.spawn().expect("cannot start faildctl");
    let lines = BufReader::new(follower.stdout.take().expect("its output is a pipe")).lines();
    lab.cut_lan('A', Loss::Silent);
    let failover = format!("\"event\":\"{}\"", EventName::PeerFailover);
    let mut told = lines.map_while(Result::ok).filter(|line| line.contains(&failover));
    assert!(told.next().is_some(), "the failover is told");
    daemons[0].terminate();
    wait_until("faildctl ends with the daemon", std::time::Duration::from_secs(20), || {
        matches!(follower.try_wait(), Ok(Some(_)))
    });
    let ended = follower.wait_with_output().expect("it has ended");
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert_eq!((ended.status.code(), errors.as_ref()), (Some(3), "faildctl: faild has exited\n"));
}

#[test]
fn only_root_and_the_group_may_ask() {
    let lab = Lab::new(1, "AB");
    let h1 = lab.host(1);
    let group = h1.file("group.toml");
    std::fs::write(&group, "control-group = \"adm\"\n").expect("cannot write");
    let _daemon = h1.faild(&format!("-r -c {}", group.display()));
    h1.wait_faildctl("status", &["lanA"]);
    let stranger = h1.faildctl_as("setpriv --reuid 65534 --regid 65534 --clear-groups", "status");
    assert_eq!(stranger.code, Some(3), "{stranger:?}");
    assert!(stranger.errors.contains("only root and the socket's group"), "{stranger:?}");
    let member = h1.faildctl_as("setpriv --reuid 65534 --regid 4 --clear-groups", "lans");
    assert!(member.text.contains("lanA"), "{member:?}");
    let refused = (0..20).any(|_| {
        let plan = h1.faildctl_as("setpriv --reuid 65534 --regid 4 --clear-groups", "plan --fail lanA");
        plan.code == Some(1) && plan.errors.contains("one plan per second")
    });
    assert!(refused, "whoever may read may not take the time of probes");
}

#[test]
fn a_hundred_ask_at_once_while_others_misbehave_and_nothing_moves() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let daemons = [h1.faild("-r"), h2.faild("-r")];
    lab.settle(&daemons);
    // Some ask again and again and never read, some send no end of a line, some send nonsense, some nothing.
    let hostile: Vec<_> = (0..20)
        .map(|n| {
            let mut stream = h1.connect_control();
            stream.set_nonblocking(true).expect("a socket can be nonblocking");
            let bytes: Vec<u8> = match n % 4 {
                0 => b"{\"version\":2,\"command\":\"peers\"}\n".repeat(2000),
                1 => vec![b'x'; 100_000],
                2 => b"\0\xff{}\n".repeat(1000),
                _ => Vec::new(),
            };
            let _ = stream.write(&bytes);
            stream
        })
        .collect();
    let mut clients: Vec<_> = (0..100).map(|_| h1.connect_control()).collect();
    for client in &mut clients {
        client.write_all(b"{\"version\":2,\"command\":\"status\"}\n").expect("the daemon listens");
    }
    for client in &mut clients {
        let mut answer = String::new();
        BufReader::new(client).read_line(&mut answer).expect("the daemon answers");
        assert!(answer.contains(r#""health":"ok""#), "{answer}");
    }
    drop(hostile);
    // One that sent no end of a line was told so and sent away.
    let mut endless = h1.connect_control();
    endless.write_all(&[b'x'; 5000]).expect("the daemon listens");
    let mut rest = String::new();
    let _ = endless.read_to_string(&mut rest);
    assert!(rest.contains("longer than 4096 bytes"), "{rest}");
    assert_eq!(daemons[0].told(EventName::PathDown), [""; 0]);
}
