//! Reconcile: the engine's plan against a mirror of the kernel; the difference becomes operations.
//!
//! A detour of a subject becomes a host overlay and an overlay for each route whose gateway the subject is. Nothing
//! that faild did not make is changed or deleted.
//!
//! Calling contract: as the engine's.

mod describe;
mod input;
mod notice;
mod route;

pub use describe::describe;
pub use input::{Dump, Input, Output};
pub use notice::Notice;
pub use route::{Leg, MAIN_TABLE, Operation, PROTOCOL, Refusal, Route, RouteKey};
