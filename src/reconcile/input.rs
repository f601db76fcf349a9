//! What goes into the reconciler and what comes out.

use std::net::IpAddr;

use super::{Batch, Notice, Results, Settings};
use crate::engine::{NextHop, Outcome, Plan, Subject};
use crate::interface::{Interface, InterfaceIndex};
use crate::operation::Refusal;
use crate::route::Route;
use crate::watch;

/// One thing that happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// The engine's plan, whole, whenever it changed.
    Plan(&'a Plan),
    /// The watch's plan, whole, at the start and whenever it changed. If the settings name destinations or groups nothing
    /// is done before it came.
    Watch(&'a watch::Plan),
    /// All interfaces, whole, after any link or address event.
    Interfaces(&'a [Interface]),
    /// Answer to [`Dump::OwnRoutes`]: all routes with our protocol number, both families, all tables.
    OwnRoutes(Vec<Route>),
    /// Answer to [`Dump::LanRoutes`]: all unicast routes over the interfaces and in the tables of
    /// [`super::Reconciler::scope`], both families, all protocols (the kernel's own connected routes and ours included),
    /// and all routes of other types in those tables.
    LanRoutes(Vec<Route>),
    /// Answer to [`Output::LookUp`]: all routes with this key.
    LookedUp(crate::route::RouteKey, Vec<Route>),
    /// Answer to [`Output::Ask`]; as an error if the kernel refuses the packet.
    Answered(super::Question, Result<crate::route::Answer, Refusal>),
    /// A notification: this route was added or replaced. A hint; state is what a dump says.
    RouteAdded(Route),
    /// A notification: this route was deleted by somebody.
    RouteDeleted(Route),
    /// A notification: this interface was set down (RTM_NEWLINK without IFF_UP) or deleted. A hint as well; it tells a
    /// bounce that is over before anybody could look from routes that somebody deleted.
    WentDown(InterfaceIndex),
    /// Notifications were lost: look at everything again.
    Overrun,
    /// Whether notifications wait to be read, of which those that follow are some. Until all are read, and the interfaces
    /// listed if they say so, nothing is put back and nothing is given up: what is due by the clock may be otherwise by
    /// what was told in the meantime, be it seconds (SIGSTOP, a suspended machine).
    Backlog(bool),
    /// What became of all [`Output::Journal`] so far. Nothing waits for it but what is to be done to addresses.
    Journalled(Result<(), Refusal>),
    /// What became of an [`Output::Apply`].
    Results(Results),
    /// The settings have changed; LANs that are none by the new ones are named.
    Settings {
        /// The new ones.
        settings: Settings,
        /// Names of the LANs' interfaces.
        left: &'a [String],
    },
    /// faild ends: lift what may be lifted, say what stays and how to undo it.
    Stop,
    /// The deadline passed.
    DeadlinePassed,
}

/// What the reconciler wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dump {
    /// Links and addresses.
    Interfaces,
    /// Routes with our protocol number.
    OwnRoutes,
    /// Routes over the LANs' and the watch's interfaces.
    LanRoutes,
}

/// A change of the journal's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalWrite {
    /// This behind what is there: whole lines. After a failure a [`JournalWrite::Replace`] comes next.
    Append(String),
    /// This in place of what is there, at once or not at all.
    Replace(String),
}

impl JournalWrite {
    /// Does it to a text that plays the file.
    pub fn apply_to(self, file: &mut String) {
        match self {
            JournalWrite::Append(text) => file.push_str(&text),
            JournalWrite::Replace(text) => *file = text,
        }
    }
}

/// What the reconciler wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Carry this out; hand in [`Input::Results`]. Who takes in other inputs before asks [`super::Reconciler::review`] what
    /// is left of it.
    Apply(Batch),
    /// Read this from the kernel and hand it in.
    Dump(Dump),
    /// Read all routes with this key: one that no dump shows refuses ours the place.
    LookUp(crate::route::RouteKey),
    /// Ask the kernel what it would do with a packet; nothing is sent.
    Ask(super::Question),
    /// Write this to the journal, before the next operations are carried out and before the kernel is listened to
    /// again; hand in [`Input::Journalled`]. Writes that were not carried out yet may be put together.
    Journal(JournalWrite),
    /// For the engine.
    Outcome(Subject, Outcome),
    /// For the engine: a host overlay was found at the start, or was removed by others while nothing was decided.
    Adopted {
        /// The address that it leads to.
        address: IpAddr,
        /// The way that it uses; none if it has gone.
        way: Option<NextHop>,
    },
    /// For the watch: the legs of all routes of others over its interfaces, whenever they changed.
    Found(Vec<watch::Found>),
    /// Tell people.
    Notice(Notice),
}
