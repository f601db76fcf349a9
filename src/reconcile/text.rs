//! Routes and interfaces in words.

use super::Reconciler;
use crate::interface::InterfaceIndex;
use crate::route::{MAIN_TABLE, Route};

impl Reconciler {
    /// A route as `ip route` writes it, shortened.
    pub(super) fn text_of(&self, route: &Route) -> String {
        let key = &route.key;
        let mut text = route.kind.word().map(|word| format!("{word} ")).unwrap_or_default();
        text += &if key.destination.prefix_len() == 0 {
            if key.destination.addr().is_ipv4() { "default" } else { "default6" }.to_owned()
        } else {
            key.destination.to_string()
        };
        if key.tos != 0 {
            text.push_str(&format!(" tos {:#04x}", key.tos));
        }
        for leg in &route.legs {
            if let Some(gateway) = leg.gateway {
                text.push_str(&format!(" via {gateway}"));
            }
            text.push_str(&format!(" dev {}", self.interface_name(leg.interface)));
            if leg.weight != 1 {
                text.push_str(&format!(" weight {}", leg.weight));
            }
        }
        if key.table != MAIN_TABLE {
            text.push_str(&format!(" table {}", key.table));
        }
        if key.metric != 0 {
            text.push_str(&format!(" metric {}", key.metric));
        }
        if let Some(source) = route.source {
            text.push_str(&format!(" src {source}"));
        }
        text
    }

    pub(super) fn interface_name(&self, index: InterfaceIndex) -> String {
        self.mirror.interface(index).map_or_else(|| format!("if{index}"), |i| i.name.clone())
    }
}
