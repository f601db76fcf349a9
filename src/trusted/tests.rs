use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};

use super::*;
use crate::scratch::{Scratch, needs_root};

impl Scratch {
    /// A directory of this owner and mode.
    fn directory(&self, name: &str, owner: u32, mode: u32) -> PathBuf {
        let path = self.at(name);
        fs::create_dir(&path).unwrap();
        chown(&path, Some(owner), Some(owner)).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    fn link(&self, name: &str, target: &Path, owner: u32) -> PathBuf {
        let path = self.at(name);
        symlink(target, &path).unwrap();
        lchown(&path, Some(owner), Some(owner)).unwrap();
        path
    }
}

fn trust() -> Trust {
    assert!(geteuid().is_root(), "run the tests as root");
    Trust::in_users([OURS], Some(OURS))
}

fn refused<T>(result: io::Result<T>) -> String {
    let Err(error) = result else { panic!("it was not refused") };
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}

#[test]
fn directories_of_root_and_of_our_user_are_believed_and_those_of_others_are_not() {
    needs_root!();
    let scratch = Scratch::new("trusted-owners");
    for (name, owner, mode) in [("root", 0, 0o755), ("ours", OURS, 0o755), ("group", OURS, 0o775)] {
        let path = scratch.directory(name, owner, mode);
        trust().directory(&path, None).unwrap();
        trust().file(&path.join("log"), LastLink::Follow).unwrap();
    }
    let theirs = scratch.directory("theirs", THEIRS, 0o755);
    for refusal in [
        refused(trust().directory(&theirs, None)),
        refused(trust().directory(&theirs.join("a/b"), Some(0o755))),
        refused(trust().file(&theirs.join("log"), LastLink::Follow)),
    ] {
        assert_eq!(
            refusal,
            format!(
                "{} belongs to user {THEIRS}; run chown root on it, or use a directory that belongs to root",
                theirs.display()
            )
        );
    }
    assert!(!theirs.join("a").exists(), "nothing is made there");
}

#[test]
fn what_everybody_may_write_is_refused_unless_it_is_sticky() {
    needs_root!();
    let scratch = Scratch::new("trusted-modes");
    let (open, sticky) = (scratch.directory("open", 0, 0o777), scratch.directory("sticky", 0, 0o1777));
    assert!(
        refused(trust().file(&open.join("log"), LastLink::Follow)).contains("open is writable by all users")
    );
    // Its mount point cannot be replaced, but what is in it can.
    let below = open.join("below");
    fs::create_dir(&below).unwrap();
    let text = refused(trust().directory(&below, Some(0o755)));
    assert!(
        text.ends_with("open is writable by all users; run chmod o-w on it, or use another directory"),
        "{text}"
    );
    fs::write(open.join("theirs"), "").unwrap();
    assert!(refused(trust().directory(&open, None)).contains("is writable by all users"));
    let place = trust().file(&sticky.join("log"), LastLink::Follow).unwrap();
    assert!(place.is_shared && place.found().is_none());
    trust().directory(&sticky.join("state"), Some(0o755)).unwrap();
    assert!(refused(trust().directory(&sticky, None)).contains("is writable by all users"), "as /tmp itself");
    // A group that may write, as to /var/log, could exchange a directory, but not what one open file is.
    let group = scratch.directory("group", 0, 0o775);
    chown(&group, None, Some(THEIRS)).unwrap();
    assert!(trust().file(&group.join("log"), LastLink::Follow).unwrap().is_shared);
    assert!(refused(trust().directory(&group.join("state"), Some(0o755))).contains("is writable by group"));
}

/// An emptyDir of Kubernetes, a tmpfs of Docker, a volume with an fsGroup; and the same after faild was given them.
#[test]
fn the_volume_of_a_container_is_made_safe_and_what_others_put_there_is_set_aside() {
    needs_root!();
    for (name, owner, mode) in [
        ("empty", 0, 0o777),
        ("a/faild", 0, 0o777),
        ("b/faild", 0, 0o1777),
        ("c/faild", 0, 0o2775),
        ("d/faild", OURS, 0o2775),
    ] {
        let scratch = Scratch::new("trusted-volumes");
        fs::create_dir_all(scratch.at(name).parent().unwrap()).unwrap();
        let path = scratch.directory(name, owner, mode);
        chown(&path, None, Some(THEIRS)).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        if name != "empty" {
            fs::write(path.join("journal"), "theirs").unwrap();
            chown(path.join("journal"), Some(THEIRS), None).unwrap();
        }
        fs::write(path.join("state.toml"), "ours").unwrap();
        let mode_of = || fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
        trust().check_directory(&path).unwrap();
        assert_eq!(mode_of(), mode, "{name}: a look changes nothing");
        trust().directory(&path, Some(0o755)).unwrap();
        assert_eq!(mode_of(), mode & !0o022, "{name}");
        assert!(path.join("state.toml").exists() && !path.join("journal").exists(), "{name}");
        assert_eq!(path.join("journal.bad").exists(), name != "empty");
        trust().directory(&path, None).unwrap();
    }
}

#[test]
fn a_directory_that_others_own_or_use_as_well_is_not_changed() {
    needs_root!();
    let scratch = Scratch::new("trusted-shared");
    for (name, owner, mode) in [("faild", THEIRS, 0o777), ("tmp", 0, 0o1777), ("used", 0, 0o777)] {
        let path = scratch.directory(name, owner, mode);
        if name == "used" {
            fs::write(path.join("letters"), "").unwrap();
        }
        refused(trust().check_directory(&path));
        refused(trust().directory(&path, Some(0o755)));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode, "{name}");
    }
}

#[test]
fn only_links_that_root_made_are_followed() {
    needs_root!();
    let scratch = Scratch::new("trusted-links");
    let target = scratch.directory("target", 0, 0o755);
    let good = scratch.link("good", &target, 0);
    trust().directory(&good, None).unwrap();
    let place = trust().file(&good.join("log"), LastLink::Follow).unwrap();
    place.open(OFlag::O_WRONLY | OFlag::O_CREAT, 0o600).unwrap();
    assert!(target.join("log").exists());
    let bad = scratch.link("bad", &target, THEIRS);
    for refusal in
        [refused(trust().directory(&bad, None)), refused(trust().file(&bad.join("log"), LastLink::Follow))]
    {
        assert!(refusal.contains("bad is a symbolic link not created by root"), "{refusal}");
    }
    // Our user could be the attacker as well: what he has made leads nowhere.
    let ours = scratch.directory("ours", OURS, 0o755);
    for owner in [OURS, 0] {
        let link = scratch.link(&format!("ours/{owner}"), &target.join("log"), owner);
        assert!(refused(trust().file(&link, LastLink::Follow)).contains("symbolic link not created by root"));
        let place = trust().file(&link, LastLink::Keep).unwrap();
        assert!(place.open(OFlag::O_RDONLY, 0).is_err(), "it is not followed by an open either");
    }
    drop(ours);
    let (one, other) = (scratch.at("one"), scratch.at("other"));
    scratch.link("one", &other, 0);
    scratch.link("other", &one, 0);
    assert!(
        refused(trust().file(&one, LastLink::Follow)).contains("symbolic links"),
        "they lead to each other"
    );
}

#[test]
fn dangling_links_and_dots_lead_where_they_say() {
    needs_root!();
    let scratch = Scratch::new("trusted-dots");
    let target = scratch.directory("target", 0, 0o755);
    scratch.link("dangling", Path::new("target/../target/./new"), 0);
    let place = trust().file(&scratch.at("dangling"), LastLink::Follow).unwrap();
    place.open(OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL, 0o600).unwrap();
    assert!(target.join("new").exists());
    trust().directory(Path::new("/"), None).unwrap();
    let missing = refused(trust().file(&scratch.at("nowhere/log"), LastLink::Follow));
    assert_eq!(missing, format!("{}: No such file or directory", scratch.at("nowhere").display()));
    fs::write(scratch.at("file"), "").unwrap();
    assert!(
        refused(trust().file(&scratch.at("file/log"), LastLink::Follow)).ends_with("file: Not a directory")
    );
}

#[test]
fn files_of_others_and_files_with_two_names_are_refused() {
    needs_root!();
    let scratch = Scratch::new("trusted-files");
    let sticky = scratch.directory("sticky", 0, 0o1777);
    let check = |path: &Path| trust().check_file(path);
    let (theirs, twin, good) = (sticky.join("theirs"), sticky.join("twin"), sticky.join("good"));
    for path in [&theirs, &twin, &good] {
        fs::write(path, "").unwrap();
    }
    chown(&theirs, Some(THEIRS), None).unwrap();
    fs::hard_link(&twin, scratch.at("twin")).unwrap();
    assert!(refused(check(&theirs)).contains(&format!("theirs belongs to user {THEIRS}; remove it")));
    assert!(refused(check(&twin)).contains("has a second hard link"));
    check(&good).unwrap();
    check(&scratch.at("twin")).unwrap();
}

#[test]
fn links_of_the_kernel_lead_to_what_is_open() {
    needs_root!();
    let scratch = Scratch::new("trusted-magic");
    let file = fs::File::create(scratch.at("file")).unwrap();
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
    let place = trust().file(Path::new(&path), LastLink::Follow).unwrap();
    assert_eq!(place.found().map(kind), Some(SFlag::S_IFREG));
    place.open(OFlag::O_WRONLY, 0).unwrap();
}

#[test]
fn who_is_not_root_is_refused_nothing() {
    needs_root!();
    let scratch = Scratch::new("trusted-plain");
    let theirs = scratch.directory("theirs", THEIRS, 0o777);
    let everybody = Trust { owners: None, group: None };
    everybody.directory(&theirs, None).unwrap();
    let link = scratch.link("link", &theirs, THEIRS);
    everybody.file(&link.join("log"), LastLink::Follow).unwrap();
}

const OURS: u32 = 64_029;
const THEIRS: u32 = 12_345;
