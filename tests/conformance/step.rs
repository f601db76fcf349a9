//! One step, played to the kernel and to the model.

use faild::interface::InterfaceAddress;
use faild::operation::{Operation, Refusal};
use faild::reconcile::Mirror;
use faild::reconcile::mirror::Insert;
use ipnet::IpNet;

use crate::namespace::{Namespace, interface, peer_of};
use crate::route::Spec;

/// One step of the script.
pub(crate) enum Step {
    Up(&'static str, bool),
    Carrier(&'static str, bool),
    AddAddress(&'static str, &'static str),
    /// As faild makes its test addresses.
    AddTestAddress(&'static str, &'static str),
    /// An address with the one at the other end, and a metric of its own for the routes that it makes.
    AddPeer(&'static str, &'static str, &'static str, u32),
    DeleteAddress(&'static str, &'static str),
    Route(Insert, Spec),
    DeleteRoute(Spec),
    PromoteSecondaries(bool),
    DeleteLink(&'static str),
    CreateLink(&'static str),
}

impl Step {
    pub(crate) fn text(&self) -> String {
        match self {
            Step::Up(name, up) => format!("{name} up={up}"),
            Step::Carrier(name, carrier) => format!("{name} carrier={carrier}"),
            Step::AddAddress(name, prefix) => format!("{name} address add {prefix}"),
            Step::AddTestAddress(name, prefix) => format!("{name} test address add {prefix}"),
            Step::AddPeer(name, own, peer, metric) => format!("{name} address add {own} {peer} {metric}"),
            Step::DeleteAddress(name, prefix) => format!("{name} address del {prefix}"),
            Step::Route(insert, spec) => format!("{insert:?} {}", spec.words()),
            Step::DeleteRoute(spec) => format!("delete {}", spec.words()),
            Step::PromoteSecondaries(on) => format!("promote_secondaries={on}"),
            Step::DeleteLink(name) => format!("{name} deleted"),
            Step::CreateLink(name) => format!("{name} created"),
        }
    }

    pub(crate) fn play_kernel(&self, namespace: &Namespace) -> Result<(), String> {
        let ip = |words: String| namespace.ip(&words).map(drop);
        let state = |up: &bool| if *up { "up" } else { "down" };
        match self {
            Step::Up(name, up) => ip(format!("link set {name} {}", state(up))),
            Step::Carrier(name, carrier) => ip(format!("link set {} {}", peer_of(name), state(carrier))),
            Step::AddAddress(name, prefix) => {
                let nodad = if prefix.contains(':') { "nodad" } else { "" };
                let noprefixroute = if *name == "lo" { "noprefixroute" } else { "" };
                ip(format!("addr add {prefix} dev {name} {nodad} {noprefixroute}"))
            }
            Step::AddTestAddress(name, prefix) => {
                ip(format!("addr add {prefix} dev {name} scope link noprefixroute"))
            }
            Step::AddPeer(name, own, peer, metric) => {
                let nodad = if own.contains(':') { "nodad" } else { "" };
                ip(format!("addr add {own} peer {peer} dev {name} metric {metric} {nodad}"))
            }
            Step::DeleteAddress(name, prefix) => ip(format!("addr del {prefix} dev {name}")),
            Step::Route(insert, spec) => {
                let verb = match insert {
                    Insert::Exclusive => "add",
                    Insert::Prepend => "prepend",
                    Insert::Append => "append",
                    Insert::Replace => "replace",
                };
                ip(format!("{} route {verb} {}", spec.family(), spec.words()))
            }
            Step::DeleteRoute(spec) => ip(format!("{} route del {}", spec.family(), spec.words())),
            Step::PromoteSecondaries(on) => namespace.promote_secondaries(*on),
            Step::DeleteLink(name) => ip(format!("link del {name}")),
            Step::CreateLink(name) => namespace.create(name),
        }
    }

    pub(crate) fn play_model(&self, model: &mut Mirror, namespace: &Namespace) -> Result<(), Refusal> {
        let index = |model: &Mirror, name: &str| model.interface_named(name).expect("an interface").index;
        match self {
            Step::Up(name, true) => drop(model.execute(&Operation::SetUp(index(model, name)))?),
            Step::Up(name, false) => drop(model.set_up(index(model, name), false)),
            Step::Carrier(name, carrier) => drop(model.set_carrier(index(model, name), *carrier)),
            Step::AddAddress(name, prefix) => {
                let address = InterfaceAddress { no_prefix_route: *name == "lo", ..address(prefix) };
                drop(model.add_address(index(model, name), address)?);
            }
            Step::AddTestAddress(name, prefix) => {
                let test = InterfaceAddress { no_prefix_route: true, scope: 253, ..address(prefix) };
                drop(model.add_address(index(model, name), test)?);
            }
            Step::AddPeer(name, own, peer, metric) => {
                let peer: IpNet = peer.parse().expect("a literal prefix");
                let own = IpNet::new(own.parse().expect("a literal address"), peer.prefix_len());
                let own = InterfaceAddress::new(own.expect("a length that fits"));
                let address = InterfaceAddress { peer: Some(peer.addr()), metric: *metric, ..own };
                drop(model.add_address(index(model, name), address)?);
            }
            Step::DeleteAddress(name, prefix) => {
                drop(model.delete_address(index(model, name), &address(prefix).prefix)?);
            }
            Step::Route(insert, spec) => drop(model.add_route(&spec.route(model), *insert)?),
            Step::DeleteRoute(spec) => drop(model.delete_route(&spec.route(model))?),
            Step::PromoteSecondaries(on) => model.promote_secondaries = *on,
            Step::DeleteLink(name) => drop(model.delete_interface(index(model, name))),
            Step::CreateLink(name) => drop(model.add_interface(interface(namespace, name))),
        }
        Ok(())
    }
}

fn address(prefix: &str) -> InterfaceAddress {
    InterfaceAddress::new(prefix.parse().expect("a literal prefix"))
}
