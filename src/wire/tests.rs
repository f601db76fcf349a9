//! The codec against any bytes, and against the examples of faild-protocol(7).

mod errors;
mod packets;
mod properties;
mod vectors;

use std::net::IpAddr;

use super::*;

const SECRET: &[u8] = b"sixteen bytes or more of secret";
const OTHER_SECRET: &[u8] = b"another secret of enough bytes";

fn unkeyed() -> Keys {
    Keys::default()
}

fn keyed() -> Keys {
    Keys::new([(7, SECRET)])
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A datagram of `packet` from 192.0.2.1 to 192.0.2.2.
fn sent(packet: &Packet, keys: &Keys) -> Vec<u8> {
    encode(packet, &Sealing::new(keys, address("192.0.2.1"), address("192.0.2.2")))
}

/// What 192.0.2.2 makes of a datagram from 192.0.2.1.
fn received(bytes: &[u8], keys: &Keys) -> Result<Packet, DecodeError> {
    decode(bytes, address("192.0.2.1"), address("192.0.2.2"), keys)
}

/// Puts the true length into the header.
fn with_length(mut datagram: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(datagram.len()).unwrap();
    datagram[6..8].copy_from_slice(&length.to_be_bytes());
    datagram
}

#[test]
fn a_key_being_rolled_over_is_accepted_before_it_signs() {
    let (old, new) = ((1, SECRET), (2, OTHER_SECRET));
    let packet = packets::inquiry();
    let stages = [Keys::new([old]), Keys::new([old, new]), Keys::new([new, old]), Keys::new([new])];
    for pair in stages.windows(2) {
        assert_eq!(received(&sent(&packet, &pair[0]), &pair[1]), Ok(packet.clone()));
        assert_eq!(received(&sent(&packet, &pair[1]), &pair[0]), Ok(packet.clone()));
    }
    assert_eq!(received(&sent(&packet, &stages[3]), &stages[0]), Err(DecodeError::UnknownKey));
}

#[test]
fn the_mac_covers_both_addresses_and_takes_mapped_ones_for_the_same() {
    let bytes = sent(&packets::inquiry(), &keyed());
    let (us, them, else_where) = (address("192.0.2.2"), address("192.0.2.1"), address("192.0.2.3"));
    assert_eq!(decode(&bytes, else_where, us, &keyed()), Err(DecodeError::BadMac));
    assert_eq!(decode(&bytes, them, else_where, &keyed()), Err(DecodeError::BadMac));
    assert_eq!(decode(&bytes, us, them, &keyed()), Err(DecodeError::BadMac), "reflected");
    assert!(decode(&bytes, address("::ffff:192.0.2.1"), us, &keyed()).is_ok());
}

/// RFC 4231, test cases 2 and 6: a short secret, and one longer than the block.
#[test]
fn hmac_is_that_of_rfc_4231() {
    use hmac::Mac;
    let long = [0xaa; 131];
    let cases: [(&[u8], &[u8], u64); 2] = [
        (b"Jefe", b"what do ya want for nothing?", 0x5bdc_c146_bf60_754e),
        (&long, b"Test Using Larger Than Block-Size Key - Hash Key First", 0x60e4_3159_1ee0_b67f),
    ];
    for (secret, text, expected) in cases {
        let tag = keys::keyed_hash(secret).chain_update(text).finalize().into_bytes();
        assert_eq!(tag[..8], expected.to_be_bytes());
    }
}

#[test]
fn a_cookie_is_good_for_one_stranger_and_two_epochs() {
    use crate::interface::InterfaceIndex;
    let secret = CookieSecret::new(&[7; 32]);
    let visitor = Visitor {
        interface: InterfaceIndex(3),
        source: address("192.0.2.1"),
        node: NodeId(0xA),
        boot: BootId(0xB),
    };
    let cookie = secret.cookie(&visitor, 10);
    assert!(secret.verify(&visitor, 10, cookie));
    assert!(secret.verify(&visitor, 11, cookie));
    assert!(!secret.verify(&visitor, 12, cookie));
    assert!(!secret.verify(&visitor, 9, cookie));
    assert!(secret.verify(&visitor, 0, secret.cookie(&visitor, 0)));
    for other in [
        Visitor { interface: InterfaceIndex(4), ..visitor },
        Visitor { source: address("192.0.2.2"), ..visitor },
        Visitor { node: NodeId(0xC), ..visitor },
        Visitor { boot: BootId(0xC), ..visitor },
    ] {
        assert!(!secret.verify(&other, 10, cookie), "{other:?}");
    }
    assert!(!CookieSecret::new(&[8; 32]).verify(&visitor, 10, cookie));
}

#[test]
fn no_acknowledgement_is_longer_than_its_inquiry() {
    for keys in [unkeyed(), keyed()] {
        for paths in (1..=4).flat_map(|lans| [lans, 2 * lans]) {
            let sealing = Sealing::new(&keys, address("192.0.2.1"), address("192.0.2.2"));
            let inquiry = encode(&packets::inquiry(), &sealing.with_room_for(paths));
            let answer = encode(&packets::acknowledgement(paths), &sealing.answering(inquiry.len()));
            assert_eq!(inquiry.len(), acknowledgement_size(paths, keys.is_keyed()));
            assert_eq!(answer.len(), inquiry.len());
            assert_eq!(received(&answer, &keys), Ok(packets::acknowledgement(paths)), "nothing is left out");
        }
    }
}

#[test]
fn reports_that_would_make_an_acknowledgement_longer_than_its_inquiry_are_left_out() {
    for keys in [unkeyed(), keyed()] {
        for length in acknowledgement_size(0, keys.is_keyed())..=acknowledgement_size(32, keys.is_keyed()) {
            let sealing = Sealing::new(&keys, address("192.0.2.1"), address("192.0.2.2")).answering(length);
            let answer = encode(&packets::acknowledgement(32), &sealing);
            assert!(answer.len() <= length && length < answer.len() + 12);
            assert!(received(&answer, &keys).is_ok());
        }
    }
}

#[test]
fn the_largest_packet_fits_and_what_does_not_is_left_out() {
    let v6: Vec<IpAddr> = (0..100u16).map(|n| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n])).collect();
    let v4: Vec<IpAddr> = (0..100u8).map(|n| IpAddr::from([192, 0, 2, n])).collect();
    assert_eq!(fitting_addresses(&v6), 34);
    assert_eq!(fitting_addresses(&v4), MAXIMUM_ADDRESSES);
    assert_eq!(fitting_addresses(&[]), 0);
    for all in [v6, v4] {
        let mut packet = packets::directed_inquiry();
        packet.cookie = Some(Cookie(1));
        packet.reports = packets::acknowledgement(40).reports;
        packet.addresses = Some(all.clone());
        let bytes = sent(&packet, &keyed());
        let heard = received(&bytes, &keyed()).unwrap();
        assert!(bytes.len() <= MAXIMUM_LENGTH);
        assert_eq!(heard.reports.unwrap().len(), MAXIMUM_REPORTS);
        assert_eq!(heard.addresses.unwrap(), all[..fitting_addresses(&all)]);
    }
}

#[test]
fn times_too_long_for_the_wire_become_the_longest() {
    let mut packet = packets::inquiry();
    packet.sender.interval = Duration::MAX;
    let heard = received(&sent(&packet, &unkeyed()), &unkeyed()).unwrap();
    assert_eq!(heard.sender.interval, Duration::from_micros(u32::MAX.into()));
}

#[test]
fn a_packet_is_one_line_of_a_trace() {
    let mut packet = packets::acknowledgement(1);
    packet.addresses = Some(vec![address("192.0.2.1"), address("fe80::1")]);
    assert_eq!(
        packet.to_string(),
        "ACK node=00000000000000a1 boot=00000000000000b1 lan=1 sequence=42 interval=200ms \
         nonce=1111111111111111 generations=3/1 requestor to=00000000000000a2/00000000000000b2 holds=5/2 \
         token=7070707070707070 echo=2222222222222222 held=150µs cookie=c0c0c0c0c0c0c0c0 \
         reports=[ipv4:0>0:up,ready:0000000000000000] addresses=[192.0.2.1 fe80::1]"
    );
    assert_eq!(DecodeError::UnknownVersion.to_string(), "unknown-version");
    assert!(!format!("{:?}", keyed()).contains("secret"));
}
