//! Hooks are told of changes, in order, without rights, and never hold up faild.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::time::Duration;

use crate::lab::{EventName, FAILD_UID, Family, Host, Lab, Loss, told, wait_until};

#[test]
fn a_hook_is_told_what_was_lost_and_regained() {
    let lab = Lab::new(3, "AB");
    let (h1, h2, h3) = (lab.host(1), lab.host(2), lab.host(3));
    let told = Told::at(h1);
    let hook = told
        .script("read -r json; echo \"$FAILD_EVENT ${FAILD_INTERFACE-} ${FAILD_PEER_NAME-} $json\" >>TOLD");
    let settings = format!("{}[[hook]]\ncommand = [\"{}\"]\n", h2.as_peer(), hook.display());
    let mut daemons = [h1.faild(&format!("-r {}", h1.configure(&settings))), h2.faild("-r"), h3.faild("-r")];
    lab.settle(&daemons);
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    for event in ["lan-down lanA ", "redundancy-lost ", "peer-failover  h2 "] {
        let line = told.wait(event);
        assert!(
            line.contains(&format!("\"event\":\"{}\"", event.split(' ').next().unwrap_or_default())),
            "{line}"
        );
        assert!(line.contains("{\"version\":1,") && line.ends_with('}'), "{line}");
    }
    lab.heal_lan('A');
    lab.wait_home();
    for event in ["lan-up lanA ", "redundancy-restored ", "peer-failback  h2 "] {
        told.wait(event);
    }
    assert!(daemons[1].terminate().success());
    told.wait("peer-down  h2 ");
    daemons[1].restart();
    told.wait("peer-up  h2 ");
    assert_ne!(daemons[0].told(EventName::RedundancyLost), [""; 0], "the log has it as well");
    let events: Vec<String> =
        told.lines().iter().filter_map(|l| l.split(' ').next().map(str::to_owned)).collect();
    for (lost, regained) in
        [("lan-down", "lan-up"), ("peer-failover", "peer-failback"), ("peer-down", "peer-up")]
    {
        let place = |event| events.iter().position(|e| e == event);
        assert!(place(lost) < place(regained), "{events:?}");
    }
    assert!(daemons[0].told(EventName::HookFailed).is_empty(), "{}", daemons[0].log());
}

#[test]
fn a_hook_has_no_rights_and_nothing_of_ours_but_the_message() {
    let lab = Lab::new(2, "AB");
    let h1 = lab.host(1);
    let told = Told::at(h1);
    let hook = told.script(
        "echo \"$1\" $(id -u) $(grep -E '^(CapPrm|CapBnd|CapAmb|NoNewPrivs|SigBlk)' /proc/self/status) >>TOLD\n\
         echo names $(env | cut -d= -f1 | sort) >>TOLD\n\
         echo files $(ls -l /proc/$$/fd | sed s/.*-..//) >>TOLD",
    );
    let settings = format!(
        "[[hook]]\ncommand = [\"{}\", \"a b; $(id) *\"]\nevents = [\"peer-failover\"]\n",
        hook.display()
    );
    let daemons = [
        h1.faild_in(
            &[("NOTIFY_SOCKET", "/nonexistent"), ("SECRET", "1")],
            &format!("-r {}", h1.configure(&settings)),
        ),
        lab.host(2).faild("-r"),
    ];
    lab.settle(&daemons);
    lab.cut_lan('A', Loss::Silent);
    let none = "0000000000000000";
    assert_eq!(
        told.wait("a b;"),
        format!(
            "a b; $(id) * {FAILD_UID} SigBlk: {none} CapPrm: {none} CapBnd: {none} CapAmb: {none} \
             NoNewPrivs: 1"
        )
    );
    assert_eq!(
        told.wait("names"),
        "names FAILD_EVENT FAILD_NODE FAILD_PEER FAILD_PEERS FAILD_PEER_ADDRESSES FAILD_TIME PATH PWD"
    );
    let files = told.wait("files");
    // Whoever started faild may have left it files; its sockets, timers and signals are its own.
    assert!(!files.contains("socket:") && !files.contains("anon_inode:"), "{files}");
}

#[test]
fn a_hook_that_hangs_and_reads_nothing_is_ended_with_its_children_and_holds_up_nothing() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let told = Told::at(h1);
    let hook = told.script("sleep 1000 & echo child $! >>TOLD; sleep 1000");
    let settings = format!("[[hook]]\ncommand = [\"{}\"]\ntimeout = \"300ms\"\n", hook.display());
    let daemons = [h1.faild(&format!("-r {}", h1.configure(&settings))), h2.faild("-r")];
    lab.settle(&daemons);
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    lab.heal_lan('A');
    lab.wait_home();
    let line = daemons[0].wait_event(EventName::HookFailed, &["timed out"]);
    assert!(line.contains("failures=1"), "{line}");
    wait_until("the children are gone", PATIENCE, || {
        let pids = told.lines().into_iter().filter_map(|line| line.strip_prefix("child ").map(str::to_owned));
        let is_alive = |pid: String| !["", "Z", "X"].contains(&state_of(&pid).as_str());
        !pids.into_iter().any(is_alive)
    });
    wait_until("all changes were told", PATIENCE, || {
        daemons[0].dump_state().lines().rev().any(|l| l.contains("dump-hooks running=0 waiting=0 dropped=0"))
    });
    let failures = daemons[0].told(EventName::HookFailed).len();
    assert_eq!(failures, 1, "one line a minute: {}", daemons[0].log());
}

#[test]
fn what_a_hook_says_is_in_the_log_as_far_as_that_can_bear_it() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let heard = Told::at(h1);
    let hook =
        heard.script("echo begins >/dev/stderr; yes '\"no\"' | head -n 100000 >&2; echo $FAILD_EVENT >>TOLD");
    let settings = format!(
        "[[hook]]\ncommand = [\"{}\"]\nevents = [\"peer-failover\", \"peer-failback\"]\n",
        hook.display()
    );
    let daemons = [h1.faild(&format!("-r {}", h1.configure(&settings))), h2.faild("-r")];
    lab.settle(&daemons);
    lab.cut_lan('A', Loss::Silent);
    heard.wait("peer-failover");
    lab.heal_lan('A');
    heard.wait("peer-failback");
    let line = daemons[0].wait_event(EventName::HookOutput, &[]);
    assert!(line.ends_with("text=\"begins\""), "{line}");
    let log = daemons[0].log();
    let (says, cut) = (told(&log, EventName::HookOutput), told(&log, EventName::HookOutputTruncated));
    let no = says.iter().filter(|line| line.contains("text=\"'no'\"")).count();
    assert_eq!((says.len(), no, cut.len()), (32, 31, 1), "{log}");
}

#[test]
fn a_later_change_of_a_thing_waits_for_the_earlier() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let told = Told::at(h1);
    // The first one takes longer than the LAN needs to come back.
    let hook = told.script(
        "echo begins $FAILD_EVENT >>TOLD\n\
         [ $FAILD_EVENT != peer-failover ] || while ! [ -e TOLD.go ]; do sleep 0.05; done\n\
         echo ends $FAILD_EVENT >>TOLD",
    );
    let settings = format!(
        "[[hook]]\ncommand = [\"{}\"]\nevents = [\"peer-failover\", \"peer-failback\"]\n",
        hook.display()
    );
    let daemons = [h1.faild(&format!("-r {}", h1.configure(&settings))), h2.faild("-r")];
    lab.settle(&daemons);
    lab.cut_lan('A', Loss::Silent);
    told.wait("begins peer-failover");
    lab.heal_lan('A');
    wait_until("the later change waits", PATIENCE, || {
        daemons[0].dump_state().contains("running=1 waiting=1")
    });
    fs::write(told.file.with_extension("go"), "").expect("cannot write");
    told.wait("ends peer-failback");
    assert_eq!(
        told.lines(),
        ["begins peer-failover", "ends peer-failover", "begins peer-failback", "ends peer-failback"]
    );
}

#[test]
fn where_faild_is_root_a_hook_is_not_unless_it_is_told_to_be() {
    let lab = Lab::new(2, "AB");
    let h1 = lab.host(1);
    let passwd = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n";
    let cases = [("", "", "65534"), ("--user root", "user = \"root\"\n", "0")];
    for (number, (flags, user, uid)) in cases.into_iter().enumerate() {
        h1.set_users(passwd);
        let told = Told::at(h1);
        let hook = told.script(&format!("echo run{number} $(id -u) $(id -G) >>TOLD"));
        let settings =
            format!("[[hook]]\ncommand = [\"{}\"]\nevents = [\"peer-failover\"]\n{user}", hook.display());
        fs::write(h1.file("log"), "").expect("cannot empty the log");
        fs::write(lab.host(2).file("log"), "").expect("cannot empty the log");
        let daemons = [h1.faild(&format!("-r {flags} {}", h1.configure(&settings))), lab.host(2).faild("-r")];
        lab.settle(&daemons);
        lab.cut_lan('A', Loss::Silent);
        assert_eq!(told.wait(&format!("run{number}")), format!("run{number} {uid} {uid}"));
        lab.heal_lan('A');
        lab.wait_home();
    }
}

#[test]
fn a_hook_of_another_user_takes_a_faild_that_stays_root() {
    let lab = Lab::new(1, "A");
    let h1 = lab.host(1);
    let flags = h1.configure("[[hook]]\ncommand = [\"/bin/true\"]\nuser = \"root\"\n");
    let refused = h1.run_faild(&flags);
    assert_eq!(refused.code, Some(78));
    assert!(refused.errors.contains("requires user = \"root\" at the top"), "{}", refused.errors);
}

#[test]
fn a_hook_that_is_not_there_is_told_at_the_start_and_once_more() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let settings = "[[hook]]\ncommand = [\"/nonexistent/hook\"]\n";
    let daemons = [h1.faild(&format!("-r {}", h1.configure(settings))), h2.faild("-r")];
    lab.settle(&daemons);
    daemons[0].wait_event(EventName::ConfigWarning, &["hook /nonexistent/hook does not exist"]);
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    daemons[0].wait_event(EventName::HookFailed, &["cannot start: No such file"]);
}

/// Its name is a command to a shell, begins with a quote, and looks like a key and a value.
const AWKWARD: &str = "\"b;$(id)=é";

#[test]
fn whatever_an_interface_is_called_is_only_its_name() {
    let lab = Lab::new(3, "AB");
    let (h1, h2, h3) = (lab.host(1), lab.host(2), lab.host(3));
    h1.ip("link set lanB down");
    h1.ip(&format!("link set lanB name {AWKWARD}"));
    h1.ip(&format!("link set {AWKWARD} up"));
    h1.ip(&format!("addr replace {} dev {AWKWARD}", h1.prefix('B', Family::V6)));
    let told = Told::at(h1);
    let hook = told.script("read -r json; echo \"$FAILD_EVENT $FAILD_INTERFACE $json\" >>TOLD");
    let settings = format!("[[hook]]\ncommand = [\"{}\"]\nevents = [\"lan-down\"]\n", hook.display());
    let timing = "-t 50ms -f 3 -s 5 -v -r -i lanA";
    let daemons = [
        h1.faild_with(&format!("{timing} -i {AWKWARD} {}", h1.configure(&settings))),
        h2.faild("-r"),
        h3.faild("-r"),
    ];
    lab.settle(&daemons);
    // What would be done is told as a command that a shell takes as it is meant.
    let plan = h1.faildctl("plan --fail lanA");
    let command = plan.text.lines().find(|line| line.contains("$(id)")).expect(&plan.text);
    let word = command.split_whitespace().find(|word| word.contains("$(id)")).unwrap_or_default();
    let said = h1.command("bash").args(["-c", &format!("printf %s {word}")]).output().expect("no bash");
    assert_eq!(String::from_utf8_lossy(&said.stdout), AWKWARD, "{command}");
    let lans = h1.faildctl("--json lans").text;
    let lans: serde_json::Value = serde_json::from_str(&lans).expect(&lans);
    assert_eq!(lans["lans"][1]["interface"], AWKWARD);
    lab.cut_lan('B', Loss::Silent);
    let line = told.wait("lan-down ");
    let json = line.strip_prefix(&format!("lan-down {AWKWARD} ")).expect(&line);
    let json: serde_json::Value = serde_json::from_str(json).expect(json);
    assert_eq!(json["interface"], AWKWARD);
    daemons[0].wait_event(EventName::LanDown, &[&format!("interface={AWKWARD} ")]);
    let events = h1.wait_faildctl("--json events", &[&format!("\"{}\"", EventName::LanDown)]).text;
    let events: serde_json::Value = serde_json::from_str(&events).expect(&events);
    let events = events["events"].as_array().cloned().unwrap_or_default();
    let silent =
        events.iter().find(|event| event["event"] == EventName::LanDown.as_str()).expect("no such event");
    assert_eq!(silent["fields"]["interface"], AWKWARD);
    assert!(silent["fields"]["cause"].is_string(), "{silent}");
    for family in h1.families() {
        h1.wait_way('A', h2.address('B', *family));
    }
    lab.heal_lan('B');
    lab.wait_home();
}

#[test]
fn a_dry_run_runs_no_hook() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let settings = "[[hook]]\ncommand = [\"/nonexistent/hook\"]\n";
    let daemons = [h1.faild(&format!("-r --dry-run {}", h1.configure(settings))), h2.faild("-r")];
    daemons[0].wait_hears(&[h2]);
    lab.cut_lan('A', Loss::Silent);
    daemons[0].wait_event(EventName::RedundancyLost, &[]);
    assert!(!daemons[0].dump_state().contains("dump-hook"), "{}", daemons[0].log());
}

/// What hooks have written down.
struct Told {
    file: PathBuf,
}

impl Told {
    /// In a directory that everybody may write to.
    fn at(host: &Host) -> Self {
        let directory = host.file("told");
        fs::create_dir_all(&directory).expect("cannot make a directory");
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).expect("cannot chmod");
        chown(&directory, Some(FAILD_UID), None).expect("cannot chown");
        let file = directory.join("lines");
        let _ = fs::remove_file(&file);
        Self { file }
    }

    /// A shell script; `TOLD` in it is the file.
    fn script(&self, body: &str) -> PathBuf {
        let path = self.file.with_extension("sh");
        let body = body.replace("TOLD", &self.file.to_string_lossy());
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("cannot write the script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("cannot chmod");
        path
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(&self.file).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Waits for a line that begins so.
    #[track_caller]
    fn wait(&self, start: &str) -> String {
        let mut found = None;
        wait_until(&format!("a hook writes {start:?}"), PATIENCE, || {
            found = self.lines().into_iter().find(|line| line.starts_with(start));
            found.is_some()
        });
        found.unwrap_or_default()
    }
}

fn state_of(pid: &str) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").map(|(_, rest)| rest.chars().take(1).collect()).unwrap_or_default()
}

const PATIENCE: Duration = Duration::from_secs(20);
