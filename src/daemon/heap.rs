//! Gives memory back that only a moment needed.
#![allow(unsafe_code)]

/// Returns free pages to the kernel. Left alone, the allocator keeps what lies below anything that is still in use: with
/// a thousand peers a quarter of the process.
pub(super) fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim(3) has no preconditions; it takes the allocator's own locks.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}
