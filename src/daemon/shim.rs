//! Stand-ins for rooms that are not built yet, with the signatures that they will have. To be deleted with them.
#![allow(missing_docs, dead_code, clippy::unused_self, clippy::new_without_default, unreachable_pub)]

use crate::config::Config;
use crate::reconcile;
use crate::time::Instant;

#[derive(Debug, Default)]
pub struct Reconciler;
impl Reconciler {
    pub fn new(_: &Config, _: Option<&str>) -> Self {
        Self
    }
    pub fn handle(&mut self, _: Instant, _: reconcile::Input<'_>) {}
    pub fn next_output(&mut self) -> Option<reconcile::Output> {
        None
    }
    pub fn deadline(&self) -> Option<(Instant, ())> {
        None
    }
    pub fn snapshot(&self, _: Instant) -> String {
        "shim".to_owned()
    }
}
