//! What faild must be allowed to do, checked once at the start so that the refusal is one line and not one a socket.

use anyhow::{Context, bail};

/// Checks for CAP_NET_ADMIN and CAP_NET_RAW.
///
/// # Errors
///
/// One line with the way out.
pub(super) fn check() -> anyhow::Result<()> {
    let status = std::fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    let missing = missing(effective(&status).context("no CapEff in /proc/self/status")?);
    if missing.is_empty() {
        return Ok(());
    }
    bail!("not allowed to work here: {} missing; start faild as root", missing.join(" and "))
}

fn missing(effective: u64) -> Vec<&'static str> {
    let needed = [(CAP_NET_ADMIN, "CAP_NET_ADMIN"), (CAP_NET_RAW, "CAP_NET_RAW")];
    needed.iter().filter(|(bit, _)| effective & (1 << bit) == 0).map(|(_, name)| *name).collect()
}

fn effective(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(value.trim(), 16).ok()
}

// Numbers of linux/capability.h.
const CAP_NET_ADMIN: u32 = 12;
const CAP_NET_RAW: u32 = 13;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_has_them_and_others_are_told_what_is_missing() {
        let status = "Name:\tfaild\nCapPrm:\t0000000000000000\nCapEff:\t000001ffffffffff\nCapBnd:\t0\n";
        assert_eq!(missing(effective(status).unwrap()), Vec::<&str>::new());
        assert_eq!(missing(0), ["CAP_NET_ADMIN", "CAP_NET_RAW"]);
        assert_eq!(missing(1 << 12), ["CAP_NET_RAW"]);
        assert_eq!(effective("Name:\tfaild\n"), None);
    }
}
