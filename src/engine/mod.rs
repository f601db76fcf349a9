//! The engine: packets, interfaces and time in; packets and a plan out. It knows peers and paths, never routes.
//!
//! Calling contract: one [`Engine::handle`], then [`Engine::next_output`] until it is `None`, then the next `handle`;
//! when there is nothing to hand in, sleep until [`Engine::deadline`] and hand in [`Input::DeadlinePassed`].
//! Time must not go back. Same inputs, times and seed: same outputs.

mod input;
mod notice;
mod plan;

pub use input::{Datagram, Input, Memory, Output, RememberedPath, Transmit};
pub use notice::Notice;
pub use plan::{NextHop, Outcome, Plan, Subject, Verdict};
