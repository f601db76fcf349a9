//! PLACEHOLDER

use super::Context;
use super::input::{Input, Memory};
use super::plan::Plan;
use super::snapshot::GroupSnapshot;
use crate::config::GroupConfig;
use crate::time::Instant;

#[derive(Debug, Clone, Default)]
pub(super) struct Groups {}

impl Groups {
    pub(super) fn new(_groups: &[GroupConfig], _memory: &Memory) -> Self {
        Self::default()
    }

    pub(super) fn handle(&mut self, _context: &mut Context<'_>, _input: &Input<'_>) {}

    pub(super) fn deadline(&self) -> Option<Instant> {
        None
    }

    pub(super) fn add_to(&self, _plan: &mut Plan) {}

    pub(super) fn snapshot(&self, _now: Instant) -> Vec<GroupSnapshot> {
        Vec::new()
    }
}
