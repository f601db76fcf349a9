//! Stand-ins for what other rooms build, as small as the simulator's own tests allow. To be removed.

mod engine;
mod mirror;
mod reconciler;

pub use engine::Engine;
pub use mirror::{Mirror, Notification};
pub use reconciler::Reconciler;
