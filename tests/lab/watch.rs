//! A record of all changes of routes in a host: what comes and goes between two looks is seen as well.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use super::{Host, wait_until};

/// Records until dropped.
pub(crate) struct Watch {
    monitor: Child,
    record: PathBuf,
}

impl Host {
    /// Begins to record.
    pub(crate) fn watch(&self) -> Watch {
        let record = self.file("routes");
        let output = File::create(&record).expect("cannot write the record");
        let mut command = self.command("ip");
        command.args(["-N", "monitor", "route"]).stdin(Stdio::null()).stdout(output);
        let watch = Watch { monitor: command.spawn().expect("cannot start ip monitor"), record };
        // A route of our own tells when the recorder listens; the address is for documentation (RFC 5737).
        wait_until("ip monitor listens", Duration::from_secs(10), || {
            self.ip("route replace 192.0.2.255/32 dev lo");
            self.ip("route del 192.0.2.255/32 dev lo");
            watch.lines().iter().any(|line| line.contains("192.0.2.255"))
        });
        watch
    }
}

impl Watch {
    fn lines(&self) -> Vec<String> {
        fs::read_to_string(&self.record).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Changes of faild's routes, deletions among them.
    pub(crate) fn moves(&self) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.contains("proto 250")).collect()
    }

    /// How often an overlay for this prefix was laid.
    pub(crate) fn laid(&self, prefix: &str) -> usize {
        let moves = self.moves();
        moves.iter().filter(|line| line.split_whitespace().next() == Some(prefix)).count()
    }

    /// Nothing was moved: what must be so after every fault that is none of our business.
    #[track_caller]
    pub(crate) fn assert_nothing_moved(&self) {
        assert_eq!(self.moves(), Vec::<String>::new(), "faild has moved something");
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.monitor.kill();
        let _ = self.monitor.wait();
    }
}
