//! The names of all events, in the log, in hooks and in `faildctl events`: each stands here once, and nowhere else. faild(8)
//! has a table of them.

use std::fmt;

/// Variants and their names, and the list of both.
macro_rules! names {
    ($($(#[doc = $doc:literal])+ $variant:ident => $name:literal,)+) => {
        /// The name of an event: the first word of its line.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum EventName {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl EventName {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// What people and programs see.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

names! {
    // ----- interfaces and LANs
    /// An interface was selected as a LAN.
    LanChosen => "lan-chosen",
    /// An interface that is missing or has no address stays the LAN it was before the restart.
    LanKept => "lan-kept",
    /// A LAN was removed by a configuration change; its overlays are removed.
    LanLeft => "lan-left",
    /// The interface of a LAN was renamed.
    LanRenamed => "lan-renamed",
    /// A LAN cannot be used: its interface is down or absent, or all peers on it are silent and some are heard elsewhere.
    LanSilent => "lan-silent",
    /// The LAN works again: a peer was heard on it.
    LanHeard => "lan-heard",
    /// A LAN has no usable source address, so nothing can be probed on it.
    LanMute => "lan-mute",
    /// Two LAN interfaces are on the same network; the second is ignored for the node that was heard on both.
    LansJoined => "lans-joined",
    /// No interface could be selected as a LAN.
    NoLan => "no-lan",
    /// An interface was not selected as a LAN.
    InterfaceLeftOut => "interface-left-out",
    /// A configured interface does not exist; faild waits for it.
    InterfaceAbsent => "interface-absent",
    /// An interface used by faild can pass packets.
    InterfaceUp => "interface-up",
    /// An interface used by faild can pass packets.
    LinkUp => "link-up",
    /// An interface used by faild lost its carrier, was set down, renamed or deleted.
    InterfaceDown => "interface-down",
    /// An interface used by faild lost its carrier, was set down, renamed or deleted.
    LinkDown => "link-down",
    /// The link came up more than twice in a minute; it is held down for a while.
    LinkHeld => "link-held",
    /// Two interfaces of this host have the same MAC address; in a group, one of them is taken offline.
    SameMac => "same-mac",
    /// Two interfaces of this host have the same MAC address; in a group, one of them is taken offline.
    MacDuplicate => "mac-duplicate",
    /// The MAC addresses differ again.
    MacUnique => "mac-unique",
    /// A default route leaves through a LAN that was selected automatically.
    DefaultRouteOnLan => "default-route-on-lan",
    /// A kernel setting breaks failover; fix= has the command.
    SysctlUnfit => "sysctl-unfit",
    /// The kernel's neighbour table is too small for the peers.
    NeighbourTableSmall => "neighbour-table-small",

    // ----- peers and paths
    /// A peer, or another path to it, was discovered.
    PathFound => "path-found",
    /// A path works in both directions.
    PathUp => "path-up",
    /// A path has failed in at least one direction.
    PathDown => "path-down",
    /// The state of a path is no longer known.
    PathUnknown => "path-unknown",
    /// A peer is heard for the first time, or again.
    PeerPresent => "peer-present",
    /// A peer is silent on all LANs, or said goodbye; nothing is moved.
    PeerAbsent => "peer-absent",
    /// The daemon of a peer was restarted.
    PeerRestarted => "peer-restarted",
    /// A peer was absent for long and was removed.
    PeerForgotten => "peer-forgotten",
    /// Two hosts use the same node id (own=yes: one of them is this host).
    PeerCloned => "peer-cloned",
    /// Two hosts use the same node id (own=yes: one of them is this host).
    OwnIdCloned => "own-id-cloned",
    /// Two live nodes claim an address; it is left alone.
    AddressFloats => "address-floats",
    /// A peer no longer has an address.
    AddressWithdrawn => "address-withdrawn",
    /// A peer's host answers ARP or ND but not probes; a firewall may block the port.
    PortFiltered => "port-filtered",
    /// Broadcasts do not reach a peer; it is probed by unicast.
    BroadcastFiltered => "broadcast-filtered",
    /// Broadcasts reach the peer again.
    BroadcastHeard => "broadcast-heard",
    /// No peer answers on any LAN; nothing is moved, since the fault may be local.
    AllSilent => "all-silent",
    /// At least one peer answers again.
    SilenceEnded => "silence-ended",
    /// The probe interval was adapted to the packet budget.
    IntervalChanged => "interval-changed",
    /// At least one peer can be reached over only one LAN.
    RedundancyLost => "redundancy-lost",
    /// No such peer is left.
    RedundancyRegained => "redundancy-regained",

    // ----- failover and failback
    /// Traffic for a peer's address moved to a detour.
    Failover => "failover",
    /// Traffic for a peer's address is home again.
    Failback => "failback",
    /// An overlay of an earlier run was found and adopted.
    DetourAdopted => "detour-adopted",
    /// A path is up, but damping or policy delays failback to it.
    FailbackWaits => "failback-waits",
    /// The administrator asked for failback (faildctl or SIGUSR2).
    FailbackRequested => "failback-requested",
    /// A destination moved to another next hop.
    RouteMoved => "route-moved",
    /// A destination uses a next hop of better rank again.
    RouteFailedBack => "route-failed-back",
    /// No next hop of a destination works; nothing is moved.
    AllNextHopsSilent => "all-next-hops-silent",
    /// At least one next hop of the destination works again.
    NextHopsHeard => "next-hops-heard",
    /// A next hop failed: carrier, no answer, targets, loss or latency.
    NextHopFailed => "next-hop-failed",
    /// A next hop works, for the first time or again.
    NextHopWorks => "next-hop-works",
    /// There is nothing to probe through an interface; only its carrier is monitored.
    Unjudged => "unjudged",
    /// A slow or dead target is skipped for a while.
    TargetLeftOut => "target-left-out",
    /// The best route to a destination belongs to a protocol that is not followed.
    DestinationLeftAlone => "destination-left-alone",
    /// An interface was taken offline.
    LanOffline => "lan-offline",
    /// An interface was taken offline.
    OfflineRequested => "offline-requested",
    /// An interface was taken offline.
    InterfaceOffline => "interface-offline",
    /// An interface is back in service.
    LanOnline => "lan-online",
    /// An interface is back in service.
    OnlineRequested => "online-requested",
    /// An interface is back in service.
    InterfaceOnline => "interface-online",
    /// An offline interface carries traffic for a peer, because no other path works.
    DrainSuspended => "drain-suspended",
    /// Another path works again; the interface is drained.
    DrainResumed => "drain-resumed",

    // ----- groups
    /// A member failed while others work.
    InterfaceFailed => "interface-failed",
    /// A failed member works again.
    InterfaceRepaired => "interface-repaired",
    /// No member is usable; nothing is moved.
    GroupFailed => "group-failed",
    /// Some members, or all, are usable.
    GroupUsable => "group-usable",
    /// Traffic of a member moved to another one, which takes over for it.
    StandIn => "stand-in",
    /// A member carries its own traffic again.
    StandInEnded => "stand-in-ended",
    /// A standby carries traffic.
    StandbyActivated => "standby-activated",
    /// A repaired member that was held in reserve carries traffic.
    InterfaceActivated => "interface-activated",
    /// A standby is held in reserve again.
    StandbyReleased => "standby-released",
    /// A member has no address to probe from; its link alone decides.
    TestAddressMissing => "test-address-missing",
    /// It has one again.
    TestAddressFound => "test-address-found",
    /// Several members have the same test address; none is probed from it.
    TestAddressShared => "test-address-shared",
    /// Only one member has the address.
    TestAddressUnique => "test-address-unique",
    /// The test address relies on the deprecated flag, which IPv4 ignores.
    TestAddressDeprecated => "test-address-deprecated",
    /// Another program removed a test address; it is added again.
    TestAddressRemoved => "test-address-removed",
    /// Targets answer slowly; detection takes longer than configured.
    DetectionRaised => "detection-raised",
    /// Targets answer quickly again.
    DetectionLowered => "detection-lowered",

    // ----- routes and addresses in the kernel
    /// A route of others takes the place of an overlay, or comes first; nothing is installed.
    OverlayBlocked => "overlay-blocked",
    /// No route of others is in the way any more.
    OverlayBlockedCleared => "overlay-blocked-cleared",
    /// The kernel does otherwise than was decided: another route or a rule comes first.
    RouteOverridden => "route-overridden",
    /// The kernel does what was decided again.
    RouteOverriddenCleared => "route-overridden-cleared",
    /// The journal was written before the last boot and is ignored.
    JournalOutdated => "journal-outdated",
    /// The kernel did not say which route it takes.
    KernelQuestionFailed => "kernel-question-failed",
    /// The routes to a destination could not be asked for.
    RouteLookupFailed => "route-lookup-failed",
    /// An overlay of an earlier run is removed: no node that is known has its address.
    OverlayUnclaimed => "overlay-unclaimed",
    /// Overlays were installed, for a peer's address, a destination or a member.
    OverlayLaid => "overlay-laid",
    /// Overlays were installed, for a peer's address, a destination or a member.
    RouteOverlaid => "route-overlaid",
    /// Overlays were installed, for a peer's address, a destination or a member.
    MemberOverlaid => "member-overlaid",
    /// Overlays were removed: home works, or the original route was deleted.
    OverlayLifted => "overlay-lifted",
    /// Overlays were removed: home works, or the original route was deleted.
    RouteLifted => "route-lifted",
    /// Overlays were removed: home works, or the original route was deleted.
    MemberLifted => "member-lifted",
    /// Another program removed overlays; they are reinstalled.
    OverlayRemovedByOthers => "overlay-removed-by-others",
    /// An overlay keeps being removed; retries become rare.
    Contested => "contested",
    /// Nothing can be installed in front of a route.
    CannotOverlay => "cannot-overlay",
    /// The kernel refused operations; they are retried.
    OperationRefused => "operation-refused",
    /// Saved routes were restored after their interface returned.
    RoutePutBack => "route-put-back",
    /// A static IPv6 address was restored.
    AddressPutBack => "address-put-back",
    /// An address of a down interface is parked on lo.
    AddressWaits => "address-waits",
    /// The address is on its interface again, or gone for good.
    AddressReturned => "address-returned",
    /// faild stops and leaves overlays or addresses in place; undo= has the command.
    LeftBehind => "left-behind",
    /// More routes use the LANs than faild looks at.
    TooManyRoutes => "too-many-routes",
    /// The kernel operation performed, or not performed in a dry run, as an ip(8) command.
    WouldDo => "would-do",
    /// The kernel operation performed, or not performed in a dry run, as an ip(8) command.
    AskingKernel => "asking-kernel",
    /// Routes, interfaces or carriers could not be read; retrying.
    KernelUnreadable => "kernel-unreadable",
    /// They can be read again.
    KernelReadable => "kernel-readable",
    /// Kernel notifications were lost; performing a full resync.
    NotificationsLost => "notifications-lost",
    /// Kernel notifications could not be read; performing a full resync.
    NotificationsUnreadable => "notifications-unreadable",
    /// The netlink socket could not be reopened.
    NetlinkReopenFailed => "netlink-reopen-failed",
    /// The kernel sent messages that could not be parsed.
    NetlinkMalformed => "netlink-malformed",

    // ----- configuration and control
    /// The configuration is valid, but probably not what was meant; text=.
    Configuration => "configuration",
    /// The configuration file was never confirmed; the previous configuration is in force.
    SettingsUnconfirmed => "settings-unconfirmed",
    /// One error of a rejected reload.
    ReloadFault => "reload-fault",
    /// A reload was rejected; nothing changed.
    ReloadRefused => "reload-refused",
    /// The configuration was reloaded; changes=.
    Reloaded => "reloaded",
    /// A reload must be confirmed within the given time.
    ReloadOnTrial => "reload-on-trial",
    /// The configuration on trial is kept.
    ReloadConfirmed => "reload-confirmed",
    /// The trial expired; the previous configuration was restored.
    ReloadRolledBack => "reload-rolled-back",
    /// The trial expired; the previous configuration was restored.
    ReloadUnconfirmed => "reload-unconfirmed",
    /// The file was edited after an unconfirmed trial, and is used.
    UnconfirmedForgotten => "unconfirmed-forgotten",
    /// The record of a trial could not be deleted.
    UnconfirmedNotRemoved => "unconfirmed-not-removed",
    /// The record of a trial could not be parsed.
    UnconfirmedUnreadable => "unconfirmed-unreadable",
    /// A request arrived on the control socket.
    ControlRequest => "control-request",
    /// A request that needs root was denied.
    ControlDenied => "control-denied",
    /// The control socket could not be given to its group.
    ControlGroupLeftOut => "control-group-left-out",

    // ----- daemon, files and privileges
    /// faild runs at real-time priority.
    RealtimeOk => "realtime-ok",
    /// Real-time priority was refused.
    RealtimeFailed => "realtime-failed",
    /// The loop used too much CPU time; real-time priority is given up for a while.
    RealtimeSuspended => "realtime-suspended",
    /// Real-time priority is back after that.
    RealtimeResumed => "realtime-resumed",
    /// The memory is locked, after that had failed.
    MemoryLockOk => "memory-lock-ok",
    /// The memory could not be locked.
    MemoryLockFailed => "memory-lock-failed",
    /// The memory could not be locked again.
    MemoryNotLockedAgain => "memory-not-locked-again",
    /// Other users could write to a directory of faild; they no longer can.
    DirectoryTightened => "directory-tightened",
    /// A file that belongs to another user was renamed.
    FileSetAside => "file-set-aside",
    /// faild starts.
    Starting => "starting",
    /// faild is ready.
    Ready => "ready",
    /// faild is stopping; cause=.
    Stopping => "stopping",
    /// faild has stopped.
    Stopped => "stopped",
    /// Not everything could be undone in time.
    StopIncomplete => "stop-incomplete",
    /// A bug; faild aborts, and overlays stay.
    Panic => "panic",
    /// The main loop was delayed.
    LoopSlow => "loop-slow",
    /// The daemon ran late; slots missed meanwhile do not count.
    Stalled => "stalled",
    /// User and capabilities after dropping privileges.
    Privileges => "privileges",
    /// faild could not switch to its user and stays root.
    RunsAsRoot => "runs-as-root",
    /// faild was not started by root and cannot switch to the configured user.
    UserNotChanged => "user-not-changed",
    /// A file or directory could not be given to the user.
    NotHandedOver => "not-handed-over",
    /// The key file cannot be read after dropping privileges.
    KeyFileClosed => "key-file-closed",
    /// The state file could not be written.
    StateNotWritten => "state-not-written",
    /// It can be written again.
    StateWritten => "state-written",
    /// The state file could not be parsed; a new node id is used.
    StateUnreadable => "state-unreadable",
    /// The journal could not be written.
    JournalNotWritten => "journal-not-written",
    /// It can be written again.
    JournalWritten => "journal-written",
    /// The journal, or a line of it, could not be parsed.
    JournalUnreadable => "journal-unreadable",
    /// The journal, or a line of it, could not be parsed.
    JournalIgnored => "journal-ignored",
    /// The list of offline interfaces could not be written.
    OfflineNotWritten => "offline-not-written",
    /// The list of offline interfaces could not be parsed.
    OfflineUnreadable => "offline-unreadable",
    /// The log file was reopened.
    LogReopened => "log-reopened",
    /// The log file could not be reopened.
    LogNotReopened => "log-not-reopened",
    /// Lines of one event were suppressed by the rate limit.
    LogLinesLeftOut => "log-lines-left-out",
    /// Lines could not be written.
    LogLinesLost => "log-lines-lost",
    /// The service manager could not be notified.
    NotifyFailed => "notify-failed",
    /// Transparent huge pages could not be disabled.
    HugePagesLeft => "huge-pages-left",

    // ----- hooks
    /// What hooks are told of a change that other events tell of in the log.
    Change => "change",
    /// A line that a hook wrote on standard error; text=.
    HookSays => "hook-says",
    /// A hook wrote more lines than are logged.
    HookCutShort => "hook-cut-short",
    /// A hook failed, did not start or timed out.
    HookFailed => "hook-failed",
    /// The hook works again.
    HookWorks => "hook-works",
    /// A hook left processes behind, which were killed.
    HookLeftPrograms => "hook-left-programs",
    /// A hook is not run, because there is no user to run it as.
    HookLeftOut => "hook-left-out",
    /// The queue of hook events was full.
    HookEventsDropped => "hook-events-dropped",

    // ----- packets and sockets
    /// A socket was opened on an interface.
    SocketOpened => "socket-opened",
    /// A socket was opened on an interface.
    ProbeSocketOpened => "probe-socket-opened",
    /// A socket could not be opened.
    SocketFailed => "socket-failed",
    /// Reading from a socket failed.
    ReceiveFailed => "receive-failed",
    /// Reading from a socket failed.
    ProbeReceiveFailed => "probe-receive-failed",
    /// Sending failed.
    SendFailed => "send-failed",
    /// Sending failed.
    ProbeFailed => "probe-failed",
    /// A packet was read.
    Received => "received",
    /// A packet was sent.
    Sent => "sent",
    /// A probe to a next hop or target was sent.
    ProbeSent => "probe-sent",
    /// A probe was answered.
    ProbeAnswered => "probe-answered",
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn a_name_is_one_word_and_stands_for_one_event() {
        let names: BTreeSet<&str> = EventName::ALL.iter().map(|name| name.as_str()).collect();
        assert_eq!(names.len(), EventName::ALL.len());
        for name in names {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{name}");
        }
    }

    /// Lines that are worded where they are written: their names are in the list all the same.
    #[test]
    fn every_line_of_the_log_has_a_name_of_the_list_and_every_name_is_in_use() {
        let names: BTreeSet<&str> = EventName::ALL.iter().map(|name| name.as_str()).collect();
        let (mut used, mut unknown) = (BTreeSet::<EventName>::new(), Vec::new());
        for (path, text) in sources() {
            used.extend(EventName::ALL.iter().filter(|name| text.contains(&format!("EventName::{name:?}"))));
            for (number, literal) in lines_of_the_log(&text) {
                let name = literal.split([' ', '"']).next().unwrap_or_default();
                let is_dump = name == "state" || name.starts_with("state-");
                if !is_dump && !names.contains(name) {
                    unknown.push(format!("{}:{number}: {literal}", path.display()));
                }
                used.extend(EventName::ALL.iter().filter(|known| known.as_str() == name));
            }
        }
        let unused: Vec<_> = EventName::ALL.iter().filter(|name| !used.contains(name)).collect();
        assert!(
            unknown.is_empty() && unused.is_empty(),
            "not in the list: {unknown:#?}, not in use: {unused:?}"
        );
    }

    /// What begins as a line of the log does: behind the macro, or with a name and a key. Numbers of lines, from 1.
    fn lines_of_the_log(text: &str) -> Vec<(usize, &str)> {
        const MACROS: [&str; 5] = ["trace!(", "debug!(", "info!(", "warn!(", "error!("];
        let mut found = Vec::new();
        let mut before = "";
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            for (place, _) in line.match_indices('"').filter(|_| !line.starts_with("//")) {
                let (ahead, literal) = (&line[..place], &line[place + 1..]);
                let ahead = if ahead.is_empty() { before } else { ahead };
                let is_logged = MACROS.iter().any(|name| ahead.ends_with(name));
                if (is_logged && !literal.starts_with('{')) || has_name_and_key(literal) {
                    found.push((number, literal));
                }
            }
            before = line;
        }
        found
    }

    fn has_name_and_key(literal: &str) -> bool {
        let is_word =
            |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        let Some((name, rest)) = literal.split_once(' ') else { return false };
        let has_key = rest.split_once('=').is_some_and(|(key, _)| is_word(key));
        is_word(name) && name.contains('-') && (has_key || rest.starts_with('{'))
    }

    /// The program without its tests, and without this list.
    fn sources() -> Vec<(PathBuf, String)> {
        let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        let mut files = Vec::new();
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(&directory).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if path.is_dir() && name != "tests" {
                    directories.push(path);
                } else if name.ends_with(".rs") && name != "tests.rs" && !path.ends_with("src/event.rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    files.push((
                        path,
                        text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned(),
                    ));
                }
            }
        }
        files
    }
}
