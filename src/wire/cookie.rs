//! Cookies for strangers: a responder keeps no state for a host until that has shown that it can be reached at its
//! address.
//!
//! ```text
//! stranger                                responder
//!    | INQ, broadcast                        |
//!    |-------------------------------------->|  nothing is kept
//!    |                    ACK, cookie        |
//!    |<--------------------------------------|
//!    | INQ, directed, same cookie, addresses |
//!    |-------------------------------------->|  the cookie is its own: an entry is made
//! ```

use std::fmt;
use std::net::IpAddr;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::keys::{address_bytes, keyed_hash};
use super::{BootId, Cookie, NodeId};
use crate::interface::InterfaceIndex;

/// What cookies are made with: known to one run of one daemon only, never sent.
#[derive(Clone)]
pub struct CookieSecret(Hmac<Sha256>);

impl CookieSecret {
    /// From 32 bytes that nobody can guess.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(keyed_hash(secret))
    }

    /// The cookie of a stranger in an epoch (a count of time spans, of a minute or so).
    pub fn cookie(&self, visitor: &Visitor, epoch: u64) -> Cookie {
        let hash = self.over(visitor, epoch).finalize().into_bytes();
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        Cookie(u64::from_be_bytes(first))
    }

    /// Whether a cookie was made for this stranger in this epoch or the one before, compared in constant time.
    pub fn verify(&self, visitor: &Visitor, epoch: u64, cookie: Cookie) -> bool {
        let cookie = cookie.0.to_be_bytes();
        [Some(epoch), epoch.checked_sub(1)]
            .into_iter()
            .flatten()
            .any(|epoch| self.over(visitor, epoch).verify_truncated_left(&cookie).is_ok())
    }

    fn over(&self, visitor: &Visitor, epoch: u64) -> Hmac<Sha256> {
        self.0
            .clone()
            .chain_update(visitor.interface.0.to_be_bytes())
            .chain_update(address_bytes(visitor.source))
            .chain_update(visitor.node.0.to_be_bytes())
            .chain_update(visitor.boot.0.to_be_bytes())
            .chain_update(epoch.to_be_bytes())
    }
}

impl fmt::Debug for CookieSecret {
    /// Never shows the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieSecret")
    }
}

/// A stranger as its INQ shows it: what its cookie is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visitor {
    /// Where its INQ came in.
    pub interface: InterfaceIndex,
    /// The source address of the INQ.
    pub source: IpAddr,
    /// Its node id.
    pub node: NodeId,
    /// Its boot id.
    pub boot: BootId,
}
