//! Each way to be no packet, and what is let pass.

use super::*;

/// A datagram with some of its bytes replaced.
fn patched(packet: &Packet, place: usize, bytes: &[u8]) -> Vec<u8> {
    let mut datagram = sent(packet, &unkeyed());
    datagram[place..place + bytes.len()].copy_from_slice(bytes);
    datagram
}

/// A datagram with TLVs appended.
fn extended(packet: &Packet, tlvs: &[(u16, &[u8])]) -> Vec<u8> {
    let mut datagram = sent(packet, &unkeyed());
    for (tlv, value) in tlvs {
        datagram.extend(tlv.to_be_bytes());
        datagram.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        datagram.extend(*value);
    }
    with_length(datagram)
}

fn fault(datagram: &[u8]) -> DecodeError {
    received(datagram, &unkeyed()).unwrap_err()
}

const PADDING: u16 = 0;
const REPORT: u16 = 1;
const ADDRESS: u16 = 2;
const COOKIE: u16 = 3;
const MAC: u16 = 4;

#[test]
fn a_broken_header_is_told_by_its_part() {
    let inquiry = packets::inquiry();
    assert_eq!(fault(&[]), DecodeError::Truncated);
    assert_eq!(fault(&patched(&inquiry, 0, &[0xFA, 0x1E])), DecodeError::BadMagic);
    assert_eq!(fault(&patched(&inquiry, 2, &[2])), DecodeError::UnknownVersion);
    assert_eq!(fault(&patched(&inquiry, 3, &[4])), DecodeError::UnknownKind);
    assert_eq!(fault(&patched(&inquiry, 6, &[0, 107])), DecodeError::WrongLength);
    assert_eq!(fault(&patched(&inquiry, 8, &[0; 8])), DecodeError::ZeroId);
    assert_eq!(fault(&patched(&inquiry, 16, &[0; 8])), DecodeError::ZeroId);
    assert_eq!(fault(&[0; MAXIMUM_LENGTH + 1]), DecodeError::TooLong);
}

#[test]
fn an_unknown_version_is_told_whatever_follows() {
    assert_eq!(fault(&[0xFA, 0x1D, 9]), DecodeError::UnknownVersion);
}

#[test]
fn an_acknowledgement_to_nobody_is_refused() {
    let flags = 0x01;
    assert_eq!(fault(&patched(&packets::acknowledgement(1), 4, &[flags])), DecodeError::Undirected);
}

#[test]
fn an_inquiry_shorter_than_its_answer_is_refused() {
    let mut datagram = patched(&packets::inquiry(), 6, &[0, 107]);
    datagram[50..52].copy_from_slice(&[0, 55]);
    datagram.pop();
    assert_eq!(fault(&datagram), DecodeError::ShortInquiry);
}

#[test]
fn broken_tlvs_are_refused() {
    let (directed, up) = (packets::directed_inquiry(), [4, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    let faults = |tlvs: &[(u16, &[u8])]| fault(&extended(&directed, tlvs));
    assert_eq!(faults(&[(REPORT, &[0; 11])]), DecodeError::BadTlv);
    assert_eq!(faults(&[(ADDRESS, &[0; 5])]), DecodeError::BadTlv);
    assert_eq!(faults(&[(COOKIE, &[0; 7])]), DecodeError::BadTlv);
    assert_eq!(faults(&[(COOKIE, &[0; 9])]), DecodeError::BadTlv);
    assert_eq!(faults(&[(COOKIE, &[0; 8]), (COOKIE, &[0; 8])]), DecodeError::Duplicate);
    assert_eq!(faults(&[(REPORT, &up), (REPORT, &[])]), DecodeError::Duplicate);
    assert_eq!(faults(&[(REPORT, &[up, up].concat())]), DecodeError::Duplicate);
    assert_eq!(faults(&[(REPORT, &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])]), DecodeError::BadReport);
    assert_eq!(faults(&[(REPORT, &[4, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0])]), DecodeError::BadReport);
}

#[test]
fn a_tlv_must_end_with_the_datagram_at_the_latest() {
    for tail in [&[0u8][..], &[0, 9, 0], &[0, 9, 0, 1]] {
        let mut datagram = extended(&packets::directed_inquiry(), &[]);
        datagram.extend(tail);
        assert_eq!(fault(&with_length(datagram)), DecodeError::BadTlv);
    }
}

#[test]
fn more_than_the_limits_is_refused() {
    let report: Vec<u8> = (0..33).flat_map(|lan| [4, lan, lan, 1, 0, 0, 0, 0, 0, 0, 0, 0]).collect();
    let addresses = [(ADDRESS, &[192, 0, 2, 1][..]); 65];
    let directed = packets::directed_inquiry();
    assert_eq!(fault(&extended(&directed, &[(REPORT, &report)])), DecodeError::TooMany);
    assert_eq!(fault(&extended(&directed, &addresses)), DecodeError::TooMany);
    assert!(received(&extended(&directed, &[(REPORT, &report[12..])]), &unkeyed()).is_ok());
    assert!(received(&extended(&directed, &addresses[1..]), &unkeyed()).is_ok());
}

#[test]
fn what_is_about_a_pair_is_refused_in_a_broadcast_and_a_goodbye() {
    let goodbye = Packet { kind: Kind::Goodbye, ..packets::directed_inquiry() };
    for tlv in [(REPORT, &[][..]), (ADDRESS, &[192, 0, 2, 1]), (COOKIE, &[0; 8])] {
        assert_eq!(fault(&extended(&packets::inquiry(), &[tlv])), DecodeError::Misplaced);
        assert_eq!(fault(&extended(&goodbye, &[tlv])), DecodeError::Misplaced);
        assert!(received(&extended(&packets::directed_inquiry(), &[tlv]), &unkeyed()).is_ok());
    }
    let acknowledgement = packets::acknowledgement(1);
    assert_eq!(fault(&extended(&acknowledgement, &[(ADDRESS, &[192, 0, 2, 1])])), DecodeError::Misplaced);
}

#[test]
fn keyed_and_unkeyed_ends_learn_why_they_do_not_meet() {
    let packet = packets::inquiry();
    assert_eq!(received(&sent(&packet, &keyed()), &unkeyed()), Err(DecodeError::Keyed));
    assert_eq!(received(&sent(&packet, &unkeyed()), &keyed()), Err(DecodeError::MissingMac));
    assert_eq!(received(&[], &keyed()), Err(DecodeError::MissingMac));
    let same_id = Keys::new([(7, OTHER_SECRET)]);
    assert_eq!(received(&sent(&packet, &keyed()), &same_id), Err(DecodeError::BadMac));
    assert_eq!(received(&sent(&packet, &Keys::new([(8, SECRET)])), &keyed()), Err(DecodeError::UnknownKey));
}

#[test]
fn under_a_key_a_second_mac_is_refused() {
    let body = extended(&packets::directed_inquiry(), &[(MAC, &[0; 36])]);
    assert_eq!(fault(&body), DecodeError::Keyed);
    let mut datagram = body;
    let length = u16::try_from(datagram.len() + 40).unwrap();
    datagram[6..8].copy_from_slice(&length.to_be_bytes());
    keyed().seal(&mut datagram, address("192.0.2.1"), address("192.0.2.2"));
    assert_eq!(received(&datagram, &keyed()), Err(DecodeError::Misplaced));
}

#[test]
fn what_later_versions_may_add_is_ignored() {
    let packet = packets::directed_inquiry();
    let extended = extended(&packet, &[(PADDING, &[1]), (5, &[]), (0xFFFF, &[1, 2, 3]), (PADDING, &[])]);
    assert_eq!(received(&extended, &unkeyed()), Ok(packet.clone()));
    assert_eq!(received(&patched(&packet, 4, &[0xFD]), &unkeyed()), Ok(packet.clone()));
    let no_addresses = Packet { addresses: Some(vec![]), ..packet };
    assert_eq!(received(&sent(&no_addresses, &unkeyed()), &unkeyed()), Ok(no_addresses));
}
