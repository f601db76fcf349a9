//! What a start on this host would warn of, for `--check`: the same cores look at the same lists, nothing is sent,
//! and the kernel is asked only for lists, and for what it would do with packets.

use std::net::IpAddr;

use log::Level;

use crate::config::{Config, NextHopConfig, RouteConfig};
use crate::engine::{Engine, Input, Memory, Notice, Output};
use crate::interface::{Family, Interface, InterfaceIndex};
use crate::kernel::sysctl::Sysctls;
use crate::kernel::{Error, Kernel, SmallTable};
use crate::reconcile::{self, Answer, MAIN_TABLE, Question, Reconciler, RouteType, Settings};
use crate::time::Instant;
use crate::watch::{self, Destination, Watch};

/// The warnings, as the log would have them.
///
/// # Errors
/// When the kernel cannot be asked.
pub(super) fn warnings(config: &Config, kernel: &mut impl Kernel) -> Result<Vec<String>, Error> {
    let interfaces = kernel.interfaces()?;
    let mut engine = Engine::new(config, Memory::default(), [0; 32]);
    engine.handle(Instant::default(), Input::Interfaces(&interfaces));
    let mut warnings = choice(&mut engine);
    let mut watch = Watch::new(config, &watch::Memory::default(), [0; 32]);
    watch.handle(Instant::default(), watch::Input::Interfaces(&interfaces));
    warnings.extend(watched(&mut watch));
    let names = &engine.plan().lans;
    let is_judged = |name: &str| watch.judged().any(|judged| judged == name);
    let looked_at: Vec<&Interface> =
        interfaces.iter().filter(|i| names.contains(&i.name) || is_judged(&i.name)).collect();
    let unfit =
        Sysctls::default().check(&looked_at).into_iter().filter(|finding| finding.level() == Level::Warn);
    warnings.extend(unfit.map(|finding| finding.to_string()));
    warnings.extend(neighbours(config).map(|table| table.to_string()));
    warnings.extend(routes(config, (&engine, &watch), &interfaces, kernel)?);
    Ok(warnings)
}

/// What the choice of the LANs gives to say. That one is absent the settings' own check has said.
fn choice(engine: &mut Engine) -> Vec<String> {
    let notices = std::iter::from_fn(|| engine.next_output()).filter_map(|output| match output {
        Output::Notice(notice) => Some(notice),
        Output::Send(_)
        | Output::Solicit { .. }
        | Output::QueryLinks
        | Output::PlanChanged
        | Output::Remember(_) => None,
    });
    let is_wanted = |n: &Notice| n.level() <= Level::Warn && !matches!(n, Notice::InterfaceAbsent { .. });
    notices.filter(is_wanted).map(|notice| notice.to_string()).collect()
}

/// What the watch has to say before anybody has answered.
fn watched(watch: &mut Watch) -> Vec<String> {
    let notices = std::iter::from_fn(|| watch.next_output()).filter_map(|output| match output {
        watch::Output::Notice(notice) => Some(notice),
        watch::Output::Probe(_)
        | watch::Output::QueryLinks
        | watch::Output::ListNeighbours(_)
        | watch::Output::PlanChanged
        | watch::Output::Remember(_) => None,
    });
    notices.filter(|notice| notice.level() <= Level::Warn).map(|notice| notice.to_string()).collect()
}

/// Of the peers only those that the settings name are known.
fn neighbours(config: &Config) -> impl Iterator<Item = SmallTable> + '_ {
    let addresses = || config.peers.iter().flat_map(|peer| peer.addresses.iter());
    let of = move |family| addresses().filter(|a: &&IpAddr| Family::of(a) == family).count();
    let families = [Family::V4, Family::V6].into_iter();
    families.filter_map(move |family| SmallTable::find(&Sysctls::default(), family, of(family)))
}

/// What the routes give to say.
fn routes(
    config: &Config,
    (engine, watch): (&Engine, &Watch),
    interfaces: &[Interface],
    kernel: &mut impl Kernel,
) -> Result<Vec<String>, Error> {
    let now = Instant::default();
    let mut reconciler = Reconciler::new(Settings::from(config), None);
    reconciler.handle(now, reconcile::Input::Plan(engine.plan()));
    reconciler.handle(now, reconcile::Input::Watch(watch.plan()));
    reconciler.handle(now, reconcile::Input::Interfaces(interfaces));
    reconciler.handle(now, reconcile::Input::OwnRoutes(kernel.own_routes()?));
    let scope = reconciler.scope();
    let named = interfaces.iter().filter(|i| scope.interfaces.contains(&i.name));
    let over: Vec<InterfaceIndex> = named.map(|i| i.index).collect();
    reconciler.handle(now, reconcile::Input::LanRoutes(kernel.routes_over(&over, &scope.tables)?));
    let notices = std::iter::from_fn(|| reconciler.next_output()).filter_map(|output| match output {
        reconcile::Output::Notice(notice) => Some(notice),
        reconcile::Output::Apply(_)
        | reconcile::Output::Dump(_)
        | reconcile::Output::LookUp(_)
        | reconcile::Output::Ask(_)
        | reconcile::Output::Journal(_)
        | reconcile::Output::Outcome(..)
        | reconcile::Output::Adopted { .. }
        | reconcile::Output::Found(_) => None,
    });
    let mut notices: Vec<_> = notices.collect();
    notices.extend(overridden(config, interfaces, &reconciler, kernel));
    let warnings = notices.iter().filter(|notice| notice.level() == Level::Warn);
    Ok(warnings.map(|notice| notice.to_string()).collect())
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
