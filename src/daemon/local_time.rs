//! The time of day as people at the host read it off their clock, for failback in a time window.
#![allow(unsafe_code)]

use std::time::Duration;

use nix::libc;

/// Seconds since local midnight at the moment that is `since_1970`, by the time zone of the host (TZ,
/// /etc/localtime). UTC if the C library cannot tell.
pub(super) fn time_of_day(since_1970: Duration) -> u32 {
    let utc = since_1970.as_secs() % DAY;
    let seconds = local(since_1970).unwrap_or(utc);
    u32::try_from(seconds).unwrap_or(0)
}

fn local(since_1970: Duration) -> Option<u64> {
    let time = since_1970.as_secs().try_into().ok()?;
    // SAFETY: `tm` is plain numbers and a pointer that may be null, so that zeroes are a valid one.
    let mut parts: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live values of their types, and the function keeps neither.
    let done = unsafe { libc::localtime_r(&raw const time, &raw mut parts) };
    if done.is_null() {
        return None;
    }
    let number = |part: libc::c_int| u64::try_from(part).ok();
    let seconds = number(parts.tm_hour)? * 3600 + number(parts.tm_min)? * 60 + number(parts.tm_sec)?;
    // A leap second is the last of its day.
    Some(seconds.min(DAY - 1))
}

const DAY: u64 = 86_400;

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn it_is_what_date_says() {
        let noon = 1_795_262_400;
        let date = Command::new("date").args(["-d", &format!("@{noon}"), "+%H %M %S"]).output().unwrap();
        let text = String::from_utf8(date.stdout).unwrap();
        let parts: Vec<u32> = text.split_whitespace().map(|part| part.parse().unwrap()).collect();
        assert_eq!(time_of_day(Duration::from_secs(noon)), parts[0] * 3600 + parts[1] * 60 + parts[2]);
    }
}
