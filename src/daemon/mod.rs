//! The daemon: starts up in an order in which every refusal comes before anything is changed, then turns the loop.
//!
//! ```text
//! settings checked (before us) -> detach -> signals -> may we? -> one instance -> log, pid file -> rights dropped
//!   -> netlink -> memory, journal -> the kernel is read, sockets -> pid -> ready -> loop -> goodbye
//! ```

mod agenda;
pub mod clock;
mod comparing;
mod core;
mod detach;
mod event_loop;
mod files;
mod hooks;
mod instance;
mod lag;
mod local_time;
mod log;
mod pid_file;
mod privileges;
mod signals;
mod state;
mod supervisor;
mod timer;

use std::collections::{BTreeSet, VecDeque};

use ::log::{info, warn};
use anyhow::Context;
use mio::Poll;

use self::agenda::Agenda;
use self::core::Core;
use self::detach::{Readiness, Side};
use self::event_loop::EventLoop;
use self::hooks::Hooks;
use self::instance::Instance;
use self::log::Log;
use self::pid_file::PidFile;
use self::signals::Signals;
use self::state::{Journal, State};
use self::supervisor::Supervisor;
use crate::change::Tracker;
use crate::config::{Config, Faults, absent_lans, check_against_interfaces};
use crate::engine::Engine;
use crate::interface::Interface;
use crate::kernel::{DryRun, Kernel, Monitor, Netlink, RECEIVE_BUFFER};
use crate::net::Sockets;
use crate::reconcile::{Reconciler, Settings};

/// Runs the daemon with these settings until a signal ends it; `warnings` go to the log first. The status to end with
/// is that of this process, which is the one that was started if the daemon detaches.
///
/// # Errors
///
/// Why it cannot start, as one line with all causes.
pub fn run(config: Config, warnings: &[String]) -> anyhow::Result<u8> {
    let readiness = match config.daemon {
        true => match detach::detach()? {
            Side::Parent(status) => return Ok(status),
            Side::Daemon(readiness) => readiness,
        },
        false => Readiness::default(),
    };
    serve(config, warnings, readiness)?;
    Ok(0)
}

/// The interfaces of this host, if they can be read; for checks that change nothing.
pub fn interfaces() -> Option<Vec<Interface>> {
    Netlink::open(RECEIVE_BUFFER).and_then(|mut netlink| netlink.interfaces()).ok()
}

fn serve(config: Config, warnings: &[String], readiness: Readiness) -> anyhow::Result<()> {
    let signals = Signals::open().context("cannot block signals")?;
    privileges::check(&config)?;
    let _instance = Instance::take()?;
    let log = Log::start(config.log.as_deref(), config.verbosity)?;
    info!(
        "starting version={} pid={} dry-run={}",
        env!("CARGO_PKG_VERSION"),
        std::process::id(),
        config.dry_run
    );
    warnings.iter().for_each(|warning| warn!("configuration {warning}"));
    let mut pid_file = config.pid_file.as_deref().map(PidFile::open).transpose()?;
    privileges::drop_rights(&config)?;
    let netlink = Netlink::open(RECEIVE_BUFFER).context("cannot talk to the kernel")?;
    let monitor = Monitor::open(netlink.port(), RECEIVE_BUFFER).context("cannot listen to the kernel")?;
    let poll = Poll::new().context("cannot poll")?;
    let kernel = open_kernel(netlink, &config)?;
    let registry = poll.registry().try_clone().context("cannot poll")?;
    let hooks = Hooks::new(&config.hooks, config.dry_run, registry).context("cannot make ready for hooks")?;
    let core = core(config, kernel, &poll)?;
    let mut event_loop = EventLoop::new(core, poll, signals, monitor, log.clone(), hooks)?;
    event_loop.supervisor = Supervisor::from_env();
    event_loop.core.start(clock::read());
    pid_file.as_mut().map(PidFile::fill).transpose()?;
    info!("ready");
    if readiness.is_awaited() {
        log.leave_stderr();
    }
    readiness.tell()?;
    event_loop.supervisor.tell_ready(clock::read().now);
    event_loop.run()
}

/// The kernel, or in a dry run one that is only looked at; refused if the settings do not go with what the host has.
fn open_kernel(mut netlink: Netlink, config: &Config) -> anyhow::Result<Box<dyn Kernel>> {
    let interfaces = netlink.interfaces().context("cannot read the interfaces")?;
    let list = check_against_interfaces(config, &interfaces);
    if !list.is_empty() {
        return Err(Faults { list }.into());
    }
    absent_lans(config, &interfaces).iter().for_each(|warning| warn!("configuration {warning}"));
    Ok(if config.dry_run { Box::new(DryRun::new(netlink)) } else { Box::new(netlink) })
}

fn core(config: Config, kernel: Box<dyn Kernel>, poll: &Poll) -> anyhow::Result<Core> {
    let (state, memory) = State::open(&config.state_dir, config.dry_run)?;
    let (journal, journalled) = Journal::open(&config.runtime_dir, config.dry_run)?;
    let registry = poll.registry().try_clone().context("cannot poll")?;
    Ok(Core {
        engine: Engine::new(&config, memory, state::random()?),
        reconciler: Reconciler::new(Settings::from(&config), journalled.as_deref()),
        kernel,
        sockets: Sockets::new(registry, config.port),
        state,
        journal,
        interfaces: Vec::new(),
        agenda: Agenda::default(),
        errands: VecDeque::new(),
        is_plan_new: false,
        links_queried: None,
        troubles: BTreeSet::new(),
        checked: Vec::new(),
        findings: BTreeSet::new(),
        tracker: Tracker::new(&config.peers),
        changes: Vec::new(),
        config,
    })
}
