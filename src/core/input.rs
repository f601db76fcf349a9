//! What goes into the core and what comes out.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use log::Level;

use crate::config::Config;
use crate::engine::{self};
use crate::event::EventName;
use crate::interface::{Interface, InterfaceIndex};
use crate::operation::Refusal;
use crate::packet::{Answer, Arrival, Probe, Transmit};
use crate::reconcile::{self, Batch, Dump, JournalWrite, Question, Results};
use crate::route::{Route, RouteKey};
use crate::watch::{self};

/// One thing that happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// All interfaces of the host, as the last listing or a fresh link query shows them, after any link or address event.
    /// Levels, not edges: handing in the same again changes nothing.
    Interfaces(&'a [Interface]),
    /// Something came in by a socket.
    Arrived(Arrival<'a>),
    /// A [`Output::Probe`] was answered.
    Answer(Answer),
    /// Answer to [`Output::ListNeighbours`].
    Neighbours {
        /// The interface.
        interface: InterfaceIndex,
        /// Their addresses, reachable or stale ones only.
        addresses: &'a [IpAddr],
    },
    /// Answer to [`Dump::OwnRoutes`].
    OwnRoutes(Vec<Route>),
    /// Answer to [`Dump::LanRoutes`].
    LanRoutes(Vec<Route>),
    /// Answer to [`Output::LookUp`]: all routes with this key.
    LookedUp(RouteKey, Vec<Route>),
    /// Answer to [`Output::Ask`]; as an error if the kernel refuses the packet.
    Answered(Question, Result<crate::route::Answer, Refusal>),
    /// A notification: this route was added or replaced. A hint; state is what a dump says.
    RouteAdded(Route),
    /// A notification: this route was deleted.
    RouteDeleted(Route),
    /// A notification: this interface was set down or deleted. A hint as well.
    WentDown(InterfaceIndex),
    /// Notifications were lost, or a dump failed: everything is read again.
    Overrun,
    /// Whether notifications wait to be read, see [`reconcile::Input::Backlog`].
    Backlog(bool),
    /// What became of all [`Output::Journal`] so far.
    Journalled(Result<(), Refusal>),
    /// What became of an [`Output::Apply`].
    Results(Results),
    /// Other settings; hand in the interfaces after it. Goodbyes to peers of LANs that are none any more come first: they go
    /// out by the sockets from before.
    Config(&'a Config),
    /// The interfaces that the administrator has taken out of service, all of them, whenever that changes.
    Offline(&'a BTreeSet<String>),
    /// Local time of day in seconds since midnight; wanted each minute if failback has a time window.
    TimeOfDay(u32),
    /// The administrator wants traffic home (failback policy `manual`).
    FailBack,
    /// faild ends: goodbyes go out, and what may be removed is removed.
    Stop {
        /// All overlays stay, whatever the settings say: another run follows.
        keep: bool,
    },
    /// The deadline passed.
    DeadlinePassed,
}

/// What the core wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send a datagram.
    Send(Transmit),
    /// Send an ARP request (IPv4) or neighbour solicitation (IPv6) for an address; an answer is handed in as
    /// [`Arrival::NeighbourAnswered`].
    Solicit {
        /// By this interface.
        interface: InterfaceIndex,
        /// From this address of ours.
        source: IpAddr,
        /// Who has this?
        target: IpAddr,
    },
    /// Send a probe to a host that may not run faild.
    Probe(Probe),
    /// The LANs, the interfaces with probes, or their addresses may have changed: open and close sockets, before anything
    /// that follows is sent.
    Endpoints,
    /// Read the carrier of the interfaces afresh and hand them in: probes are being missed.
    QueryLinks,
    /// Hand in the neighbours that the kernel knows on this interface.
    ListNeighbours(InterfaceIndex),
    /// Carry this out; hand in [`Input::Results`].
    Apply(Batch),
    /// Read this from the kernel and hand it in.
    Dump(Dump),
    /// Read all routes with this key.
    LookUp(RouteKey),
    /// Ask the kernel what it would do with a packet; nothing is sent.
    Ask(Question),
    /// Write this to the journal, before the next operations are carried out and before the kernel is listened to again;
    /// hand in [`Input::Journalled`]. Writes that were not carried out yet may be put together.
    Journal(JournalWrite),
    /// Write this down where it survives a reboot.
    Remember(Memory),
    /// Verdicts differ from before.
    PlanChanged,
    /// Tell people.
    Notice(Notice),
}

/// What survives a reboot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memory {
    /// Our node id, LAN indices and proven paths.
    pub peers: engine::Memory,
    /// What became of next hops and members of groups.
    pub watch: watch::Memory,
}

/// Something that happened, with the words for it. [`fmt::Display`] gives one line: event name, then key=value.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// To a peer, a path or a LAN.
    Peers(engine::Notice),
    /// To a next hop, a group or one of its members.
    Watch(watch::Notice),
    /// To routes and addresses in the kernel.
    Reconcile(reconcile::Notice),
}

impl Notice {
    /// Which event it is.
    pub const fn name(&self) -> EventName {
        match self {
            Notice::Peers(notice) => notice.name(),
            Notice::Watch(notice) => notice.name(),
            Notice::Reconcile(notice) => notice.name(),
        }
    }

    /// How much it matters.
    pub fn level(&self) -> Level {
        match self {
            Notice::Peers(notice) => notice.level(),
            Notice::Watch(notice) => notice.level(),
            Notice::Reconcile(notice) => notice.level(),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Peers(notice) => notice.fmt(f),
            Notice::Watch(notice) => notice.fmt(f),
            Notice::Reconcile(notice) => notice.fmt(f),
        }
    }
}
