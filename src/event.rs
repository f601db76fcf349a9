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
    LanSelected => "lan-selected",
    /// An interface that is missing or has no address stays the LAN it was before the restart.
    LanKept => "lan-kept",
    /// A LAN was removed by a configuration change; its overlays are removed.
    LanRemoved => "lan-removed",
    /// The interface of a LAN was renamed.
    LanRenamed => "lan-renamed",
    /// All peers on a LAN are silent, and some are heard elsewhere. Hooks get it also when the interface is down or
    /// absent.
    LanDown => "lan-down",
    /// A peer is heard on the LAN again.
    LanUp => "lan-up",
    /// A LAN has no usable source address, so nothing can be probed on it.
    LanNoAddress => "lan-no-address",
    /// Two LAN interfaces are on the same network; the second is ignored for the node that was heard on both.
    LansBridged => "lans-bridged",
    /// No interface could be selected as a LAN.
    NoLan => "no-lan",
    /// An interface was not selected as a LAN.
    InterfaceSkipped => "interface-skipped",
    /// A configured interface does not exist; faild waits for it.
    InterfaceAbsent => "interface-absent",
    /// An interface used by faild can pass packets.
    InterfaceUp => "interface-up",
    /// An interface used by faild lost its carrier, was set down, renamed or deleted.
    InterfaceDown => "interface-down",
    /// The link came up more than twice in a minute; it is held down for a while.
    LinkFlapping => "link-flapping",
    /// Two interfaces of this host have the same MAC address; in a group, one of them is taken offline.
    DuplicateMac => "duplicate-mac",
    /// The MAC addresses differ again.
    DuplicateMacCleared => "duplicate-mac-cleared",
    /// A default route leaves through a LAN that was selected automatically.
    DefaultRouteOnLan => "default-route-on-lan",
    /// A kernel setting breaks failover; `fix=` has the command.
    SysctlUnsuitable => "sysctl-unsuitable",
    /// The kernel's neighbour table is too small for the peers.
    NeighbourTableTooSmall => "neighbour-table-too-small",

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
    PeerUp => "peer-up",
    /// A peer is silent on all LANs, or said goodbye; nothing is moved.
    PeerDown => "peer-down",
    /// The daemon of a peer was restarted.
    PeerRestarted => "peer-restarted",
    /// A peer was absent for long and was removed.
    PeerExpired => "peer-expired",
    /// Two hosts use the same node id (`own=yes`: one of them is this host).
    DuplicateNodeId => "duplicate-node-id",
    /// Two live nodes claim an address; it is left alone.
    AddressFloating => "address-floating",
    /// A peer no longer has an address.
    AddressWithdrawn => "address-withdrawn",
    /// A peer's host answers ARP or ND but not probes; a firewall may block the port.
    PortFiltered => "port-filtered",
    /// Broadcasts do not reach a peer; it is probed by unicast.
    BroadcastFiltered => "broadcast-filtered",
    /// Broadcasts reach the peer again.
    BroadcastRestored => "broadcast-restored",
    /// No peer answers on any LAN; nothing is moved, since the fault may be local.
    AllPeersSilent => "all-peers-silent",
    /// At least one peer answers again.
    AllPeersSilentCleared => "all-peers-silent-cleared",
    /// The probe interval was adapted to the packet budget.
    IntervalChanged => "interval-changed",
    /// At least one peer can be reached over only one LAN.
    RedundancyLost => "redundancy-lost",
    /// No such peer is left.
    RedundancyRestored => "redundancy-restored",

    // ----- failover and failback
    /// Traffic for a peer's address moved to a detour.
    PeerFailover => "peer-failover",
    /// Traffic for a peer's address is home again.
    PeerFailback => "peer-failback",
    /// An overlay of an earlier run was found and adopted.
    DetourAdopted => "detour-adopted",
    /// A path is up, but damping or policy delays failback to it.
    FailbackHeld => "failback-held",
    /// The administrator asked for failback (faildctl or SIGUSR2).
    FailbackRequested => "failback-requested",
    /// A destination moved to another next hop.
    RouteFailover => "route-failover",
    /// A destination uses a next hop of better rank again.
    RouteFailback => "route-failback",
    /// No next hop of a destination works; nothing is moved.
    RouteDown => "route-down",
    /// At least one next hop of the destination works again.
    RouteUp => "route-up",
    /// A next hop failed: carrier, no answer, targets, loss or latency.
    NextHopDown => "next-hop-down",
    /// A next hop works, for the first time or again.
    NextHopUp => "next-hop-up",
    /// There is nothing to probe through an interface; only its carrier is monitored.
    InterfaceNotProbed => "interface-not-probed",
    /// A slow or dead target is skipped for a while.
    TargetSkipped => "target-skipped",
    /// The best route to a destination belongs to a protocol that is not followed.
    RouteSkipped => "route-skipped",
    /// An interface was taken offline.
    InterfaceOffline => "interface-offline",
    /// An interface is back in service.
    InterfaceOnline => "interface-online",
    /// An offline interface carries traffic for a peer, because no other path works.
    OfflineSuspended => "offline-suspended",
    /// Another path works again; the interface is drained.
    OfflineResumed => "offline-resumed",

    // ----- groups
    /// A member failed while others work.
    InterfaceFailed => "interface-failed",
    /// A failed member works again.
    InterfaceRepaired => "interface-repaired",
    /// No member is usable; nothing is moved.
    GroupFailed => "group-failed",
    /// After a failure of the group, some members are usable again. Hooks get it with each such change.
    GroupDegraded => "group-degraded",
    /// After a failure of the group, all members are usable again. Hooks get it with each such change.
    GroupOk => "group-ok",
    /// Traffic of a member moved to another one, which takes over for it.
    GroupFailover => "group-failover",
    /// A member carries its own traffic again.
    GroupFailback => "group-failback",
    /// A standby carries traffic.
    StandbyActivated => "standby-activated",
    /// A repaired member that was held in reserve carries traffic.
    InterfaceActivated => "interface-activated",
    /// A standby is held in reserve again.
    StandbyDeactivated => "standby-deactivated",
    /// A member has no address to probe from; its link alone decides.
    TestAddressMissing => "test-address-missing",
    /// It has one again.
    TestAddressFound => "test-address-found",
    /// Several members have the same test address; none is probed from it.
    DuplicateTestAddress => "duplicate-test-address",
    /// Only one member has the address.
    DuplicateTestAddressCleared => "duplicate-test-address-cleared",
    /// The test address relies on the deprecated flag, which IPv4 ignores.
    TestAddressDeprecated => "test-address-deprecated",
    /// Another program removed a test address; it is added again.
    TestAddressLost => "test-address-lost",
    /// Targets answer slowly; detection takes longer than configured.
    DetectionTimeRaised => "detection-time-raised",
    /// Targets answer quickly again.
    DetectionTimeLowered => "detection-time-lowered",

    // ----- routes and addresses in the kernel
    /// A route of others has the place of an overlay, or comes first; nothing is installed.
    OverlayBlocked => "overlay-blocked",
    /// No route of others is in the way any more.
    OverlayBlockedCleared => "overlay-blocked-cleared",
    /// The kernel does otherwise than was decided: another route or a rule comes first.
    RouteOverridden => "route-overridden",
    /// The kernel does what was decided again.
    RouteOverriddenCleared => "route-overridden-cleared",
    /// The journal was written before the last boot, and is ignored.
    JournalOutdated => "journal-outdated",
    /// The kernel could not be asked which route it takes.
    KernelQuestionFailed => "kernel-question-failed",
    /// The routes in one place could not be read.
    RouteLookupFailed => "route-lookup-failed",
    /// An overlay of an earlier run is removed: no known node has its address.
    OverlayUnclaimed => "overlay-unclaimed",
    /// Overlays were installed, for a peer's address, a destination or a member.
    OverlayInstalled => "overlay-installed",
    /// Overlays were removed: home works, or the original route was deleted.
    OverlayRemoved => "overlay-removed",
    /// Another program removed overlays; they are reinstalled.
    OverlayLost => "overlay-lost",
    /// An overlay keeps being removed; retries become rare.
    OverlayContested => "overlay-contested",
    /// Nothing can be installed in front of a route.
    OverlayImpossible => "overlay-impossible",
    /// The kernel refused operations; they are retried.
    OperationRefused => "operation-refused",
    /// Saved routes were restored after their interface returned.
    RouteRestored => "route-restored",
    /// A static IPv6 address was restored.
    AddressRestored => "address-restored",
    /// An address of a down interface is parked on `lo`.
    AddressParked => "address-parked",
    /// The address is on its interface again, or gone for good.
    AddressUnparked => "address-unparked",
    /// faild stops and leaves overlays or addresses in place; `undo=` has the command.
    LeftInPlace => "left-in-place",
    /// More routes use the LANs than faild looks at.
    TooManyRoutes => "too-many-routes",
    /// The kernel operation performed, or not performed in a dry run, as an ip(8) command.
    KernelOperation => "kernel-operation",
    /// Routes, interfaces or carriers could not be read; retrying.
    KernelReadFailed => "kernel-read-failed",
    /// They can be read again.
    KernelReadOk => "kernel-read-ok",
    /// Kernel notifications were lost; performing a full resync.
    NetlinkOverrun => "netlink-overrun",
    /// Kernel notifications could not be read; performing a full resync.
    NetlinkReadFailed => "netlink-read-failed",
    /// The netlink socket could not be reopened.
    NetlinkReopenFailed => "netlink-reopen-failed",
    /// The kernel sent messages that could not be parsed.
    NetlinkMalformed => "netlink-malformed",

    // ----- configuration and control
    /// The configuration is valid, but probably not what was meant; `text=`.
    ConfigWarning => "config-warning",
    /// The configuration file was never confirmed; the previous configuration is in force.
    ConfigUnconfirmed => "config-unconfirmed",
    /// One error of a rejected reload.
    ReloadError => "reload-error",
    /// A reload was rejected; nothing changed.
    ReloadRejected => "reload-rejected",
    /// The configuration was reloaded; `changes=`.
    ReloadDone => "reload-done",
    /// A reload must be confirmed within the given time.
    ReloadTrial => "reload-trial",
    /// The configuration on trial is kept.
    ReloadConfirmed => "reload-confirmed",
    /// The trial expired; the previous configuration was restored.
    ReloadRolledBack => "reload-rolled-back",
    /// The file was edited after an unconfirmed trial, and is used.
    TrialDiscarded => "trial-discarded",
    /// The record of a trial could not be deleted.
    TrialFileNotRemoved => "trial-file-not-removed",
    /// The record of a trial could not be parsed.
    TrialFileUnreadable => "trial-file-unreadable",
    /// A request arrived on the control socket.
    ControlRequest => "control-request",
    /// A request that needs root was denied.
    ControlDenied => "control-denied",
    /// The control socket could not be given to its group.
    ControlGroupSkipped => "control-group-skipped",

    // ----- daemon, files and privileges
    /// faild runs at real-time priority.
    RealtimeOk => "realtime-ok",
    /// Real-time priority was refused.
    RealtimeFailed => "realtime-failed",
    /// The loop used too much CPU time; it runs at ordinary priority for a while.
    RealtimeSuspended => "realtime-suspended",
    /// faild runs at real-time priority again.
    RealtimeResumed => "realtime-resumed",
    /// The memory is locked, after that had failed.
    MemoryLockOk => "memory-lock-ok",
    /// The memory could not be locked.
    MemoryLockFailed => "memory-lock-failed",
    /// Memory that was given back could not be locked again.
    MemoryNotLockedAgain => "memory-not-locked-again",
    /// Other users could write to a directory of faild; this right was removed.
    DirectoryTightened => "directory-tightened",
    /// A file that belongs to another user was renamed.
    FileSetAside => "file-set-aside",
    /// faild starts.
    Starting => "starting",
    /// faild is ready.
    Ready => "ready",
    /// faild is stopping; `cause=`.
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
    LoopStalled => "loop-stalled",
    /// User and capabilities after dropping privileges.
    Privileges => "privileges",
    /// faild could not switch to its user and stays root.
    RunningAsRoot => "running-as-root",
    /// faild was not started by root and cannot switch to the configured user.
    UserNotChanged => "user-not-changed",
    /// A file or directory could not be given to the user.
    ChownFailed => "chown-failed",
    /// The key file cannot be read after dropping privileges.
    KeyFileUnreadable => "key-file-unreadable",
    /// The state file could not be written.
    StateFileWriteFailed => "state-file-write-failed",
    /// It can be written again.
    StateFileWriteOk => "state-file-write-ok",
    /// The state file could not be parsed; a new node id is used.
    StateFileUnreadable => "state-file-unreadable",
    /// The journal could not be written.
    JournalWriteFailed => "journal-write-failed",
    /// It can be written again.
    JournalWriteOk => "journal-write-ok",
    /// The journal, or a line of it, could not be parsed.
    JournalUnreadable => "journal-unreadable",
    /// The list of offline interfaces could not be written.
    OfflineFileWriteFailed => "offline-file-write-failed",
    /// The list of offline interfaces could not be parsed.
    OfflineFileUnreadable => "offline-file-unreadable",
    /// The log file was reopened.
    LogReopened => "log-reopened",
    /// The log file could not be reopened.
    LogReopenFailed => "log-reopen-failed",
    /// Lines of one event were suppressed by the rate limit.
    LogLinesSuppressed => "log-lines-suppressed",
    /// Lines could not be written.
    LogLinesLost => "log-lines-lost",
    /// The service manager could not be notified.
    NotifyFailed => "notify-failed",
    /// Transparent huge pages could not be disabled.
    HugePagesNotDisabled => "huge-pages-not-disabled",

    // ----- hooks
    /// What hooks are told, where other events have told it already.
    Change => "change",
    /// A line that a hook wrote on standard error; `text=`.
    HookOutput => "hook-output",
    /// A hook wrote more lines than are logged.
    HookOutputTruncated => "hook-output-truncated",
    /// A hook failed, did not start or timed out.
    HookFailed => "hook-failed",
    /// The hook works again.
    HookOk => "hook-ok",
    /// A hook left processes behind, which were killed.
    HookProcessesKilled => "hook-processes-killed",
    /// A hook is not run, because there is no user to run it as.
    HookSkipped => "hook-skipped",
    /// The queue of hook events was full.
    HookEventsDropped => "hook-events-dropped",

    // ----- packets and sockets
    /// A socket was opened on an interface.
    SocketOpened => "socket-opened",
    /// A socket could not be opened.
    SocketFailed => "socket-failed",
    /// Reading from a socket failed.
    ReceiveFailed => "receive-failed",
    /// Sending failed.
    SendFailed => "send-failed",
    /// A packet was read.
    PacketReceived => "packet-received",
    /// A packet was sent.
    PacketSent => "packet-sent",
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
                let is_dump = name == "dump" || name.starts_with("dump-");
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
