//! The privileges of faild: checked at startup, so that a lack of them is one error and not one per socket; those that
//! are not needed are dropped before the first packet is read.
//!
//! ```text
//! root --> user faild --+--> CAP_NET_ADMIN  routes, addresses, neighbours, receive buffers
//!   \                   |    CAP_NET_RAW    ARP and ND, and sockets bound to interfaces, also to later ones
//!    \-> stays root ----+    CAP_NET_BIND_SERVICE, only if the port is below 1024
//!                       |    CAP_SETUID, CAP_SETGID, CAP_KILL, only for root with hooks, which run as others
//! ```
//!
//! No program that faild starts gets any privilege that faild does not have (no-new-privs), and it gets no capability
//! unless faild stays root. If faild is not started as root, as under systemd, it keeps its user.
//!
//! faild has no seccomp filter of its own: hooks, which can be any program, would inherit it, and the list of system
//! calls that a libc makes changes with the libc. The systemd unit has one, in terms of systemd's groups, which the
//! distribution keeps in step with its libc.

mod places;

use anyhow::{Context, bail};
use log::{info, warn};
use nix::errno::Errno;
use nix::unistd::{Gid, Uid, geteuid, setgroups, setresgid, setresuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_keep_capabilities, set_no_new_privs,
};

use crate::config::account::{Account, make_command};
use crate::config::{Config, DEFAULT_USER, HookConfig, key_file};
use crate::plain_file::{self, Links};
use crate::trusted::Trust;

pub(super) use places::prepare;

/// Checks for the required capabilities.
///
/// # Errors
///
/// One line with the fix.
pub(super) fn check(config: &Config) -> anyhow::Result<()> {
    let missing = needed(config).difference(held()?);
    if missing.is_empty() {
        return Ok(());
    }
    bail!("insufficient privileges: {} missing; start faild as root", names(missing).join(" and "))
}

/// Drops privileges that are not needed. From now on this process runs as the configured user, and files that it writes
/// belong to that user. To be called while there is one thread: capabilities belong to threads.
///
/// # Errors
///
/// The kernel refuses something that it should allow, in one line with the fix.
pub(super) fn drop_rights(config: &Config, trust: &Trust) -> anyhow::Result<()> {
    let held = held()?;
    let choice = choose(&config.user, geteuid().is_root(), held, Account::find);
    if let (Some(account), false) = (choice.account(), config.dry_run) {
        places::hand_over(config, account, trust);
    }
    let mut kept = needed(config);
    match &choice {
        Choice::Become(account) => become_user(account, kept).with_context(|| {
            format!("cannot switch to user {}; fix that, or stay root with --user root", account.name)
        })?,
        Choice::StayRoot { .. } => {
            if !config.hooks.is_empty() {
                kept |= TO_RUN_AS_OTHERS.intersection(held);
            }
            limit(kept, kept).context("cannot drop capabilities")?;
        }
        Choice::StayUser { .. } => {
            limit(kept, CapabilitySet::empty()).context("cannot drop capabilities")?;
        }
    }
    choice.tell(kept);
    check_key_file(config);
    Ok(())
}

/// A warning for hooks that were added by a reload and cannot run before the next start.
pub(super) fn hooks_that_wait(config: &Config) -> Option<String> {
    let held = held().ok()?;
    waits(&config.hooks, geteuid().is_root(), held).then(|| {
        "[[hook]] takes effect at the next start: faild started as root without hooks, and has dropped the privileges \
         to run one as another user"
            .to_owned()
    })
}

/// Hooks of root run like faild itself.
fn waits(hooks: &[HookConfig], is_root: bool, held: CapabilitySet) -> bool {
    let runs_as_another = |hook: &HookConfig| hook.user.as_deref() != Some("root");
    is_root && !held.contains(TO_RUN_AS_OTHERS) && hooks.iter().any(runs_as_another)
}

/// The keys have been read; to read them again, the user that faild runs as from now on must be able to.
fn check_key_file(config: &Config) {
    let Some(path) = &config.key_file else { return };
    if let Err(error) = plain_file::open(path, Links::Follow) {
        warn!(
            "key-file-unreadable file={} action=\"keeping the loaded keys; a reload cannot read new ones\" fix=\"{}\" error=\"{error}\"",
            path.display(),
            key_file::open_command(path)
        );
    }
}

/// The user that faild runs as from now on.
#[derive(Debug, PartialEq, Eq)]
enum Choice {
    Become(Account),
    StayRoot { root: Option<Account>, why: Option<Why> },
    StayUser { wanted: Option<String> },
}

/// Why faild stays root although that is not configured.
#[derive(Debug, PartialEq, Eq)]
enum Why {
    NoUser,
    Missing(CapabilitySet),
}

fn choose(
    wanted: &str,
    is_root: bool,
    held: CapabilitySet,
    find: impl Fn(&str) -> Option<Account>,
) -> Choice {
    let missing = TO_BECOME.difference(held);
    match find(wanted) {
        found if !is_root => {
            let is_us = found.is_some_and(|account| account.uid == geteuid().as_raw());
            let wanted = (!is_us && wanted != DEFAULT_USER).then(|| wanted.to_owned());
            Choice::StayUser { wanted }
        }
        Some(root) if root.uid == 0 => Choice::StayRoot { root: Some(root), why: None },
        None => Choice::StayRoot { root: find("root"), why: Some(Why::NoUser) },
        Some(_) if !missing.is_empty() => {
            Choice::StayRoot { root: find("root"), why: Some(Why::Missing(missing)) }
        }
        Some(account) => Choice::Become(account),
    }
}

impl Choice {
    /// The owner of our files.
    fn account(&self) -> Option<&Account> {
        match self {
            Choice::Become(account) => Some(account),
            Choice::StayRoot { root, .. } => root.as_ref(),
            Choice::StayUser { .. } => None,
        }
    }

    fn tell(&self, capabilities: CapabilitySet) {
        let uid = geteuid().as_raw();
        let user = Account::name_of(uid).unwrap_or_else(|| uid.to_string());
        info!("privileges user={user} capabilities={}", names(capabilities).join(","));
        match self {
            Choice::StayRoot { why: Some(Why::NoUser), .. } => warn!(
                "running-as-root cause=\"no user {DEFAULT_USER}\" fix=\"{}; then restart faild\"",
                make_command(DEFAULT_USER)
            ),
            Choice::StayRoot { why: Some(Why::Missing(missing)), .. } => warn!(
                "running-as-root cause=\"{} missing\" fix=\"grant it, or use --user root\"",
                names(*missing).join(" and ")
            ),
            Choice::StayUser { wanted: Some(wanted) } => {
                warn!(
                    "user-not-changed user={user} wanted={wanted} fix=\"start faild as root, or as {wanted}\""
                );
            }
            Choice::Become(_) | Choice::StayRoot { why: None, .. } | Choice::StayUser { wanted: None } => {}
        }
    }
}

/// Switches to a user and keeps `kept`.
fn become_user(account: &Account, kept: CapabilitySet) -> Result<(), Errno> {
    limit_bounding(CapabilitySet::empty())?;
    let groups: Vec<Gid> = account.groups.iter().copied().map(Gid::from_raw).collect();
    setgroups(&groups)?;
    let gid = Gid::from_raw(account.gid);
    setresgid(gid, gid, gid)?;
    set_keep_capabilities(true).map_err(errno)?;
    let uid = Uid::from_raw(account.uid);
    setresuid(uid, uid, uid)?;
    limit(kept, CapabilitySet::empty())?;
    set_keep_capabilities(false).map_err(errno)
}

/// Keeps only `kept`, and lets programs that we start have at most `inherited`.
fn limit(kept: CapabilitySet, inherited: CapabilitySet) -> Result<(), Errno> {
    limit_bounding(inherited)?;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).map_err(errno)?;
    clear_ambient_capability_set().map_err(errno)?;
    set_no_new_privs(true).map_err(errno)
}

/// Limits the bounding set of programs that we start to `kept`. Without CAP_SETPCAP it stays as it is: no-new-privs
/// keeps them from using it.
fn limit_bounding(kept: CapabilitySet) -> Result<(), Errno> {
    if !capabilities(None).map_err(errno)?.effective.contains(CapabilitySet::SETPCAP) {
        return Ok(());
    }
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if kept.contains(capability) {
            continue;
        }
        match remove_capability_from_bounding_set(capability) {
            // This kernel has no more capabilities.
            Err(rustix::io::Errno::INVAL) => return Ok(()),
            result => result.map_err(errno)?,
        }
    }
    Ok(())
}

fn needed(config: &Config) -> CapabilitySet {
    let low = if config.port < 1024 { CapabilitySet::NET_BIND_SERVICE } else { CapabilitySet::empty() };
    CapabilitySet::NET_ADMIN | CapabilitySet::NET_RAW | low
}

fn held() -> anyhow::Result<CapabilitySet> {
    Ok(capabilities(None).context("cannot read own capabilities")?.effective)
}

fn names(set: CapabilitySet) -> Vec<String> {
    set.iter_names().map(|(name, _)| format!("CAP_{name}")).collect()
}

fn errno(error: rustix::io::Errno) -> Errno {
    Errno::from_raw(error.raw_os_error())
}

/// Capabilities to start a program as another user, and to kill it.
const TO_RUN_AS_OTHERS: CapabilitySet =
    CapabilitySet::SETUID.union(CapabilitySet::SETGID).union(CapabilitySet::KILL);

/// Capabilities to switch to another user and to give it our files.
const TO_BECOME: CapabilitySet =
    CapabilitySet::SETUID.union(CapabilitySet::SETGID).union(CapabilitySet::CHOWN);

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str, uid: u32) -> Account {
        Account { name: name.to_owned(), uid, gid: uid, groups: vec![uid] }
    }

    fn found(name: &str) -> Option<Account> {
        [account("root", 0), account("faild", 998)].into_iter().find(|account| account.name == name)
    }

    #[test]
    fn root_becomes_the_user_that_is_named_if_it_can() {
        let all = CapabilitySet::all();
        assert_eq!(choose("faild", true, all, found), Choice::Become(account("faild", 998)));
        let root = Some(account("root", 0));
        assert_eq!(choose("root", true, all, found), Choice::StayRoot { root: root.clone(), why: None });
        let no_user = Choice::StayRoot { root: root.clone(), why: Some(Why::NoUser) };
        assert_eq!(choose("other", true, all, found), no_user);
        let missing = CapabilitySet::SETGID;
        let missing_one = Choice::StayRoot { root, why: Some(Why::Missing(missing)) };
        assert_eq!(choose("faild", true, all.difference(missing), found), missing_one);
    }

    #[test]
    fn who_is_not_root_stays_and_is_told_only_if_another_was_asked_for() {
        let none = CapabilitySet::empty();
        assert_eq!(choose("faild", false, none, found), Choice::StayUser { wanted: None });
        assert_eq!(choose("faild", false, none, |_| None), Choice::StayUser { wanted: None });
        let us = geteuid().as_raw();
        assert_eq!(choose("us", false, none, |_| Some(account("us", us))), Choice::StayUser { wanted: None });
        let other = Choice::StayUser { wanted: Some("other".to_owned()) };
        assert_eq!(choose("other", false, none, found), other);
    }

    #[test]
    fn a_low_port_needs_one_more() {
        let with = |port| names(needed(&Config { port, ..Config::default() }));
        assert_eq!(with(1024), ["CAP_NET_ADMIN", "CAP_NET_RAW"]);
        assert_eq!(with(1023), ["CAP_NET_BIND_SERVICE", "CAP_NET_ADMIN", "CAP_NET_RAW"]);
    }

    #[test]
    fn hooks_wait_where_the_right_to_run_them_is_given_up() {
        let hook = |user: Option<&str>| HookConfig {
            command: vec!["/bin/true".to_owned()],
            events: Vec::new(),
            former: Vec::new(),
            timeout: std::time::Duration::from_secs(1),
            user: user.map(str::to_owned),
        };
        let (none, all) = (CapabilitySet::NET_ADMIN, CapabilitySet::NET_ADMIN | TO_RUN_AS_OTHERS);
        assert!(waits(&[hook(Some("root")), hook(None)], true, none));
        assert!(!waits(&[hook(Some("root"))], true, none), "it runs as faild does");
        assert!(
            !waits(&[hook(None)], true, all) && !waits(&[hook(None)], false, none) && !waits(&[], true, none)
        );
    }
}
