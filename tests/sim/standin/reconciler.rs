use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use faild::config::Config;
use faild::engine::{NextHop, Outcome, Plan, Verdict};
use faild::interface::*;
use faild::reconcile::*;
use faild::time::Instant;
use ipnet::IpNet;

pub struct Reconciler {
    plan: Plan,
    interfaces: Vec<Interface>,
    own: Vec<Route>,
    outputs: VecDeque<Output>,
    due: Option<Instant>,
}

impl Reconciler {
    pub fn new(_: &Config, _: Option<&str>) -> Self {
        let outputs = VecDeque::from([Output::Dump(Dump::OwnRoutes)]);
        Self { plan: Plan::default(), interfaces: vec![], own: vec![], outputs, due: None }
    }
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
    pub fn deadline(&self) -> Option<(Instant, ())> {
        self.due.map(|due| (due, ()))
    }
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Plan(plan) => self.plan = plan.clone(),
            Input::Interfaces(all) => {
                self.interfaces = all.to_vec();
                self.outputs.push_back(Output::Dump(Dump::OwnRoutes));
            }
            Input::OwnRoutes(own) => self.own = own,
            Input::RouteDeleted(route) if route.protocol == PROTOCOL => {
                self.outputs.push_back(Output::Dump(Dump::OwnRoutes))
            }
            Input::Results(results) => {
                for (operation, result) in results {
                    match (operation, result) {
                        (Operation::AddRoute { route, .. }, Ok(())) => self.own.push(route),
                        (Operation::DeleteRoute(route), Ok(())) => self.own.retain(|r| *r != route),
                        _ => self.due = Some(now + std::time::Duration::from_millis(100)),
                    }
                }
                return;
            }
            Input::DeadlinePassed => self.due = None,
            _ => return,
        }
        self.reconcile();
    }
    fn reconcile(&mut self) {
        let mut wanted: BTreeMap<IpAddr, (Route, faild::engine::Subject, NextHop)> = BTreeMap::new();
        let mut lifted = vec![];
        for (subject, verdict) in &self.plan.subjects {
            let Verdict::Detour(way) = verdict else {
                lifted.push(subject.clone());
                continue;
            };
            let Some(i) = self.interfaces.iter().find(|i| i.name == way.interface) else { continue };
            let home = self.interfaces.iter().find(|i| i.name == subject.home);
            let route = Route {
                key: RouteKey {
                    table: MAIN_TABLE,
                    destination: IpNet::from(subject.address),
                    tos: 0,
                    metric: if subject.address.is_ipv6() { 512 } else { 0 },
                },
                protocol: PROTOCOL,
                scope: 0,
                source: home.and_then(|h| h.source_for(&subject.address)),
                legs: vec![Leg { gateway: Some(way.via), interface: i.index }],
                nexthop_id: None,
                encapsulated: false,
                linkdown: false,
                attributes: vec![],
                flags: 0,
            };
            wanted.insert(subject.address, (route, subject.clone(), way.clone()));
        }
        let mut operations: Vec<_> = self
            .own
            .iter()
            .filter(|r| !wanted.values().any(|w| w.0 == **r))
            .map(|r| Operation::DeleteRoute(r.clone()))
            .collect();
        for (route, subject, way) in wanted.into_values() {
            if !self.own.contains(&route) {
                operations.push(Operation::AddRoute { route, place: Place::Alone });
                self.outputs.push_back(Output::Outcome(subject, Outcome::Applied(way)));
            }
        }
        if !operations.is_empty() {
            self.outputs.push_back(Output::Apply(operations));
        }
    }
}
