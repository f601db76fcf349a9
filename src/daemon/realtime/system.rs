//! Linux: scheduling policy, limits of resources, locked memory (sched(7), getrlimit(2), mlockall(2)).
//!
//! The right to real-time priority is a limit (RLIMIT_RTPRIO), raised while faild is still root: so the priority can be
//! taken, lost and taken again after the capabilities are given up. Under a service manager the limits come from there.
//! Where root may not raise limits (a container without CAP_SYS_RESOURCE), the priority is taken before the
//! capabilities are given up, and once lost it cannot be taken again.
//!
//! What faild starts has none of it. Threads and programs begin at ordinary priority (SCHED_RESET_ON_FORK), locked memory
//! is not inherited, and [`ChildLimits`] puts the limits back before a program is executed.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{self, c_int};
use nix::poll::ppoll;
use nix::sys::resource;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::time::{TimeSpec, TimeValLike};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities};

use super::super::heap;
use super::{Denial, System};

/// The system itself, for the thread that makes it, which is the one with the loop.
#[derive(Debug)]
pub(in crate::daemon) struct Limited {
    /// What is taken: what the thread was started with if that is real-time already (chrt(1)).
    taken: Scheduling,
    was_realtime: bool,
    /// It was refused while faild had the right to it: something else is in the way.
    is_barred: bool,
    children: ChildLimits,
}

/// A policy with its priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Scheduling {
    policy: c_int,
    priority: c_int,
}

/// Limits for programs that faild starts: as faild found them, and no right to real-time priority.
#[derive(Debug, Clone, Copy)]
pub(in crate::daemon) struct ChildLimits {
    locked: Rlimit,
    /// None: it cannot be read.
    cpu: Option<Rlimit>,
}

impl Limited {
    /// Looks at how things are, and raises the limits if realtime is `wanted`; to be called before the rights are given
    /// up. Where they cannot be raised, they may be high enough.
    pub(in crate::daemon) fn prepare(wanted: bool) -> Self {
        let found = scheduling();
        let was_realtime = [libc::SCHED_FIFO, libc::SCHED_RR].contains(&found.policy);
        let taken =
            if was_realtime { found } else { Scheduling { policy: libc::SCHED_RR, priority: LOWEST } };
        let children = ChildLimits { locked: getrlimit(Resource::Memlock), cpu: cpu_time().ok() };
        let mut limited = Self { taken, was_realtime, is_barred: false, children };
        if wanted {
            grant(Resource::Rtprio, Some(limited.least()));
            grant(Resource::Memlock, None);
            if !limited.is_allowed() {
                limited.is_barred = limited.raise().is_err() && may_raise();
            }
        }
        limited
    }

    /// The limit that it takes.
    fn least(&self) -> u64 {
        u64::try_from(self.taken.priority).unwrap_or(0)
    }

    /// Whether the limit is enough, whatever rights are held.
    fn is_allowed(&self) -> bool {
        getrlimit(Resource::Rtprio).current.is_none_or(|allowed| allowed >= self.least())
    }

    /// For programs that faild starts.
    pub(in crate::daemon) fn children(&self) -> ChildLimits {
        self.children
    }

    /// The kernel adds a second to the limit each time that it is reached.
    fn limit_cpu_time(&self) -> Result<(), Errno> {
        let Rlimit { current, maximum } = self.children.cpu.map_or_else(cpu_time, Ok)?;
        let wanted = u64::try_from(CPU_LIMIT.as_micros()).unwrap_or(u64::MAX);
        // Below the hard limit, at which the kernel kills.
        let most = maximum.map_or(wanted, |hard| wanted.min(hard / 2));
        let soft = current.map_or(most, |soft| soft.min(most));
        // Lowering it is always allowed, save by a filter of system calls.
        setrlimit(Resource::Rttime, Rlimit { current: Some(soft), maximum })
            .map_err(|errno| Errno::from_raw(errno.raw_os_error()))
    }

    fn denial(&self, errno: Errno) -> Denial {
        match getrlimit(Resource::Rtprio).current {
            Some(allowed) if errno == Errno::EPERM && !self.is_allowed() && !may_raise() && !self.is_barred => Denial {
                cause: format!("the limit of real-time priority (RLIMIT_RTPRIO) is {allowed}"),
                fix: "restart faild as root, or with LimitRTPRIO=1 (ulimit -r 1)",
            },
            _ if errno == Errno::EPERM => Denial {
                cause: "the control group has no real-time runtime (RT_GROUP_SCHED), or a filter of system calls forbids it"
                    .to_owned(),
                fix: "set cpu.rt_runtime_us of the group, RestrictRealtime=no in the unit, or realtime = false",
            },
            _ => Denial {
                cause: format!("the kernel refuses it: {}", errno.desc()),
                fix: "set realtime = false",
            },
        }
    }
}

impl System for Limited {
    fn raise(&mut self) -> Result<u32, Denial> {
        // First, so that there is no moment without: a loop without a pause would keep a processor for itself.
        self.limit_cpu_time().map_err(|errno| Denial {
            cause: format!("the limit of CPU time (RLIMIT_RTTIME) cannot be set: {}", errno.desc()),
            fix: "allow the system call prlimit64 where system calls are filtered, or set realtime = false",
        })?;
        lower_when_exhausted().map_err(|errno| self.denial(errno))?;
        set_scheduling(self.taken).map_err(|errno| self.denial(errno))?;
        // The kernel counts CPU time from the last pause, also from one before the limit was reached. Timers of real-time
        // threads have no slack: a shorter pause could be over before it began.
        let _ = ppoll(&mut [], Some(TimeSpec::microseconds(500)), None);
        Ok(u32::try_from(self.taken.priority).unwrap_or(0))
    }

    fn lower(&mut self) {
        if !self.was_realtime {
            // Nothing can refuse that.
            let _ = set_scheduling(ORDINARY);
        }
    }

    fn lock(&mut self) -> Result<(), Denial> {
        let limit = getrlimit(Resource::Memlock);
        // As far as it may be raised without a right.
        let _ = setrlimit(Resource::Memlock, Rlimit { current: limit.maximum, ..limit });
        // Beyond a limit no memory could be allocated any more.
        if let Some(most) = getrlimit(Resource::Memlock).current {
            return Err(Denial {
                cause: format!("the limit of locked memory (RLIMIT_MEMLOCK) is {} kB", most / 1024),
                fix: "restart faild with LimitMEMLOCK=infinity (ulimit -l unlimited)",
            });
        }
        heap::lock().map_err(|errno| Denial {
            cause: format!("the kernel refuses it: {}", errno.desc()),
            fix: "set realtime = false",
        })
    }

    fn unlock(&mut self) {
        heap::unlock();
    }

    fn is_locked(&self) -> bool {
        heap::is_locked()
    }

    fn take_exhausted(&mut self) -> bool {
        EXHAUSTED.load(Ordering::Relaxed) && EXHAUSTED.swap(false, Ordering::Relaxed)
    }
}

impl ChildLimits {
    /// Puts them in force for this process, which is about to become another program. Makes system calls only, so that it
    /// can be called between fork and exec. A limit that is lowered is never denied.
    pub(in crate::daemon) fn apply(self) {
        let _ = setrlimit(Resource::Rtprio, Rlimit { current: Some(0), maximum: Some(0) });
        let _ = setrlimit(Resource::Memlock, self.locked);
        if let Some(cpu) = self.cpu {
            let _ = setrlimit(Resource::Rttime, cpu);
        }
    }
}

/// The limit of CPU time without a pause. The function of rustix takes for granted that it can be read.
fn cpu_time() -> Result<Rlimit, Errno> {
    let (current, maximum) = resource::getrlimit(resource::Resource::RLIMIT_RTTIME)?;
    let finite = |value| (value != libc::RLIM_INFINITY).then_some(value);
    Ok(Rlimit { current: finite(current), maximum: finite(maximum) })
}

/// Whether it may take real-time priority whatever the limit.
fn may_raise() -> bool {
    capabilities(None).is_ok_and(|held| held.effective.contains(CapabilitySet::SYS_NICE))
}

/// Raises a limit, both of its values, to at least this; to none for `None`.
fn grant(resource: Resource, least: Option<u64>) {
    let found = getrlimit(resource);
    let raise = |value: Option<u64>| match (value, least) {
        (Some(value), Some(least)) => Some(value.max(least)),
        _ => None,
    };
    // Without the right to it, the kernel says no, and what it costs is told when it is needed.
    let _ = setrlimit(resource, Rlimit { current: raise(found.current), maximum: raise(found.maximum) });
}

/// Has the kernel's signal for the limit of CPU time end real-time priority: the loop may never come to it.
fn lower_when_exhausted() -> Result<(), Errno> {
    let action = SigAction::new(SigHandler::Handler(on_exhausted), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler makes one system call and sets one atomic, both of which a handler may (signal-safety(7)).
    unsafe { sigaction(Signal::SIGXCPU, &action) }.map(drop)
}

extern "C" fn on_exhausted(_: c_int) {
    let errno = Errno::last_raw();
    EXHAUSTED.store(true, Ordering::Relaxed);
    // The thread that has used up its time is the one that the kernel interrupts first.
    let _ = set_scheduling(ORDINARY);
    Errno::set_raw(errno);
}

/// Of this thread. The C library's functions are left out: musl's refuse, since a process of POSIX has one policy for all
/// its threads.
fn set_scheduling(Scheduling { policy, priority }: Scheduling) -> Result<(), Errno> {
    let policy = policy | libc::SCHED_RESET_ON_FORK;
    // SAFETY: the kernel's struct sched_param is one int, which lives through the call.
    let result = unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const priority) };
    Errno::result(result).map(drop)
}

/// Of this thread.
fn scheduling() -> Scheduling {
    let mut priority: c_int = 0;
    // SAFETY: no argument but a number.
    let policy = unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) };
    // SAFETY: the kernel's struct sched_param is one int, which lives through the call.
    let _ = unsafe { libc::syscall(libc::SYS_sched_getparam, 0, &raw mut priority) };
    // Small numbers; an error, which no argument here can cause, is no policy at all.
    let policy = c_int::try_from(policy).unwrap_or(-1) & !libc::SCHED_RESET_ON_FORK;
    Scheduling { policy, priority }
}

/// Set by the handler, which has no other way to say it.
static EXHAUSTED: AtomicBool = AtomicBool::new(false);

const ORDINARY: Scheduling = Scheduling { policy: libc::SCHED_OTHER, priority: 0 };

/// Before every program of ordinary priority, and behind everything else that is real-time: the threads of the kernel
/// that serve interrupts are at 50.
const LOWEST: c_int = 1;

/// CPU time without a pause, after which something is wrong: reading and moving 100,000 routes takes less. Until then
/// the kernel leaves other programs a twentieth of the processor (sched(7), sched_rt_runtime_us).
pub(super) const CPU_LIMIT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
