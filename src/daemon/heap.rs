//! Keeps the process no larger than what it holds.
#![allow(unsafe_code)]

use log::debug;
use nix::sys::prctl;

/// No huge pages: where they are the rule (transparent_hugepage=always), a thread that uses a page of its stack is given
/// two megabytes, and another two for what it allocates.
pub(super) fn begin() {
    if let Err(error) = prctl::set_thp_disable(true) {
        debug!("huge-pages-left error=\"{error}\"");
    }
}

/// Returns free pages to the kernel. Left alone, the allocator keeps what lies below anything that is still in use: with
/// a thousand peers a quarter of the process.
pub(super) fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim(3) has no preconditions; it takes the allocator's own locks.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}
