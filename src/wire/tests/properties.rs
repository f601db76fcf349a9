//! What holds for every packet, and for every sequence of bytes.

use std::ops::RangeInclusive;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::interface::Family;

proptest! {
    #[test]
    fn every_packet_survives_the_way(packet in packet(), keyed in any::<bool>(), paths in 0..40usize) {
        let keys = ring(keyed);
        let sealing = Sealing::new(&keys, address("fe80::1"), address("ff02::1")).with_room_for(paths);
        let bytes = encode(&packet, &sealing);
        prop_assert!(bytes.len() <= MAXIMUM_LENGTH);
        prop_assert_eq!(decode(&bytes, address("fe80::1"), address("ff02::1"), &keys), Ok(packet));
    }

    #[test]
    fn no_part_of_a_datagram_is_a_datagram(packet in packet(), keyed in any::<bool>()) {
        let keys = ring(keyed);
        let bytes = sent(&packet, &keys);
        for length in 0..bytes.len() {
            prop_assert!(received(&bytes[..length], &keys).is_err(), "{} of {}", length, bytes.len());
        }
        let longer = [&bytes[..], &[0]].concat();
        prop_assert!(received(&longer, &keys).is_err());
    }

    #[test]
    fn under_a_key_no_changed_bit_passes(packet in packet(), place in any::<prop::sample::Index>()) {
        let mut bytes = sent(&packet, &keyed());
        let bit = place.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(received(&bytes, &keyed()).is_err(), "bit {}", bit);
    }

    #[test]
    fn under_a_key_nothing_random_passes(bytes in vec(any::<u8>(), 0..1300)) {
        prop_assert!(received(&bytes, &keyed()).is_err());
    }

    #[test]
    fn nothing_random_does_harm(bytes in vec(any::<u8>(), 0..1300)) {
        accepted_is_bounded_and_stable(&bytes)?;
    }

    #[test]
    fn nothing_random_behind_a_header_does_harm(
        packet in packet(), tlvs in vec(shape(), 0..20), noise in vec(any::<u8>(), 0..1100)
    ) {
        let mut bytes = sent(&bare(packet), &unkeyed());
        let mut noise = noise.into_iter().cycle();
        for (tlv, length) in tlvs {
            bytes.extend(tlv.to_be_bytes());
            bytes.extend(length.to_be_bytes());
            bytes.extend(noise.by_ref().take(length.into()));
        }
        accepted_is_bounded_and_stable(&with_length(bytes))?;
    }

    #[test]
    fn no_damage_does_harm(
        packet in packet(), damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)
    ) {
        let mut bytes = sent(&packet, &unkeyed());
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        accepted_is_bounded_and_stable(&bytes)?;
        accepted_is_bounded_and_stable(&with_length(bytes))?;
    }
}

/// What is read from any bytes stays within the limits, and is read again the same after it was written again.
fn accepted_is_bounded_and_stable(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(packet) = received(bytes, &unkeyed()) else { return Ok(()) };
    prop_assert!(packet.reports.as_ref().is_none_or(|reports| reports.capacity() <= MAXIMUM_REPORTS));
    prop_assert!(packet.addresses.as_ref().is_none_or(|addresses| addresses.capacity() <= MAXIMUM_ADDRESSES));
    prop_assert!(!packet.to_string().contains('\n'));
    prop_assert_eq!(received(&sent(&packet, &unkeyed()), &unkeyed()), Ok(packet));
    Ok(())
}

/// Type and length of a TLV, more often than not such as may stand somewhere.
fn shape() -> impl Strategy<Value = (u16, u16)> {
    let address = prop_oneof![Just(0u16), Just(4), Just(16)].prop_map(|length| (2, length));
    let skipped = (5..=u16::MAX, 0..50u16);
    prop_oneof![8 => address, 4 => skipped, 1 => Just((3, 8)), 1 => Just((1, 0)), 1 => (0..6u16, 0..50u16)]
}

/// A packet that leaves room for TLVs of any sort.
fn bare(packet: Packet) -> Packet {
    Packet { reports: None, addresses: None, cookie: None, ..packet }
}

fn ring(with_keys: bool) -> Keys {
    if with_keys { keyed() } else { unkeyed() }
}

fn packet() -> impl Strategy<Value = Packet> {
    let extras = (option::of(reports()), option::of(addresses()), option::of(any::<u64>().prop_map(Cookie)));
    (kind(), sender(), option::of(directed()), directed(), extras).prop_map(
        |(kind, sender, maybe, surely, (reports, addresses, cookie))| {
            let directed = if let Kind::Acknowledgement { .. } = kind { Some(surely) } else { maybe };
            let bears = kind != Kind::Goodbye && directed.is_some();
            Packet {
                kind,
                sender,
                directed,
                reports: reports.filter(|_| bears),
                addresses: addresses.filter(|_| bears && kind == Kind::Inquiry),
                cookie: cookie.filter(|_| bears),
            }
        },
    )
}

fn kind() -> impl Strategy<Value = Kind> {
    let acknowledgement =
        (any::<u64>(), times()).prop_map(|(echo, held)| Kind::Acknowledgement { echo: Nonce(echo), held });
    prop_oneof![Just(Kind::Inquiry), acknowledgement, Just(Kind::Goodbye)]
}

fn times() -> impl Strategy<Value = Duration> {
    any::<u32>().prop_map(|us| Duration::from_micros(us.into()))
}

const IDS: RangeInclusive<u64> = 1..=u64::MAX;

fn sender() -> impl Strategy<Value = Sender> {
    let who = (any::<bool>(), any::<bool>(), any::<u8>(), IDS, IDS);
    let what = (any::<u32>(), times(), any::<u64>(), any::<u32>(), any::<u32>());
    (who, what).prop_map(|((requestor, observer, lan, node, boot), (sequence, interval, nonce, a, r))| {
        Sender {
            requestor,
            observer,
            lan: LanIndex(lan),
            node: NodeId(node),
            boot: BootId(boot),
            sequence,
            interval,
            nonce: Nonce(nonce),
            address_generation: a,
            report_generation: r,
        }
    })
}

fn directed() -> impl Strategy<Value = Directed> {
    any::<(u64, u64, u32, u32, u64)>().prop_map(|(node, boot, a, r, token)| Directed {
        node: NodeId(node),
        boot: BootId(boot),
        address_generation: a,
        report_generation: r,
        token: Token(token),
    })
}

/// Each path once.
fn reports() -> impl Strategy<Value = Vec<PathReport>> {
    let family = prop_oneof![Just(Family::V4), Just(Family::V6)];
    let paths = prop::collection::btree_set((family, any::<u8>(), any::<u8>()), 0..=MAXIMUM_REPORTS);
    let level = prop_oneof![Just(Level::Unknown), Just(Level::Up), Just(Level::Down)];
    let states = vec((level, any::<bool>(), any::<bool>(), any::<u64>()), MAXIMUM_REPORTS);
    (paths, states).prop_map(|(paths, states)| {
        let report = |((family, ours, theirs), (level, ready, moved, token))| PathReport {
            family,
            sender_lan: LanIndex(ours),
            receiver_lan: LanIndex(theirs),
            level,
            ready,
            moved,
            token: Token(token),
        };
        paths.into_iter().zip(states).map(report).collect()
    })
}

fn addresses() -> impl Strategy<Value = Vec<IpAddr>> {
    vec(any::<IpAddr>(), 0..=MAXIMUM_ADDRESSES).prop_map(|mut addresses| {
        addresses.truncate(fitting_addresses(&addresses));
        addresses
    })
}
