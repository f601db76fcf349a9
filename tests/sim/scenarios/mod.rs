//! The scenarios that the rules of faild-protocol(7) answer, each a story with an end. The number of a rule stands at
//! its scenarios.

mod hosts;
mod interfaces;
mod lans;
mod offline;
mod old_frames;
mod reload;
mod strangers;
