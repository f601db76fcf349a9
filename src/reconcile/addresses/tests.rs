//! The part by itself: what it asks for, and what it does after an answer.

use std::time::Duration;

use super::super::lan::Stance;
use super::*;
use crate::event::EventName;
use crate::interface::{Interface, InterfaceIndex, InterfaceKind};
use crate::operation::Operation;
use crate::route::PROTOCOL;

const LO: InterfaceIndex = InterfaceIndex(1);
const ETH0: InterfaceIndex = InterfaceIndex(2);

#[test]
fn an_address_that_sessions_need_is_parked_until_its_interface_has_it_again() {
    let mut bench = Bench::new(Stance::Detoured);
    assert!(bench.decide(InJournal::Written).is_empty());
    bench.show(false);
    let parked = bench.decide(InJournal::Written);
    assert_eq!(bench.words(&parked), ["ip -6 addr add fd00::1/128 dev if1 proto 250 nodad noprefixroute"]);
    assert_eq!(bench.carry_out(parked), [EventName::AddressParked]);
    assert!(bench.parked().iter().all(|address| address.protocol == PROTOCOL));
    assert!(bench.decide(InJournal::Written).is_empty());

    bench.show(true);
    bench.addresses.on_returned(bench.lan, address().address());
    let unparked = bench.decide(InJournal::Written);
    assert_eq!(bench.words(&unparked), ["ip -6 addr del fd00::1/128 dev if1"]);
    assert_eq!(bench.carry_out(unparked), [EventName::AddressUnparked]);
    assert!(bench.parked().is_empty() && bench.decide(InJournal::Written).is_empty());
}

#[test]
fn nothing_is_parked_that_the_journal_does_not_know_of() {
    for (record, is_held) in [(InJournal::Pending, true), (InJournal::Missing, false)] {
        let mut bench = Bench::new(Stance::Detoured);
        bench.show(false);
        assert_eq!((bench.decide(record), bench.is_held), (vec![], is_held));
    }
}

#[test]
fn what_was_refused_is_tried_again_after_a_pause() {
    let mut bench = Bench::new(Stance::Detoured);
    bench.show(false);
    let refused = bench.decide(InJournal::Written);
    bench.addresses.on_refused(bench.now, &refused[0]);
    assert!(bench.decide(InJournal::Written).is_empty());
    let retry = bench.addresses.retries().min().unwrap();
    assert!(retry > bench.now);
    bench.now = retry;
    assert_eq!(bench.decide(InJournal::Written), refused);
}

#[test]
fn an_address_without_a_detour_is_put_back_but_not_parked() {
    let mut bench = Bench::new(Stance::Home);
    bench.show(false);
    assert!(bench.decide(InJournal::Written).is_empty());
    bench.now = bench.now + Duration::from_secs(1);
    bench.show_without_addresses();
    bench.now = bench.now + Duration::from_secs(10);
    let back = bench.decide(InJournal::Written);
    assert_eq!(bench.words(&back), ["ip -6 addr add fd00::1/64 dev if2 nodad"]);
    assert_eq!(bench.carry_out(back), [EventName::AddressRestored]);
    assert!(bench.decide(InJournal::Written).is_empty());
}

struct Bench {
    now: Instant,
    mirror: Mirror,
    lans: Lans,
    lan: LanId,
    addresses: Addresses,
    is_held: bool,
}

impl Bench {
    /// `eth0` is up and has an address.
    fn new(stance: Stance) -> Self {
        let mut lans = Lans::default();
        lans.set_plan(&["eth0".to_owned()]);
        let lan = lans.intern("eth0").unwrap();
        lans.get_mut(lan).unwrap().set_stances(stance, stance);
        let now = Instant::from_nanos(1_000_000_000_000);
        let (mirror, addresses) = (Mirror::default(), Addresses::default());
        let mut bench = Self { now, mirror, lans, lan, addresses, is_held: false };
        bench.show(true);
        bench.now = bench.now + Duration::from_secs(100);
        bench
    }

    /// `eth0` is up with its address, or down without.
    fn show(&mut self, up: bool) {
        let addresses = if up { vec![address()] } else { Vec::new() };
        self.load(Interface { up, addresses, ..Interface::new(ETH0, "eth0") });
    }

    fn show_without_addresses(&mut self) {
        self.load(Interface::new(ETH0, "eth0"));
    }

    fn load(&mut self, eth0: Interface) {
        let addresses = self.parked();
        let lo = Interface { kind: InterfaceKind::Loopback, addresses, ..Interface::new(LO, "lo") };
        let all = [lo, eth0];
        self.lans.observe(self.now, &all);
        self.mirror.load_interfaces(&all);
    }

    fn decide(&mut self, record: InJournal) -> Vec<AddressStep> {
        let (mut batch, wishes) = (Batch::default(), Wishes::default());
        let (mirror, lans) = (&self.mirror, &self.lans);
        let scene = Scene { now: self.now, mirror, lans, wishes: &wishes, stopping: false };
        let decision = self.addresses.decide(&scene, true, || record, &mut batch);
        self.is_held = decision.is_held;
        batch.into_address_steps()
    }

    fn words(&self, steps: &[AddressStep]) -> Vec<String> {
        let text = |operation: Operation| crate::reconcile::describe(&operation, &|i| format!("if{i}"));
        steps.iter().map(|step| text(step.operation())).collect()
    }

    /// The events that it leads to.
    fn carry_out(&mut self, steps: Vec<AddressStep>) -> Vec<EventName> {
        let done = |step| self.addresses.on_done(&mut self.mirror, &mut self.lans, step);
        steps.into_iter().filter_map(done).map(|notice| notice.name()).collect()
    }

    fn parked(&self) -> Vec<InterfaceAddress> {
        self.addresses.parked(&self.mirror).cloned().collect()
    }
}

fn address() -> InterfaceAddress {
    InterfaceAddress::new("fd00::1/64".parse().unwrap())
}
