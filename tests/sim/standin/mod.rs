//! Stand-ins for what other rooms build, as small as the simulator's own tests allow. To be removed.

mod reconciler;

pub use reconciler::Reconciler;
