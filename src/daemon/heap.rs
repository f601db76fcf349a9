//! Keeps the process no larger than what it holds, and resident where that is wanted.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};

use log::debug;
use nix::errno::Errno;
use nix::sys::prctl;
use rustix::mm::{MlockAllFlags, mlockall, munlockall};

/// No huge pages: where they are the rule (transparent_hugepage=always), a thread that uses a page of its stack is given
/// two megabytes, and another two for what it allocates. One heap for all threads: a heap for each would reserve 64 MB,
/// all of which counts as locked where memory is.
pub(super) fn begin() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt(3) takes two numbers; there is one thread so far.
    unsafe {
        nix::libc::mallopt(nix::libc::M_ARENA_MAX, 1);
    }
    if let Err(error) = prctl::set_thp_disable(true) {
        debug!("huge-pages-not-disabled error=\"{error}\"");
    }
}

/// Returns free pages to the kernel. Left alone, the allocator keeps what lies below anything that is still in use: with
/// a thousand peers a quarter of the process.
pub(super) fn trim() {
    // Free pages that are locked would stay: madvise(2), MADV_DONTNEED.
    let was_locked = is_locked();
    if was_locked {
        unlock();
    }
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim(3) has no preconditions; it takes the allocator's own locks.
    unsafe {
        nix::libc::malloc_trim(0);
    }
    if was_locked && let Err(errno) = lock() {
        debug!("memory-not-locked-again error=\"{errno}\"");
    }
}

/// Keeps every page resident that is used, from now on or for the first time later: nothing is read in that nothing
/// uses, so that the process does not grow. It ends with the process, and programs that it starts do not inherit it.
///
/// # Errors
///
/// What the kernel says; ENOMEM if a limit is too low.
pub(super) fn lock() -> Result<(), Errno> {
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    mlockall(all).map_err(|error| Errno::from_raw(error.raw_os_error()))?;
    LOCKED.store(true, Ordering::Relaxed);
    Ok(())
}

/// Ends that.
pub(super) fn unlock() {
    LOCKED.store(false, Ordering::Relaxed);
    // It has nothing to refuse.
    let _ = munlockall();
}

/// Whether [`lock`] is in force.
pub(super) fn is_locked() -> bool {
    LOCKED.load(Ordering::Relaxed)
}

/// As global as what it describes.
static LOCKED: AtomicBool = AtomicBool::new(false);
