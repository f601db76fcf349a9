//! What a daemon asks of its kernel.

use faild::core::Input;
use faild::operation::{Operation, Refusal};
use faild::reconcile::Batch;

use super::{Effect, Node};
use crate::daemon::Feedback;

impl Node {
    /// The kernel carries out a batch; the daemon may die amid it.
    pub(super) fn carry_out(&mut self, batch: Batch, effects: &mut Vec<Effect>) {
        let results = batch.carry_out(|operations| self.apply(operations, effects));
        if let Some(daemon) = &mut self.daemon {
            daemon.feedback.push_back(Feedback::Tell(Input::Results(results)));
        }
    }

    fn apply(&mut self, operations: &[Operation], effects: &mut Vec<Effect>) -> Vec<Result<(), Refusal>> {
        let mut results = Vec::with_capacity(operations.len());
        for operation in operations {
            if self.daemon.is_none() {
                break;
            }
            if self.config.dry_run {
                self.imagine(operation);
                results.push(Ok(()));
                continue;
            }
            self.counters.operations += 1;
            let applied = self.kernel.apply(operation.clone());
            results.push(applied.result.clone());
            effects.push(Effect::Applied(Box::new(applied)));
            if let Some(left) = &mut self.dies_after {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.dies_after = None;
                    self.kill();
                    effects.push(Effect::Died);
                }
            }
        }
        results
    }

    /// A dry run remembers what it would have done.
    fn imagine(&mut self, operation: &Operation) {
        match operation {
            Operation::AddRoute { route, .. } => self.shadow.push(route.clone()),
            Operation::DeleteRoute(route) => self.shadow.retain(|r| !r.is_same(route)),
            Operation::AddAddress { .. }
            | Operation::DeleteAddress { .. }
            | Operation::SetUp(_)
            | Operation::DeleteNeighbour { .. } => {}
        }
    }
}
