//! Packets as people read them in a trace: one line, `key=value`, ids in hexadecimal.

use std::fmt;

use super::{
    BootId, Cookie, Directed, Kind, LanIndex, Level, NodeId, Nonce, Packet, PathReport, Sender, Token,
};
use crate::words::display_as_in_json;

macro_rules! display_as_hex {
    ($($id:ident),*) => { $(
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }
    )* };
}

display_as_hex!(NodeId, BootId, Nonce, Token, Cookie);

impl fmt::Display for LanIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

display_as_in_json!(Level);

impl From<NodeId> for String {
    fn from(node: NodeId) -> Self {
        node.to_string()
    }
}

impl TryFrom<String> for NodeId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        u64::from_str_radix(&text, 16).map(NodeId).map_err(|_| format!("{text:?} is not a node id"))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Inquiry => "INQ",
            Kind::Acknowledgement { .. } => "ACK",
            Kind::Goodbye => "BYE",
        })
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.sender)?;
        if let Some(directed) = &self.directed {
            write!(f, " {directed}")?;
        }
        if let Kind::Acknowledgement { echo, held } = self.kind {
            write!(f, " echo={echo} held={held:?}")?;
        }
        if let Some(cookie) = self.cookie {
            write!(f, " cookie={cookie}")?;
        }
        list(f, "reports", self.reports.as_deref())?;
        list(f, "addresses", self.addresses.as_deref())
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sender { requestor, observer, lan, node, boot, sequence, interval, nonce, .. } = self;
        write!(
            f,
            "node={node} boot={boot} lan={lan} sequence={sequence} interval={interval:?} nonce={nonce}"
        )?;
        write!(f, " generations={}/{}", self.address_generation, self.report_generation)?;
        f.write_str(if *requestor { " requestor" } else { "" })?;
        f.write_str(if *observer { " observer" } else { "" })
    }
}

impl fmt::Display for Directed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Directed { node, boot, address_generation, report_generation, token } = self;
        write!(f, "to={node}/{boot} holds={address_generation}/{report_generation} token={token}")
    }
}

impl fmt::Display for PathReport {
    /// For instance `ipv4:0>1:up,ready:TOKEN`: the sender's LAN 0 to the receiver's LAN 1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}>{}:{}", self.family, self.sender_lan, self.receiver_lan, self.level)?;
        f.write_str(if self.ready { ",ready" } else { "" })?;
        f.write_str(if self.moved { ",moved" } else { "" })?;
        write!(f, ":{}", self.token)
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, name: &str, values: Option<&[T]>) -> fmt::Result {
    let Some(values) = values else { return Ok(()) };
    write!(f, " {name}=[")?;
    for (place, value) in values.iter().enumerate() {
        write!(f, "{}{value}", if place == 0 { "" } else { " " })?;
    }
    f.write_str("]")
}
