//! A toy: asks each peer each interval, counts, detours. No reports, no reason.
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};

use faild::config::Config;
use faild::engine::{Input, Memory, NextHop, Output, Plan, Subject, Transmit, Verdict};
use faild::interface::*;
use faild::time::Instant;

pub type Reason = ();

struct Peer {
    missed: u32,
    good: u32,
    is_down: bool,
    seen: Instant,
    answered: bool,
}

pub struct Engine {
    config: Config,
    plan: Plan,
    interfaces: Vec<Interface>,
    peers: BTreeMap<(String, u16), (IpAddr, Peer)>,
    outputs: VecDeque<Output>,
    due: Instant,
}

fn number(address: &IpAddr) -> u16 {
    match address {
        IpAddr::V4(a) => u16::from_be_bytes([a.octets()[2], a.octets()[3]]),
        IpAddr::V6(a) => a.segments()[7],
    }
}

impl Engine {
    pub fn new(config: &Config, _: Memory, seed: [u8; 32]) -> Self {
        let due = Instant::from_nanos(u64::from(seed[0]) * 100_000);
        let plan =
            Plan { lans: config.lans.iter().map(|l| l.interface.clone()).collect(), ..Plan::default() };
        Self {
            config: config.clone(),
            plan,
            interfaces: vec![],
            peers: BTreeMap::new(),
            outputs: VecDeque::new(),
            due,
        }
    }
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
    pub fn deadline(&self) -> Option<(Instant, Reason)> {
        Some((self.due, ()))
    }
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Interfaces(all) => self.interfaces = all.to_vec(),
            Input::Datagram(d) if d.source.is_ipv4() => {
                let Some(i) = self.interfaces.iter().find(|i| i.index == d.interface) else { return };
                let Some(source) = i.source_for(&d.source) else { return };
                if d.payload == b"INQ" {
                    self.outputs.push_back(Output::Send(Transmit {
                        interface: d.interface,
                        source,
                        destination: d.source,
                        payload: b"ACK".to_vec(),
                    }));
                } else {
                    let peer = Peer { missed: 0, good: 0, is_down: false, seen: now, answered: false };
                    let entry =
                        self.peers.entry((i.name.clone(), number(&d.source))).or_insert((d.source, peer));
                    entry.1.answered = true;
                    entry.1.seen = now;
                }
            }
            Input::DeadlinePassed => self.slot(now),
            _ => {}
        }
    }
    fn slot(&mut self, now: Instant) {
        self.due = now + self.config.interval;
        for (_, peer) in self.peers.values_mut() {
            (peer.missed, peer.good) = if peer.answered { (0, peer.good + 1) } else { (peer.missed + 1, 0) };
            peer.answered = false;
            if peer.missed >= self.config.missed.get() {
                peer.is_down = true;
            }
            if peer.good >= self.config.good.get() {
                peer.is_down = false;
            }
        }
        let mut subjects = BTreeMap::new();
        for ((home, node), (address, peer)) in &self.peers {
            let subject = Subject { home: home.clone(), address: *address };
            let other = self.peers.iter().find(|((h, n), (_, p))| h != home && n == node && !p.is_down);
            let fresh = |p: &Peer| now.since(p.seen) <= self.config.interval * 2;
            let verdict = match other {
                Some(((interface, _), (via, p))) if peer.is_down && fresh(p) => {
                    Verdict::Detour(NextHop { interface: interface.clone(), via: *via })
                }
                _ if peer.is_down => Verdict::Undecided,
                _ => Verdict::Home,
            };
            subjects.insert(subject, verdict);
        }
        if subjects != self.plan.subjects {
            self.plan.subjects = subjects;
            self.outputs.push_back(Output::PlanChanged);
        }
        for i in &self.interfaces {
            let Some(a) = i.addresses.iter().find(|a| a.address().is_ipv4()) else { continue };
            self.outputs.push_back(Output::Send(Transmit {
                interface: i.index,
                source: a.address(),
                destination: Ipv4Addr::BROADCAST.into(),
                payload: b"INQ".to_vec(),
            }));
        }
    }
}
