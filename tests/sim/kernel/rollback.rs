//! A kernel that was saved goes on where it was, in a world that has changed meanwhile.

use faild::interface::Interface;
use faild::reconcile::mirror::Insert;
use faild::route::Route;

use super::{Kernel, LOOPBACK, is_same};

impl Kernel {
    /// Makes what is not faild's as another kernel has it. False if its interfaces are others.
    pub fn catch_up_with(&mut self, present: &Kernel) -> bool {
        let names = |kernel: &Kernel| -> Vec<_> {
            kernel.mirror.interfaces().map(|i| (i.index, i.name.clone())).collect()
        };
        if names(self) != names(present) {
            return false;
        }
        self.moods = present.moods;
        for wanted in present.interfaces().into_iter().filter(|i| i.index != LOOPBACK) {
            self.follow_interface(&wanted);
        }
        for route in self.foreign().into_iter().filter(|route| !present.has_route(route)) {
            let told = self.mirror.delete_route(&route);
            self.tell(told.unwrap_or_default());
        }
        for route in present.foreign() {
            if self.has_route(&route) {
                continue;
            }
            let told = self.mirror.add_route(&route, Insert::Append);
            self.tell(told.unwrap_or_default());
        }
        true
    }

    fn follow_interface(&mut self, wanted: &Interface) {
        let Some(has) = self.interface_at(wanted.index).cloned() else { return };
        self.set_up(&wanted.name, wanted.up);
        self.set_carrier(&wanted.name, wanted.carrier);
        for address in wanted.addresses.iter().filter(|a| !has.addresses.iter().any(|h| h.prefix == a.prefix))
        {
            self.add_address(&wanted.name, address.prefix);
        }
        for address in has.addresses.iter().filter(|h| !wanted.addresses.iter().any(|a| h.prefix == a.prefix))
        {
            self.delete_address(&wanted.name, address.prefix);
        }
    }

    fn has_route(&self, route: &Route) -> bool {
        self.mirror.routes().at(&route.key).iter().any(|r| is_same(r, route))
    }
}
