mod auto;
mod counting;
mod failback;
mod failover;
mod property;
mod quality;
mod reload;
pub(super) mod world;
