use faild::interface::*;
use faild::reconcile::*;
use ipnet::IpNet;

#[derive(Debug, Clone)]
pub enum Notification {
    Link(InterfaceIndex),
    Address(InterfaceIndex),
    RouteAdded(Route),
    RouteDeleted(Route),
}

#[derive(Debug, Default)]
pub struct Mirror {
    interfaces: Vec<Interface>,
    routes: Vec<Route>,
    news: Vec<Notification>,
    next: u32,
}

impl Mirror {
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }
    pub fn notifications(&mut self) -> Vec<Notification> {
        std::mem::take(&mut self.news)
    }
    fn at(&mut self, name: &str) -> Option<&mut Interface> {
        self.interfaces.iter_mut().find(|i| i.name == name)
    }
    pub fn create(&mut self, name: &str, kind: InterfaceKind, mac: Option<MacAddress>) {
        self.next += 1;
        let index = InterfaceIndex(self.next + 1);
        self.interfaces.push(Interface {
            index,
            name: name.into(),
            kind,
            up: false,
            carrier: false,
            master: None,
            mac,
            addresses: vec![],
        });
        self.news.push(Notification::Link(index));
    }
    pub fn delete(&mut self, name: &str) {
        self.set_up(name, false);
        let Some(index) = self.at(name).map(|i| i.index) else { return };
        self.interfaces.retain(|i| i.index != index);
        self.news.push(Notification::Link(index));
    }
    pub fn set_carrier(&mut self, name: &str, carrier: bool) {
        let Some(i) = self.at(name).filter(|i| i.carrier != carrier) else { return };
        i.carrier = carrier;
        let index = i.index;
        self.news.push(Notification::Link(index));
    }
    pub fn set_up(&mut self, name: &str, up: bool) {
        let Some(i) = self.at(name).filter(|i| i.up != up) else { return };
        i.up = up;
        let index = i.index;
        if !up {
            i.addresses.retain(|a| a.address().is_ipv4());
        }
        let addresses = i.addresses.clone();
        if !up {
            self.routes.retain(|r| r.legs[0].interface != index);
        }
        self.news.push(Notification::Link(index));
        if up {
            addresses.iter().for_each(|a| self.connect(index, a.prefix));
        }
    }
    fn connect(&mut self, index: InterfaceIndex, prefix: IpNet) {
        self.routes.push(Route {
            key: RouteKey {
                table: MAIN_TABLE,
                destination: prefix.trunc(),
                tos: 0,
                metric: if prefix.addr().is_ipv6() { 256 } else { 0 },
            },
            protocol: 2,
            scope: 253,
            source: prefix.addr().is_ipv4().then(|| prefix.addr()),
            legs: vec![Leg { gateway: None, interface: index }],
            nexthop_id: None,
            encapsulated: false,
            linkdown: false,
            attributes: vec![],
            flags: 0,
        });
    }
    pub fn apply(&mut self, operation: &Operation) -> Result<(), Refusal> {
        let refuse = |errno: i32| Err(Refusal { errno, text: format!("errno {errno}") });
        match operation {
            Operation::AddRoute { route, prepend } => {
                let same = self.routes.iter().position(|r| r.key == route.key);
                if same.is_some() && !prepend {
                    return refuse(17);
                }
                self.routes.insert(same.unwrap_or(self.routes.len()), route.clone());
                self.news.push(Notification::RouteAdded(route.clone()));
            }
            Operation::DeleteRoute(route) => {
                let Some(at) = self
                    .routes
                    .iter()
                    .position(|r| r.key == route.key && r.protocol == route.protocol && r.legs == route.legs)
                else {
                    return refuse(3);
                };
                let gone = self.routes.remove(at);
                self.news.push(Notification::RouteDeleted(gone));
            }
            Operation::AddAddress { interface, address } => {
                let Some(i) = self.interfaces.iter_mut().find(|i| i.index == *interface) else {
                    return refuse(19);
                };
                i.addresses.push(address.clone());
                if i.up {
                    self.connect(*interface, address.prefix);
                }
                self.news.push(Notification::Address(*interface));
            }
            Operation::DeleteAddress { interface, address } => {
                let Some(i) = self.interfaces.iter_mut().find(|i| i.index == *interface) else {
                    return refuse(19);
                };
                i.addresses.retain(|a| a.prefix != address.prefix);
                let left_v4 = i.addresses.iter().any(|a| a.address().is_ipv4());
                let net = address.prefix.trunc();
                self.routes.retain(|r| {
                    !(r.legs[0].interface == *interface
                        && (r.key.destination == net || (net.addr().is_ipv4() && !left_v4)))
                });
                self.news.push(Notification::Address(*interface));
            }
            Operation::DeleteNeighbour { .. } => {}
        }
        Ok(())
    }
}
