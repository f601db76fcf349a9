//! The model of the kernel (`reconcile::Mirror`) against the kernel itself: one script of link, address and route
//! operations is played to both, and after each step both must hold the same routes and must have refused the same.
//!
//! ```text
//!   one network namespace:   eth0 --veth-- p0      p0, p1: no IPv6, only there to give carrier
//!                            eth1 --veth-- p1
//! ```
//!
//! Needs root and `ip`; says so and passes where they are missing.

mod namespace;
mod route;
mod script;
mod step;

use std::time::Duration;

use faild::interface::InterfaceIndex;
use faild::operation::Refusal;
use faild::reconcile::Mirror;
use faild::route::{MAIN_TABLE, Route};

use crate::namespace::{Namespace, interface, sort_by_key};
use crate::script::script;

/// Links settle within this; carrier events are held back for up to a second.
const PATIENCE: Duration = Duration::from_secs(5);

const PAUSE: Duration = Duration::from_millis(20);

#[test]
fn the_model_holds_the_same_routes_as_the_kernel_after_each_step() {
    let Some(namespace) = Namespace::new() else {
        eprintln!("skipped: network namespaces need root and ip(8)");
        return;
    };
    let mut model = Mirror::default();
    for name in ["lo", "eth0", "eth1"] {
        model.add_interface(interface(&namespace, name));
    }
    compare(&namespace, &model, "at the start");
    for (number, step) in script().into_iter().enumerate() {
        let when = format!("after step {number}, {}", step.text());
        let said = step.play_kernel(&namespace);
        let refused = step.play_model(&mut model, &namespace);
        match (&said, &refused) {
            (Ok(()), Ok(())) => {}
            (Err(said), Err(refusal)) if is_meant(said, refusal) => {}
            _ => panic!("{when}: the kernel says {said:?}, the model {refused:?}"),
        }
        compare(&namespace, &model, &when);
    }
}

/// The kernel's words, or at least its error number: not every version explains itself.
fn is_meant(said: &str, refusal: &Refusal) -> bool {
    said.contains(&refusal.text) || said.contains(nix::errno::Errno::from_raw(refusal.errno).desc())
}

/// Waits until both hold the same routes, or tells what differs.
fn compare(namespace: &Namespace, model: &Mirror, when: &str) {
    let expected = of_model(model);
    let mut waited = Duration::ZERO;
    loop {
        let real = namespace.routes();
        if real == expected {
            return;
        }
        assert!(waited < PATIENCE, "{when}\nkernel:\n{}\nmodel:\n{}", real.join("\n"), expected.join("\n"));
        pause();
        waited += PAUSE;
    }
}

/// The model's routes, worded as [`Namespace::routes`] words them.
fn of_model(model: &Mirror) -> Vec<String> {
    let name = |index: InterfaceIndex| model.interface(index).map_or("?", |i| i.name.as_str());
    let text = |route: &Route| {
        let mut text = route.key.destination.to_string();
        for leg in &route.legs {
            text += &leg.gateway.map_or_else(String::new, |g| format!(" via {g}"));
            text += &format!(" dev {}", name(leg.interface));
            if leg.weight != 1 {
                text += &format!(" weight {}", leg.weight);
            }
        }
        text += &format!(" proto {} metric {}", route.protocol, route.key.metric);
        text += &route.source.map_or_else(String::new, |s| format!(" src {s}"));
        if route.key.table != MAIN_TABLE {
            text += &format!(" table {}", route.key.table);
        }
        text += &route.kind.word().map(|word| format!(" {word}")).unwrap_or_default();
        text + if route.linkdown { " linkdown" } else { "" }
    };
    let mut routes: Vec<String> = model.routes().iter().map(|r| text(r)).collect();
    sort_by_key(&mut routes);
    routes
}

#[expect(clippy::disallowed_methods, reason = "the kernel needs time, and this is a test")]
fn pause() {
    std::thread::sleep(PAUSE);
}
