//! The daemon: starts up in an order in which every error comes before any change, then runs the loop.
//!
//! ```text
//! configuration checked (before us) -> detach -> signals -> privileges -> instance lock -> log, pid file -> limits, rights
//!   -> netlink -> memory, journal -> the kernel is read, sockets -> SIGTERM held -> pid -> real-time priority -> ready -> loop
//!   -> goodbye
//! ```

mod agenda;
pub mod clock;
mod comparing;
mod confirmation;
mod control;
mod detach;
mod edges;
mod event_loop;
mod files;
mod heap;
mod hooks;
mod instance;
mod lag;
mod local_time;
mod log;
mod neighbours;
mod offline;
mod pid_file;
mod preview;
mod privileges;
mod realtime;
mod rehearsal;
mod rest;
mod running_kernel;
pub mod signals;
mod state;
mod supervisor;
mod timer;

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;

use ::log::{info, warn};
use anyhow::Context;
use mio::Poll;

use self::agenda::Agenda;
use self::confirmation::Confirmation;
use self::control::{Control, Events};
use self::detach::{Readiness, Side};
pub use self::edges::Reading;
use self::edges::{Edges, Source};
use self::event_loop::EventLoop;
use self::hooks::Hooks;
use self::instance::Instance;
use self::log::Log;
use self::neighbours::Neighbours;
use self::offline::Offline;
use self::pid_file::PidFile;
use self::realtime::{Limited, Realtime};
use self::running_kernel::running_kernel;
use self::signals::Signals;
use self::state::{Journal, State};
use self::supervisor::Supervisor;
use crate::change::Tracker;
use crate::config::account::trust;
use crate::config::{Config, Faults, Loaded, check_against_interfaces, host_warnings, keep_fixed};
use crate::core::Core;
use crate::interface::Interface;
use crate::kernel::{DryRun, Kernel, Monitor, Netlink, RECEIVE_BUFFER};
use crate::net::{Probers, Sockets};
use crate::reconcile::LastRun;
use crate::words::Unquoted;

/// Runs the daemon with this configuration until a signal stops it; its warnings go to the log first. `load` reads the
/// configuration again; from `/` if the daemon detaches. Returns the exit status of this process; if the daemon
/// detaches, that is the one that was started.
///
/// # Errors
///
/// Why it cannot start, in one line with all causes.
pub fn run(
    loaded: Loaded,
    load: impl Fn(Reading<'_>) -> Result<Loaded, Faults> + 'static,
) -> anyhow::Result<u8> {
    let readiness = match loaded.config.daemon {
        true => match detach::detach()? {
            Side::Parent(status) => return Ok(status),
            Side::Daemon(readiness) => readiness,
        },
        false => Readiness::default(),
    };
    serve(loaded, Source::new(load), readiness)?;
    Ok(0)
}

/// The interfaces of this host, if they can be read; for checks that change nothing.
pub fn interfaces() -> Option<Vec<Interface>> {
    Netlink::open(RECEIVE_BUFFER).and_then(|mut netlink| netlink.interfaces()).ok()
}

/// The warnings that a start with this configuration would log on this host; for checks that change nothing.
pub fn preview(config: &Config) -> Vec<String> {
    let rights = privileges::check(config)
        .err()
        .map(|refusal| format!("a start as this user would fail: {refusal:#}"));
    let looked =
        Netlink::open(RECEIVE_BUFFER).and_then(|mut netlink| preview::warnings(config, &mut netlink));
    let found = looked.unwrap_or_else(|error| vec![format!("cannot inspect this host: {error}")]);
    rights.into_iter().chain(found).collect()
}

fn serve(loaded: Loaded, source: Source, readiness: Readiness) -> anyhow::Result<()> {
    let Loaded { config, warnings, file, text } = loaded;
    let signals = Signals::open().context("cannot block signals")?;
    privileges::check(&config)?;
    let instance = Instance::take()?;
    let trust = trust(&config.user);
    let log = Log::start(config.log.as_deref(), config.verbosity, trust.clone())?;
    heap::begin();
    info!(
        "starting version={} pid={} dry-run={}",
        env!("CARGO_PKG_VERSION"),
        std::process::id(),
        config.dry_run
    );
    warn_of(&warnings);
    let mut pid_file = config.pid_file.as_deref().map(|path| PidFile::open(path, &trust)).transpose()?;
    let poll = Poll::new().context("cannot set up polling")?;
    let registry = poll.registry().try_clone().context("cannot set up polling")?;
    privileges::prepare(&config, &trust)?;
    // While still root, which may give the socket to any group.
    let control = Control::open(&config.runtime_dir, &config.control_group, registry, &trust)?;
    let limited = Limited::prepare(config.realtime && !config.dry_run);
    privileges::drop_rights(&config, &trust)?;
    let mut confirmation = Confirmation::open(&config.state_dir, config.dry_run, text);
    let config = confirmed(config, file.as_deref(), &mut confirmation, &source, &log);
    let netlink = Netlink::open(RECEIVE_BUFFER).context("cannot open a netlink socket")?;
    let monitor =
        Monitor::open(netlink.port(), RECEIVE_BUFFER).context("cannot subscribe to kernel notifications")?;
    let kernel = open_kernel(netlink, &config)?;
    let registry = poll.registry().try_clone().context("cannot set up polling")?;
    let hooks = Hooks::new(&config, registry, limited.children()).context("cannot set up hooks")?;
    let edges = edges(config, kernel, &poll, log.clone(), source, confirmation, limited)?;
    let mut event_loop = EventLoop::new(edges, control, poll, signals, monitor, hooks, instance)?;
    event_loop.supervisor = Supervisor::from_env();
    event_loop.edges.start(clock::read());
    signals::hold_ends().context("cannot block signals")?;
    pid_file.as_mut().map(PidFile::fill).transpose()?;
    heap::trim();
    let edges = &mut event_loop.edges;
    edges.realtime.follow(clock::read().now, edges.config.realtime && !edges.config.dry_run);
    info!("ready");
    if readiness.is_awaited() {
        log.leave_stderr();
    }
    readiness.tell()?;
    event_loop.supervisor.tell_ready(clock::read().now);
    event_loop.run()
}

/// The configuration before that of the file, if that was on trial and was never confirmed.
fn confirmed(
    config: Config,
    file: Option<&Path>,
    confirmation: &mut Confirmation,
    source: &Source,
    log: &Log,
) -> Config {
    let Some(text) = confirmation.confirmed() else { return config };
    let file = file.map_or("none".into(), Path::to_string_lossy);
    let loaded = source.read(Reading::Text(text)).map_err(anyhow::Error::from).and_then(|mut loaded| {
        keep_fixed(&config, &mut loaded.config);
        let list = check_against_interfaces(&loaded.config, &interfaces().unwrap_or_default());
        if !list.is_empty() {
            return Err(Faults { list }.into());
        }
        log.follow(loaded.config.log.as_deref(), loaded.config.verbosity).map(|()| loaded)
    });
    match loaded {
        Ok(Loaded { config, warnings, .. }) => {
            warn_of(&warnings);
            warn!(
                "config-unconfirmed file={file} action=\"using the previous configuration: the file was never confirmed\" fix=\"run faildctl reload to apply it, or edit it and restart\""
            );
            confirmation.go_back();
            config
        }
        Err(error) => {
            warn!(
                "config-unconfirmed file={file} action=\"using the unconfirmed file: the previous configuration is unusable\" error=\"{}\"",
                Unquoted(&format!("{error:#}"))
            );
            config
        }
    }
}

/// Logs what is probably not as it was meant.
fn warn_of(warnings: &[String]) {
    warnings.iter().for_each(|warning| warn!("config-warning text=\"{}\"", Unquoted(warning)));
}

/// The kernel, in a dry run read-only; an error if the configuration does not match the host's interfaces.
fn open_kernel(mut netlink: Netlink, config: &Config) -> anyhow::Result<Box<dyn Kernel>> {
    let interfaces = netlink.interfaces().context("cannot read the interfaces")?;
    let list = check_against_interfaces(config, &interfaces);
    if !list.is_empty() {
        return Err(Faults { list }.into());
    }
    warn_of(&host_warnings(config, &interfaces));
    Ok(if config.dry_run { Box::new(DryRun::new(netlink)) } else { Box::new(netlink) })
}

fn edges(
    config: Config,
    kernel: Box<dyn Kernel>,
    poll: &Poll,
    log: Log,
    source: Source,
    confirmation: Confirmation,
    limited: Limited,
) -> anyhow::Result<Edges> {
    let (state, memory) = State::open(&config.state_dir, config.dry_run)?;
    let (journal, journalled) = Journal::open(&config.runtime_dir, config.dry_run)?;
    let running = running_kernel();
    let registry = poll.registry().try_clone().context("cannot set up polling")?;
    let last = LastRun { journal: journalled.as_deref(), kernel: &running };
    Ok(Edges {
        core: Core::new(&config, memory, last, state::random()?),
        kernel,
        probers: Probers::new(
            registry.try_clone().context("cannot set up polling")?,
            u16::from_le_bytes(state::random()?),
        ),
        sockets: Sockets::new(registry, config.port),
        state,
        journal,
        agenda: Agenda::default(),
        errands: VecDeque::new(),
        links_queried: None,
        troubles: BTreeSet::new(),
        checked: Vec::new(),
        findings: BTreeSet::new(),
        offline: Offline::open(&config.state_dir, config.dry_run),
        events: Events::default(),
        started: clock::read().now,
        realtime: Realtime::new(Box::new(limited)),
        neighbours: Neighbours::default(),
        log,
        source,
        trial: None,
        confirmation,
        end: None,
        tracker: Tracker::default(),
        changes: Vec::new(),
        config,
    })
}
