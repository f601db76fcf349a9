use super::*;
use crate::config::FaultKind;
use crate::scratch::needs_root;

#[test]
fn lans_named_by_flag_replace_the_files_and_keep_their_settings() {
    let mut draft = draft("[[lan]]\ninterface = \"a\"\nipv6 = false\n[[lan]]\ninterface = \"b\"\n");
    draft.set_lans(&names(&["c", "a"]));
    let loaded = draft.finish().unwrap();
    assert_eq!(loaded.config.lans, [LanConfig::new("c"), LanConfig { ipv6: false, ..LanConfig::new("a") }]);
}

#[test]
fn the_same_interface_twice_is_refused_wherever_it_stands() {
    let file = draft("[[lan]]\ninterface = \"a\"\n[[lan]]\ninterface = \"a\"\n");
    assert_eq!(texts(file), ["f.toml: line 3: interface a is listed twice; remove one"]);

    let mut flags = draft("");
    flags.set_lans(&names(&["a", "b", "a"]));
    assert_eq!(texts(flags), ["interface a is listed twice; remove one"]);

    let mut both = draft("exclude = [\"a\"]\n");
    both.set_lans(&names(&["a", "b"]));
    assert_eq!(
        texts(both),
        ["f.toml: line 1: interface a is both excluded and configured as a LAN; remove one"]
    );

    let mut twice = draft("");
    twice.add_exclude(&names(&["a", "a"]));
    assert_eq!(texts(twice), ["interface a is excluded twice; remove one"]);

    let mut harmless = draft("exclude = [\"a\"]\n");
    harmless.add_exclude(&names(&["a"]));
    assert_eq!(harmless.finish().unwrap().config.exclude, ["a", "a"]);
}

#[test]
fn four_lans_are_the_most_and_one_is_a_warning() {
    for (count, faults, warnings) in [(0, 0, 0), (1, 0, 1), (2, 0, 0), (4, 0, 0), (5, 1, 0), (9, 1, 0)] {
        let mut draft = draft("");
        draft.set_lans(&(0..count).map(|n| format!("eth{n}")).collect::<Vec<_>>());
        match draft.finish() {
            Ok(loaded) => assert_eq!((faults, warnings), (0, loaded.warnings.len()), "{count}"),
            Err(found) => assert_eq!(faults, found.list.len(), "{count}"),
        }
    }
}

#[test]
fn peers_share_neither_names_nor_addresses() {
    let text = "[[peer]]\nname = \"a\"\naddresses = [\"10.0.0.1\"]\n\
                [[peer]]\nname = \"a\"\naddresses = [\"10.0.0.2\"]\n\
                [[peer]]\nname = \"b\"\naddresses = [\"10.0.0.1\"]\n";
    assert_eq!(
        texts(draft(text)),
        [
            "f.toml: line 4: peer name a is used twice; rename one",
            "f.toml: line 7: address 10.0.0.1 belongs to peer a and to peer b; remove it from one",
        ]
    );
}

#[test]
fn a_lan_where_nothing_is_probed_is_a_warning() {
    let text = "requestor = true\n[[lan]]\ninterface=\"a\"\nbroadcast=false\n[[lan]]\ninterface=\"b\"\n";
    let loaded = draft(text).finish().unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].contains("nothing is probed"), "{:?}", loaded.warnings);
}

#[test]
fn a_log_that_the_host_refuses_is_of_the_environment() {
    for (log, kind, text) in [
        ("/", FaultKind::Setting, "is a directory"),
        ("/nonexistent/faild.log", FaultKind::Environment, "cannot be created: /nonexistent:"),
        ("/dev/null/faild.log", FaultKind::Environment, "cannot be reached: "),
    ] {
        let mut draft = draft("");
        draft.set_log(PathBuf::from(log));
        let fault = draft.finish().unwrap_err().list.remove(0);
        assert_eq!((fault.kind, fault.to_string().contains(text)), (kind, true), "{fault}");
    }
}

#[test]
fn a_log_that_another_user_could_lead_elsewhere_is_refused() {
    needs_root!();
    let directory = std::env::temp_dir().join(format!("faild-draft-{}.d", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    std::os::unix::fs::chown(&directory, Some(12_345), None).unwrap();
    let mut draft = draft("");
    draft.set_log(directory.join("log"));
    let fault = draft.finish().unwrap_err().list.remove(0);
    std::fs::remove_dir(&directory).unwrap();
    assert_eq!(fault.kind, FaultKind::Environment);
    assert!(fault.to_string().contains("belongs to user 12345; run chown root on it"), "{fault}");
}

#[test]
fn a_pipe_as_log_is_a_warning() {
    let pipe = std::env::temp_dir().join(format!("faild-draft-{}.pipe", std::process::id()));
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut draft = draft("");
    draft.set_log(pipe.clone());
    let warnings = draft.finish().unwrap().warnings;
    std::fs::remove_file(&pipe).unwrap();
    assert!(
        warnings.len() == 1 && warnings[0].contains("is a pipe: faild starts only while"),
        "{warnings:?}"
    );
}

#[test]
fn checking_a_log_creates_nothing() {
    let log = std::env::temp_dir().join(format!("faild-draft-{}.log", std::process::id()));
    let mut draft = draft("");
    draft.set_log(log.clone());
    assert_eq!(draft.finish().unwrap().config.log.as_ref(), Some(&log));
    assert!(!log.exists());
}

#[test]
fn the_first_fault_and_how_to_see_the_others() {
    let faults = draft("port = 0\nmissed = 0\ngood = 0\n").finish().unwrap_err();
    assert_eq!(
        faults.to_string(),
        "f.toml: line 1: port = 0 is below 1; raise it, or remove the line to use 64029; and 2 more: run faild --check"
    );
}

#[test]
fn a_file_must_be_text_of_a_sensible_size() {
    let path = std::env::temp_dir().join(format!("faild-draft-{}.toml", std::process::id()));
    std::fs::write(&path, b"port = 1\nlog = \"\xff\"\n").unwrap();
    let first = Draft::from_file(Some(&path)).finish().unwrap_err().list.remove(0);
    assert_eq!(first.origin, Origin::line(&path, 2));
    std::fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
    let long = Draft::from_file(Some(&path)).finish().unwrap_err();
    assert!(long.to_string().contains("longer than 1 MiB"), "{long}");
    std::fs::write(&path, "").unwrap();
    let loaded = Draft::from_file(Some(&path)).finish().unwrap();
    assert_eq!((loaded.config, loaded.file.as_ref()), (Config::default(), Some(&path)));
    std::fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let pipe = Draft::from_file_at_once(Some(&path)).finish().unwrap_err();
    assert!(pipe.to_string().contains("cannot be used: it is a pipe, not a regular file"), "{pipe}");
    let writer = path.clone();
    let writer = std::thread::spawn(move || std::fs::write(writer, "port = 7\n").unwrap());
    assert_eq!(Draft::from_file(Some(&path)).finish().unwrap().config.port, 7, "a start reads a pipe");
    writer.join().unwrap();
    std::fs::remove_file(&path).unwrap();
    let absent = Draft::from_file(Some(&path)).finish().unwrap_err();
    assert!(absent.to_string().contains("cannot be read"), "{absent}");
}

fn draft(text: &str) -> Draft {
    Draft::from_text(Path::new("f.toml"), text)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn texts(draft: Draft) -> Vec<String> {
    draft.finish().unwrap_err().list.iter().map(ToString::to_string).collect()
}

/// Every fault is one line that can be shown on a terminal.
#[test]
fn mutated_settings_are_refused_in_plain_lines_or_taken() {
    crate::mutated::each_of("settings", &[], |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let mut draft = draft(text);
        // No name server is asked.
        draft.keep_names(&Config::default());
        if let Err(faults) = draft.finish() {
            for fault in faults.list {
                assert!(!fault.to_string().contains(char::is_control), "{fault:?}");
            }
        }
    });
}
