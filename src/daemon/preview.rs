//! What a start on this host would warn of, for `--check`: the same core looks at the same lists, nothing is sent,
//! and the kernel is asked only for lists, and for what it would do with packets.

use std::net::IpAddr;

use log::Level;

use crate::config::{Config, NextHopConfig, RouteConfig};
use crate::core::{Core, Input, Memory, Notice, Output};
use crate::engine;
use crate::interface::{Family, Interface, InterfaceIndex};
use crate::kernel::sysctl::Sysctls;
use crate::kernel::{Error, Kernel, SmallTable};
use crate::reconcile::{self, Dump, Question, Reconciler};
use crate::route::{Answer, MAIN_TABLE, RouteType};
use crate::time::Instant;
use crate::watch::Destination;

/// The warnings, as the log would have them.
///
/// # Errors
/// When the kernel cannot be asked.
pub(super) fn warnings(config: &Config, kernel: &mut impl Kernel) -> Result<Vec<String>, Error> {
    let now = Instant::default();
    let interfaces = kernel.interfaces()?;
    let mut core = Core::new(config, Memory::default(), None, [0; 32]);
    core.handle(now, Input::Interfaces(&interfaces));
    let mut warnings = noticed(&mut core, kernel)?;
    let looked_at: Vec<&Interface> = core.cared_for().collect();
    let unfit =
        Sysctls::default().check(&looked_at).into_iter().filter(|finding| finding.level() == Level::Warn);
    warnings.extend(unfit.map(|finding| finding.to_string()));
    warnings.extend(neighbours(config).map(|table| table.to_string()));
    core.hand_over(now);
    warnings.extend(noticed(&mut core, kernel)?);
    let overridden = overridden(config, &interfaces, core.reconciler(), kernel);
    warnings.extend(overridden.iter().map(ToString::to_string));
    Ok(warnings)
}

/// What the core has to warn of, when it is shown what it wants to see. That an interface is absent the settings' own check
/// has said.
fn noticed(core: &mut Core, kernel: &mut impl Kernel) -> Result<Vec<String>, Error> {
    let now = Instant::default();
    let mut warnings = Vec::new();
    while let Some(output) = core.next_output() {
        match output {
            Output::Notice(Notice::Peers(engine::Notice::InterfaceAbsent { .. })) => {}
            Output::Notice(notice) if notice.level() <= Level::Warn => warnings.push(notice.to_string()),
            Output::Dump(Dump::OwnRoutes) => core.handle(now, Input::OwnRoutes(kernel.own_routes()?)),
            Output::Dump(Dump::LanRoutes) => {
                let scope = core.reconciler().scope();
                let named = core.interfaces().iter().filter(|i| scope.interfaces.contains(&i.name));
                let over: Vec<InterfaceIndex> = named.map(|i| i.index).collect();
                let routes = kernel.routes_over(&over, &scope.tables)?;
                core.handle(now, Input::LanRoutes(routes));
            }
            Output::Dump(Dump::Interfaces) => {
                let interfaces = kernel.interfaces()?;
                core.handle(now, Input::Interfaces(&interfaces));
            }
            Output::Notice(_)
            | Output::Send(_)
            | Output::Solicit { .. }
            | Output::Probe(_)
            | Output::Endpoints
            | Output::QueryLinks
            | Output::ListNeighbours(_)
            | Output::Apply(_)
            | Output::LookUp(_)
            | Output::Ask(_)
            | Output::Journal(_)
            | Output::Remember(_)
            | Output::PlanChanged => {}
        }
    }
    Ok(warnings)
}

/// Of the peers only those that the settings name are known.
fn neighbours(config: &Config) -> impl Iterator<Item = SmallTable> + '_ {
    let addresses = || config.peers.iter().flat_map(|peer| peer.addresses.iter());
    let of = move |family| addresses().filter(|a: &&IpAddr| Family::of(a) == family).count();
    let families = [Family::V4, Family::V6].into_iter();
    families.filter_map(move |family| SmallTable::find(&Sysctls::default(), family, of(family)))
}

/// Destinations with which the kernel does otherwise than by any of the next hops that are listed.
fn overridden(
    config: &Config,
    interfaces: &[Interface],
    reconciler: &Reconciler,
    kernel: &mut impl Kernel,
) -> Vec<reconcile::Notice> {
    let mut found = Vec::new();
    let is_asked = |route: &&RouteConfig| route.table == MAIN_TABLE && !route.next_hops.listed().is_empty();
    for route in config.routes.iter().filter(is_asked) {
        let listed = route.next_hops.listed();
        let name = |hop: &NextHopConfig| match hop.via {
            Some(via) => format!("{via}%{}", hop.interface),
            None => hop.interface.clone(),
        };
        let leads = |answer: &Answer| {
            let interface = interfaces.iter().find(|i| Some(i.index) == answer.interface);
            let is_it = |hop: &&NextHopConfig| {
                interface.is_some_and(|i| i.name == hop.interface) && hop.via == answer.gateway
            };
            answer.kind == RouteType::Unicast && listed.iter().find(is_it).is_some()
        };
        let destination = Destination { table: route.table, prefix: route.destination };
        let ask = |question: &Question| match kernel.hop(question.address, question.source) {
            Ok(hop) => Some(Ok(hop.answer())),
            Err(Error::Refused { source, .. }) => Some(Err(source)),
            Err(_) => None,
        };
        let by = listed.iter().map(name).collect::<Vec<_>>().join(",");
        found.extend(reconciler.overridden(destination, by, ask, leads));
    }
    found
}
