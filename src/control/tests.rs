use super::*;

#[test]
fn a_request_is_the_line_that_the_manual_shows() {
    let request = Request::Events { after: Some(7), follow: true };
    let line = request.to_line();
    assert_eq!(line, r#"{"version":1,"command":"events","after":7,"follow":true}"#);
    assert_eq!(Request::from_line(line.as_bytes()), Ok(request));
    let short = br#"{"version":1,"command":"events"}"#;
    assert_eq!(Request::from_line(short), Ok(Request::Events { after: None, follow: false }));
}

#[test]
fn what_changes_something_is_known_as_that() {
    let offline =
        r#"{"version":1,"command":"offline","interface":"eth1","reason":"new switch","for_s":3600}"#;
    let request = Request::from_line(offline.as_bytes()).unwrap();
    assert!(request.is_change() && !Request::Why { destination: "x".to_owned() }.is_change());
    let Request::Offline { for_s, force, .. } = request else { panic!("{request:?}") };
    assert_eq!((for_s, force), (Some(3600), false));
    for line in
        [r#"{"version":1,"command":"failback"}"#, r#"{"version":1,"command":"online","interface":"e"}"#]
    {
        assert!(Request::from_line(line.as_bytes()).unwrap().is_change(), "{line}");
    }
}

#[test]
fn what_is_wrong_with_a_request_is_said() {
    for (line, kind, words) in [
        ("", RefusalKind::BadRequest, "not a line of JSON"),
        ("[1]", RefusalKind::BadRequest, "has no version"),
        (r#"{"command":"status"}"#, RefusalKind::BadRequest, "has no version"),
        (r#"{"version":2,"command":"status"}"#, RefusalKind::WrongVersion, "version 2 is not supported"),
        (r#"{"version":1,"command":"reboot"}"#, RefusalKind::BadRequest, "unknown variant `reboot`"),
        (r#"{"version":1,"command":"lans","x":1}"#, RefusalKind::BadRequest, "unknown field `x`"),
        (r#"{"version":1,"command":"routes","after":-1}"#, RefusalKind::BadRequest, "invalid value"),
    ] {
        let refusal = Request::from_line(line.as_bytes()).unwrap_err();
        assert_eq!(refusal.kind, kind, "{line}");
        assert!(refusal.message.contains(words), "{line}: {refusal}");
    }
}

#[test]
fn an_answer_survives_the_wire_and_new_fields() {
    let refusal = Refusal { kind: RefusalKind::NotFound, message: "no LAN eth9".to_owned() };
    let reply = Reply::Error(refusal);
    let line = reply.to_line();
    assert_eq!(line, r#"{"version":1,"error":{"kind":"not-found","message":"no LAN eth9"}}"#);
    assert_eq!(Reply::from_line(&line).unwrap(), reply);
    let newer = line.replace("}}", r#","advice":"look again"}}"#);
    assert_eq!(Reply::from_line(&newer).unwrap(), reply);
}

#[test]
fn answers_survive_the_wire_and_the_manual_has_every_member() {
    let manual = include_str!("../../man/faild-control.7");
    let words: Vec<&str> = manual.split_whitespace().collect();
    for reply in everything() {
        let line = reply.to_line();
        assert_eq!(Reply::from_line(&line).unwrap(), reply);
        let mut found = Vec::new();
        names(&serde_json::from_str(&line).unwrap(), &mut found);
        assert!(found.len() > 5, "{line}");
        for name in found.iter().filter(|name| *name != "version") {
            assert!(words.contains(&name.as_str()), "{name} is not in faild-control.7");
        }
    }
}

fn target() -> Target {
    Target {
        name: "gate".to_owned(),
        address: [192, 0, 2, 1].into(),
        method: Method::Echo,
        state: HopState::Works,
        missed: 0,
        good: 7,
        loss_percent: Some(0),
        round_trip_us: Some(420),
        answered_ms: Some(9),
    }
}

fn member_targets() -> MemberTargets {
    MemberTargets {
        group: "lan0".to_owned(),
        interface: "eth0".to_owned(),
        family: "ipv4".to_owned(),
        mode: Mode::Routes,
        test_address: Some([192, 0, 2, 11].into()),
        targets: vec![target()],
        bogus: 0,
    }
}

fn group() -> Group {
    let member = Member {
        interface: "eth0".to_owned(),
        state: MemberState::Offline,
        active: false,
        standby: false,
        inactive: false,
        duplicate_mac: false,
        no_data_address: false,
        link: Link::Up,
        probe: Probing::Disabled,
        stand_in: Some("eth1".to_owned()),
        offline: Some(Offline { reason: "x".to_owned(), since_ms: 1, until_ms: Some(2) }),
        addresses: vec![DataAddress { address: [192, 0, 2, 20].into(), up: true }],
    };
    let name = "lan0".to_owned();
    Group { name, state: GroupState::Degraded, detection_ms: Some(10_000), members: vec![member] }
}

fn destination() -> Destination {
    let hop = DestinationHop {
        interface: "eth0".to_owned(),
        via: Some([192, 0, 2, 1].into()),
        rank: 1,
        weight: 1,
        state: HopState::Works,
        in_use: true,
        reason: "works".to_owned(),
        penalty: 0.0,
        targets: vec![target()],
    };
    Destination {
        destination: "0.0.0.0/0".to_owned(),
        table: 254,
        reason: Reason { word: "moved".to_owned(), text: "x".to_owned() },
        overlay: Some("x".to_owned()),
        original: Some("x".to_owned()),
        trouble: Some("x".to_owned()),
        next_hops: vec![hop],
    }
}

fn everything() -> Vec<Reply> {
    let hop = NextHopTargets {
        destination: "::/0".to_owned(),
        table: 254,
        interface: "eth0".to_owned(),
        via: Some([192, 0, 2, 1].into()),
        targets: vec![target()],
    };
    let probe = Probe {
        number: 1,
        time_ms: 2,
        interface: "eth0".to_owned(),
        sequence: 3,
        target: [192, 0, 2, 1].into(),
        method: Method::Neighbour,
        round_trip_us: Some(1),
        average_us: Some(1),
        deviation_us: Some(1),
    };
    let reason = Reason { word: "member-works".to_owned(), text: "x".to_owned() };
    let account = GroupAccount { reason, group: group(), targets: vec![member_targets()] };
    let why = Why {
        destination: "::/0".to_owned(),
        kernel: KernelWay::Local {},
        route: None,
        rule: Some(destination()),
        group: Some(account),
        decision: None,
    };
    let page = Page { items: vec![], more: None };
    vec![
        Reply::Groups(vec![group()]),
        Reply::Targets(Targets { members: vec![member_targets()], next_hops: vec![hop] }),
        Reply::Probes(Probes { time_ms: 1, items: vec![probe] }),
        Reply::Routes(Routes { destinations: vec![destination()], page }),
        Reply::Why(Box::new(why)),
    ]
}

fn names(value: &serde_json::Value, found: &mut Vec<String>) {
    if let Some(object) = value.as_object() {
        found.extend(object.keys().cloned());
        object.values().for_each(|value| names(value, found));
    }
    value.as_array().into_iter().flatten().for_each(|value| names(value, found));
}

/// What is read is written as the same line again.
#[test]
fn mutated_requests_and_answers_are_refused_or_read_the_same_again() {
    let answers: Vec<Vec<u8>> = everything().iter().map(|reply| reply.to_line().into_bytes()).collect();
    crate::mutated::each_of("control", &answers, |bytes| {
        if let Ok(request) = Request::from_line(bytes) {
            assert_eq!(Request::from_line(request.to_line().as_bytes()), Ok(request));
        }
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        if let Ok(reply) = Reply::from_line(text) {
            let line = reply.to_line();
            assert_eq!(Reply::from_line(&line).unwrap().to_line(), line);
        }
    });
}
