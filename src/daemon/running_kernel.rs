//! Which kernel this is: a journal that another boot or another network namespace left tells of routes and interfaces
//! that this one never had.

use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, getsockopt, socket};
use nix::{getsockopt_impl, libc, sockopt_impl};

/// A word that no other boot has and no other network namespace; empty if the system does not say.
pub(super) fn running_kernel() -> String {
    match (fs::read_to_string("/proc/sys/kernel/random/boot_id"), namespace()) {
        (Ok(boot), Some(namespace)) => format!("{}/{namespace}", boot.trim()),
        (Err(_), _) | (_, None) => String::new(),
    }
}

/// The namespace's cookie (Linux 5.14), which is never used again; before that its inode, which may be.
fn namespace() -> Option<String> {
    let cookie = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
        .and_then(|socket| getsockopt(&socket, NamespaceCookie));
    match cookie {
        Ok(cookie) => Some(format!("{cookie}")),
        Err(_) => fs::metadata("/proc/self/ns/net").ok().map(|file| format!("inode:{}", file.ino())),
    }
}

sockopt_impl!(
    /// SO_NETNS_COOKIE, see `socket(7)`.
    NamespaceCookie,
    GetOnly,
    libc::SOL_SOCKET,
    libc::SO_NETNS_COOKIE,
    u64
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_one_word_and_stays_the_same() {
        let word = running_kernel();
        assert_eq!(word, running_kernel());
        assert_eq!(word.split_whitespace().count(), 1, "{word:?}");
    }
}
