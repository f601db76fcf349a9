//! Commands of the administrator: interfaces offline and online, failback.

use std::collections::BTreeSet;
use std::time::Duration;

use log::{Level, info};

use crate::control::{OfflineEntry, Refusal, RefusalKind, Reply};
use crate::core::Input;
use crate::daemon::agenda::Task;
use crate::daemon::clock;
use crate::daemon::edges::Edges;
use crate::daemon::offline::check_reason;
use crate::engine::CutOff;
use crate::gather::Gather;
use crate::net::Moment;
use crate::time::{Instant, Stamp};
use crate::words::shell_word;

impl Edges {
    /// Takes an interface offline.
    pub(super) fn go_offline(
        &mut self,
        now: Instant,
        interface: &str,
        reason: Option<&str>,
        for_s: Option<u64>,
        force: bool,
    ) -> Result<Reply, Refusal> {
        let reason = reason.unwrap_or_default();
        check_reason(reason).map_err(|message| refusal(RefusalKind::BadRequest, message))?;
        self.find_interface(now, interface)?;
        if let Some(entry) = self.offline.get(interface) {
            return Err(refusal(RefusalKind::Refused, format!("{interface} is already offline ({entry})")));
        }
        let last = self.last_of(now, interface);
        if !force && !last.is_empty() {
            return Err(refusal(RefusalKind::Refused, last.refusal(interface)));
        }
        let since = clock::wall();
        let until = for_s.map(|seconds| since.saturating_add(Duration::from_secs(seconds.min(LONGEST))));
        let entry = OfflineEntry { reason: reason.to_owned(), since, until };
        self.offline.add(interface, entry.clone()).map_err(|error| unkept(interface, &error))?;
        let is_lan = self.is_lan_alone(interface);
        self.say(Level::Info, &format!("interface-offline interface={interface} {entry} forced={force}"));
        self.tell_offline(now);
        Ok(Reply::Done(done(interface, until, is_lan, &last)))
    }

    /// Puts an interface back.
    pub(super) fn go_online(&mut self, now: Instant, interface: &str) -> Result<Reply, Refusal> {
        if self.picture(&self.core.watch().snapshot(now)).is_twin(interface) {
            let message = format!(
                "{interface} has the same MAC address as another member of its group; change one of them first"
            );
            return Err(refusal(RefusalKind::Refused, message));
        }
        if self.offline.get(interface).is_none() {
            self.find_interface(now, interface).map_err(|error| self.naming_offline(error))?;
            let message = format!("{interface} is not offline");
            return Err(self.naming_offline(refusal(RefusalKind::Refused, message)));
        }
        self.offline.remove(interface).map_err(|error| unkept(interface, &error))?;
        self.say(Level::Info, &format!("interface-online interface={interface} cause=command"));
        self.tell_offline(now);
        let words = format!("{interface} is online; traffic on proven paths fails back immediately");
        Ok(Reply::Done(words))
    }

    /// Failback policy `manual`: the administrator decides when.
    pub(super) fn fail_back(&mut self, now: Instant) -> Reply {
        self.say(Level::Info, &"failback-requested by=faildctl");
        self.tell(now, Input::FailBack);
        Reply::Done("failback happens as soon as both ends are ready".to_owned())
    }

    /// At startup: interfaces that were taken offline before stay offline.
    pub(in crate::daemon) fn recall_offline(&mut self, moment: Moment) {
        for (interface, entry) in self.offline.iter() {
            info!("interface-offline interface={interface} {entry} cause=restart");
        }
        self.expire_offline(moment);
    }

    /// Puts back interfaces whose time is over, and sets the timer for the next.
    pub(in crate::daemon) fn expire_offline(&mut self, moment: Moment) {
        for (interface, entry) in self.offline.expire(moment.realtime) {
            self.say(Level::Info, &format!("interface-online interface={interface} cause=expired {entry}"));
        }
        self.tell_offline(moment.now);
    }

    fn tell_offline(&mut self, now: Instant) {
        let names = self.offline.names();
        self.tell(now, Input::Offline(&names));
        if let Some(end) = self.offline.next_end() {
            // The wall clock may be changed, so it is read again before long.
            let left = end.saturating_sub(clock::wall()).clamp(SOONEST, LATEST);
            self.agenda.set(Task::ExpireOffline, now + left);
        }
    }

    /// Adds the names that are offline: an interface that was renamed since must be put back by its old name.
    fn naming_offline(&self, refused: Refusal) -> Refusal {
        let names: Vec<String> = self.offline.names().into_iter().collect();
        let Some(first) = names.first() else { return refused };
        let message = format!(
            "{}; use the name under which it went offline: faildctl online {} (offline: {})",
            refused.message,
            shell_word(first),
            names.join(", ")
        );
        Refusal { message, ..refused }
    }

    fn find_interface(&self, now: Instant, interface: &str) -> Result<(), Refusal> {
        let watch = self.core.watch().snapshot(now);
        let picture = self.picture(&watch);
        if self.core.peers().is_lan(interface) || picture.is_watched(interface) {
            return Ok(());
        }
        let watched: BTreeSet<&str> = picture.interfaces_watched().gather();
        let lans = self.core.peers().plan().lans.iter().map(String::as_str);
        let others = watched.iter().copied().filter(|name| !self.core.peers().is_lan(name));
        let known = lans.chain(others).collect::<Vec<_>>().join(", ");
        let message = if watched.is_empty() {
            format!("unknown LAN {interface:?} (known: {known})")
        } else {
            format!("unknown interface {interface:?} (known: {known})")
        };
        Err(refusal(RefusalKind::NotFound, message))
    }

    /// Everything that would be cut off without an interface.
    fn last_of(&self, now: Instant, interface: &str) -> Last {
        let watch = self.core.watch().snapshot(now);
        Last { peers: self.core.peers().cut_off(interface), others: self.picture(&watch).last_of(interface) }
    }

    /// Whether an interface is a LAN and nothing else: for one of a group, the watch reports the change itself.
    fn is_lan_alone(&self, interface: &str) -> bool {
        let members = self.config.groups.iter().flat_map(|group| &group.members);
        let is_member = members.map(|member| &member.interface).any(|name| name == interface);
        let mut hops = self.config.routes.iter().flat_map(|route| route.next_hops.listed());
        !is_member && !hops.any(|hop| hop.interface == interface)
    }
}

/// Everything that has no other path than an interface.
struct Last {
    peers: Vec<CutOff>,
    /// Groups and destinations, as text.
    others: Vec<String>,
}

impl Last {
    fn is_empty(&self) -> bool {
        self.peers.is_empty() && self.others.is_empty()
    }

    fn refusal(&self, interface: &str) -> String {
        let peers = (!self.peers.is_empty())
            .then(|| format!("it is the only working path to {}", named(&self.peers)));
        let reasons: Vec<&str> = peers.iter().chain(&self.others).map(String::as_str).collect();
        format!(
            "refusing to take {interface} offline: {}; repair another one, or use --force",
            reasons.join("; ")
        )
    }

    /// What is lost if it goes offline anyway.
    fn warning(&self) -> String {
        let peers = match self.peers.as_slice() {
            [] => String::new(),
            lost => {
                format!("\nno other path to {}: that traffic stays, and is lost with the link", named(lost))
            }
        };
        let others = self.others.iter().map(|words| format!("\n{words}: that traffic is lost with the link"));
        others.fold(peers, |text, line| text + &line)
    }
}

pub(super) fn refusal(kind: RefusalKind, message: String) -> Refusal {
    Refusal { kind, message }
}

fn unkept(interface: &str, error: &std::io::Error) -> Refusal {
    let message = format!(
        "{interface} is unchanged: cannot write offline.toml in the state directory, so a restart would forget it: \
         {error}"
    );
    refusal(RefusalKind::Failed, message)
}

fn done(interface: &str, until: Option<Duration>, is_lan: bool, last: &Last) -> String {
    let end = until.map_or_else(
        || format!("until \"faildctl online {}\"", shell_word(interface)),
        |until| format!("until {}", Stamp(until)),
    );
    let look = if is_lan { "faildctl peers" } else { "faildctl groups\" or \"faildctl routes" };
    let lost = last.warning();
    format!("{interface} is offline {end}; unplug it once \"{look}\" shows that its traffic has moved{lost}")
}

/// Peers by name, if they have one; each once, whichever families are cut off.
fn named(cut_off: &[CutOff]) -> String {
    let mut cut_off = cut_off.to_vec();
    cut_off.dedup_by_key(|c| c.node);
    let one = |c: &CutOff| {
        let name = c.name.clone().unwrap_or_else(|| c.node.to_string());
        c.address.map_or_else(|| name.clone(), |address| format!("{name} ({address})"))
    };
    let mut names: Vec<String> = cut_off.iter().take(NAMED).map(one).collect();
    if cut_off.len() > NAMED {
        names.push(format!("{} more", cut_off.len() - NAMED));
    }
    names.join(", ")
}

/// How many peers a refusal names.
const NAMED: usize = 8;

/// Ten years: longer than anyone needs, and sums do not overflow.
const LONGEST: u64 = 10 * 366 * 86_400;

/// How soon and how late the clock is read again for the end of an offline time.
const SOONEST: Duration = Duration::from_millis(10);
const LATEST: Duration = Duration::from_secs(60);
