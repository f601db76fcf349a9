//! Reconcile: the engine's plan against a mirror of the kernel; the difference becomes operations.
//!
//! A detour of a subject becomes a host overlay and an overlay for each route whose gateway the subject is. Nothing
//! that faild did not make is changed or deleted.
//!
//! Calling contract: as the engine's.

mod describe;
mod input;
pub mod mirror;
mod notice;
mod route;
mod table;

pub use describe::describe;
pub use input::{Dump, Input, Output};
pub use mirror::{Mirror, Notification};
pub use notice::Notice;
pub use route::{Leg, MAIN_TABLE, Operation, PROTOCOL, Place, Refusal, Route, RouteKey};
pub use table::{Group, RouteTable};
