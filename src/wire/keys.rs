//! Authentication: HMAC-SHA256 (RFC 2104, FIPS 180-4) over the datagram and the addresses that it travels between.

use std::fmt;
use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::decode::DecodeError;
use super::format::{MAC, MAC_HEADER, TAG, TLV_HEADER};

/// Keys, ready for use: the two hashes over each secret that every HMAC begins with are made once.
///
/// The first signs, all are accepted. An empty ring neither signs nor checks, and refuses what is signed.
#[derive(Clone, Default)]
pub struct Keys {
    keys: Vec<(u32, Hmac<Sha256>)>,
}

impl Keys {
    /// Keys as pairs of id and secret, the signing one first. Ids must differ; of two that do not, the first counts.
    pub fn new<'a>(keys: impl IntoIterator<Item = (u32, &'a [u8])>) -> Self {
        Self { keys: keys.into_iter().map(|(id, secret)| (id, keyed_hash(secret))).collect() }
    }

    /// Whether datagrams are signed and must be.
    pub fn is_keyed(&self) -> bool {
        !self.keys.is_empty()
    }

    /// How many bytes the signature of a datagram takes.
    pub(super) fn overhead(&self) -> usize {
        if self.is_keyed() { MAC } else { 0 }
    }

    /// Appends the MAC to a datagram whose length field counts it already; does nothing without keys.
    pub(super) fn seal(&self, datagram: &mut Vec<u8>, source: IpAddr, destination: IpAddr) {
        let Some((id, hash)) = self.keys.first() else { return };
        datagram.extend(MAC_HEADER);
        datagram.extend(id.to_be_bytes());
        let tag = over(hash, source, destination, datagram).finalize().into_bytes();
        datagram.extend(tag);
    }

    /// The part of a datagram before its MAC, if that is right; all of it without keys.
    pub(super) fn open<'a>(
        &self,
        datagram: &'a [u8],
        source: IpAddr,
        destination: IpAddr,
    ) -> Result<&'a [u8], DecodeError> {
        if !self.is_keyed() {
            return Ok(datagram);
        }
        let (signed, tag) = datagram.split_last_chunk::<TAG>().ok_or(DecodeError::MissingMac)?;
        let (rest, id) = signed.split_last_chunk::<4>().ok_or(DecodeError::MissingMac)?;
        let (body, header) = rest.split_last_chunk::<TLV_HEADER>().ok_or(DecodeError::MissingMac)?;
        if *header != MAC_HEADER {
            return Err(DecodeError::MissingMac);
        }
        let hash = self.find(u32::from_be_bytes(*id)).ok_or(DecodeError::UnknownKey)?;
        over(hash, source, destination, signed).verify_slice(tag).map_err(|_| DecodeError::BadMac)?;
        Ok(body)
    }

    fn find(&self, wanted: u32) -> Option<&Hmac<Sha256>> {
        self.keys.iter().find(|(id, _)| *id == wanted).map(|(_, hash)| hash)
    }
}

impl fmt::Debug for Keys {
    /// Shows the ids only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(id, _)| id)).finish()
    }
}

/// The state of an HMAC before its first byte. A secret longer than the block is hashed first, a shorter one is filled
/// up with zeros (RFC 2104 §2).
pub(super) fn keyed_hash(secret: &[u8]) -> Hmac<Sha256> {
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    if secret.len() > block.len() {
        block[..TAG].copy_from_slice(&Sha256::digest(secret));
    } else {
        block[..secret.len()].copy_from_slice(secret);
    }
    Hmac::new(&block)
}

/// An address in 16 bytes, IPv4 mapped (RFC 4291 §2.5.5.2), without scope id: that is a number of one host only.
pub(super) fn address_bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn over(hash: &Hmac<Sha256>, source: IpAddr, destination: IpAddr, signed: &[u8]) -> Hmac<Sha256> {
    hash.clone()
        .chain_update(address_bytes(source))
        .chain_update(address_bytes(destination))
        .chain_update(signed)
}
