//! Packets by the book, packets that a kernel sent, and whatever else may come.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn whatever_comes_is_no_reason_to_panic(bytes in vec(any::<u8>(), 0..128), kind in 0..4_usize) {
        let mut bytes = bytes;
        // Most random bytes fail at the version: let some come further.
        if let (Some(first), Some(start)) = (bytes.first_mut(), [None, Some(0x45), Some(0x4f), Some(0x60)][kind]) {
            *first = start;
        }
        prop_assert_eq!(Echo::decode_reply(&bytes), None);
    }

    #[test]
    fn what_was_asked_comes_back(echo in echo(), padding in 0..20_usize) {
        let mut packet = reply(&echo);
        packet.extend(vec![0; padding]);
        let back = Echo { source: echo.destination, destination: echo.source, ..echo };
        prop_assert_eq!(Echo::decode_reply(&packet), Some(back));
    }

    #[test]
    fn a_request_is_no_reply(echo in echo()) {
        prop_assert_eq!(Echo::decode_reply(&echo.encode().unwrap()), None);
    }

    #[test]
    fn no_part_of_a_reply_is_one(echo in echo(), cut in 1..44_usize) {
        let packet = reply(&echo);
        prop_assert_eq!(Echo::decode_reply(&packet[..packet.len() - cut]), None);
    }

    /// IPv6 has no checksum over its header: traffic class, flow label and hop limit are what they are.
    #[test]
    fn no_damaged_bit_passes(echo in echo(), place in any::<prop::sample::Index>()) {
        let mut packet = reply(&echo);
        let bit = place.index(packet.len() * 8);
        packet[bit / 8] ^= 1 << (bit % 8);
        let is_free = echo.source.is_ipv6() && (bit < 4 || (8..32).contains(&bit) || bit / 8 == 7);
        prop_assert_eq!(Echo::decode_reply(&packet).is_some(), is_free, "bit {}", bit);
    }
}

#[test]
fn a_request_is_laid_out_as_in_rfc_791_and_792() {
    let packet = echo_between("10.77.1.1", "10.77.1.2").encode().unwrap();
    assert_eq!(packet[..10], [0x45, 0xc0, 0, 44, 0, 0, 0x40, 0, 1, 1]);
    assert_eq!(packet[12..22], [10, 77, 1, 1, 10, 77, 1, 2, 8, 0]);
    assert_eq!(packet[24..36], *b"\x12\x34\x00\x07faild\0\0\x01");
    assert_eq!(packet[36..], [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_request_is_laid_out_as_in_rfc_8200_and_4443() {
    let packet = echo_between("fe80::1", "ff02::1").encode().unwrap();
    assert_eq!(packet[..8], [0x6c, 0, 0, 0, 0, 24, 58, 1]);
    assert_eq!((packet[8], packet[23], packet[24], packet[39]), (0xfe, 1, 0xff, 1));
    assert_eq!((packet[40], packet[41], packet.len()), (128, 0, 64));
}

/// Captured on lo, Linux 6.18.
#[test]
fn what_a_kernel_replied_is_understood() {
    for (hex, source, destination) in [
        (
            "4500002cff8e0000400164a60a4d01020a4d01010000a9e1123400076661696c640000010102030405060708",
            "10.77.1.2",
            "10.77.1.1",
        ),
        (
            "60021c7200183a40fd770001000000000000000000000002fd770001000000000000000000000001\
             81002d9a123400076661696c640000010102030405060708",
            "fd77:1::2",
            "fd77:1::1",
        ),
    ] {
        let digits = (0..hex.len()).step_by(2);
        let packet: Vec<u8> = digits.map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let expected = Echo { hop_limit: 64, ..echo_between(source, destination) };
        assert_eq!(Echo::decode_reply(&packet), Some(expected));
    }
}

#[test]
fn two_families_make_no_packet() {
    assert_eq!(echo_between("10.77.1.1", "fd77::1").encode(), None);
}

#[test]
fn a_fragment_and_what_bears_options_are_told_apart() {
    let echo = echo_between("10.77.1.1", "10.77.1.2");
    let whole = reply(&echo);
    for flags in [[0x20, 0], [0, 1], [0x40, 2]] {
        assert_eq!(
            Echo::decode_reply(&with_header(&whole, |header| header[6..8].copy_from_slice(&flags))),
            None
        );
    }
    // Router alert (RFC 2113).
    let mut options = whole[..20].to_vec();
    options.extend([0x94, 4, 0, 0]);
    (options[0], options[3]) = (0x46, 48);
    options.extend(&whole[20..]);
    (options[10], options[11]) = (0, 0);
    let sum = checksum(0, &options[..24]).to_be_bytes();
    options[10..12].copy_from_slice(&sum);
    assert!(Echo::decode_reply(&options).is_some());
}

fn echo_between(source: &str, destination: &str) -> Echo {
    Echo {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        hop_limit: 1,
        identifier: 0x1234,
        sequence: 7,
        token: 0x0102_0304_0506_0708,
    }
}

/// What an honest host makes of the request.
pub(crate) fn reply(echo: &Echo) -> Vec<u8> {
    let back = Echo { source: echo.destination, destination: echo.source, ..*echo };
    let mut packet = back.encode().unwrap();
    let (start, kind, sum) = match (back.source, back.destination) {
        (IpAddr::V6(source), IpAddr::V6(destination)) => (40, REPLY_V6, pseudo_header(source, destination)),
        _ => (20, REPLY_V4, 0),
    };
    packet[start] = kind;
    packet[start + 2..start + 4].copy_from_slice(&[0, 0]);
    let sum = checksum(sum, &packet[start..]).to_be_bytes();
    packet[start + 2..start + 4].copy_from_slice(&sum);
    packet
}

fn with_header(packet: &[u8], change: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut packet = packet.to_vec();
    change(&mut packet[..20]);
    packet[10..12].copy_from_slice(&[0, 0]);
    let sum = checksum(0, &packet[..20]).to_be_bytes();
    packet[10..12].copy_from_slice(&sum);
    packet
}

fn echo() -> impl Strategy<Value = Echo> {
    let addresses = prop_oneof![
        (any::<u32>(), any::<u32>()).prop_map(|(a, b)| (Ipv4Addr::from(a).into(), Ipv4Addr::from(b).into())),
        (any::<u128>(), any::<u128>())
            .prop_map(|(a, b)| (Ipv6Addr::from(a).into(), Ipv6Addr::from(b).into())),
    ];
    (addresses, any::<u8>(), any::<u16>(), any::<u16>(), any::<u64>()).prop_map(
        |((source, destination), hop_limit, identifier, sequence, token)| Echo {
            source,
            destination,
            hop_limit,
            identifier,
            sequence,
            token,
        },
    )
}

/// Of what is read, the answer to the same question is read as the same again.
#[test]
fn mutated_echoes_are_refused_or_read_the_same_again() {
    let echo = |source: &str, destination: &str| Echo {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        hop_limit: 64,
        identifier: 7,
        sequence: 8,
        token: 9,
    };
    let seeds = [reply(&echo("192.0.2.1", "192.0.2.2")), reply(&echo("2001:db8::1", "2001:db8::2"))];
    crate::mutated::each_of("echo", &seeds, |bytes| {
        let Some(read) = Echo::decode_reply(bytes) else { return };
        let question = Echo { source: read.destination, destination: read.source, ..read };
        assert_eq!(Echo::decode_reply(&reply(&question)), Some(read));
    });
}
