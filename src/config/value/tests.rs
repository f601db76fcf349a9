use super::*;

#[test]
fn durations_are_read_with_every_unit() {
    for (text, nanos) in [
        ("0.2", 200_000_000),
        ("0.05", 50_000_000),
        ("50ms", 50_000_000),
        ("2", 2_000_000_000),
        ("2s", 2_000_000_000),
        ("1.5m", 90_000_000_000),
        ("1h", 3_600_000_000_000),
        ("0.0000000005", 0),
        ("0", 0),
        ("007s", 7_000_000_000),
        ("999999999999999999h", u64::MAX),
    ] {
        assert_eq!(duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
    }
}

#[test]
fn what_is_no_duration_is_refused() {
    for text in [
        "",
        "s",
        "ms",
        ".",
        ".5",
        "5.",
        "-1",
        "+1",
        "1e3",
        "1us",
        "1 s",
        " 1",
        "1d",
        "0x10",
        "1.2.3",
        "inf",
        "NaN",
        "1,5",
        "٣s",
        "1ſ",
        "1000000000000000000000s",
        "0.0000000000000000000001",
    ] {
        assert_eq!(duration(text), Err(NOT_A_DURATION), "{text}");
    }
}

#[test]
fn the_interval_has_both_its_ends() {
    for (text, good) in [
        ("9.999ms", false),
        ("0.009999999", false),
        ("10ms", true),
        ("0.01", true),
        ("60s", true),
        ("60", true),
        ("1m", true),
        ("60.000000001", false),
        ("0", false),
    ] {
        assert_eq!(duration_in(text, &INTERVAL).is_ok(), good, "{text}");
    }
}

#[test]
fn durations_are_written_as_they_are_read() {
    for text in ["10ms", "200ms", "1500ms", "1s", "60s", "119s", "2m", "10m", "119m", "2h", "168h", "0s"] {
        assert_eq!(duration_text(duration(text).unwrap()), text);
    }
}

#[test]
fn whole_numbers_have_both_their_ends() {
    for (range, text, good) in [
        (MISSED, "0", false),
        (MISSED, "1", true),
        (MISSED, "100", true),
        (MISSED, "101", false),
        (GOOD, "0", false),
        (GOOD, "1", true),
        (GOOD, "10000", true),
        (GOOD, "10001", false),
        (PORT, "0", false),
        (PORT, "1", true),
        (PORT, "65535", true),
        (PORT, "65536", false),
        (PORT, "-1", false),
        (PORT, "x", false),
        (PORT, "", false),
        (PORT, "1.0", false),
        (PORT, "99999999999999999999999999999999999999999999", false),
    ] {
        assert_eq!(whole_text_in(text, &range).is_ok(), good, "{text}");
    }
    let huge = whole_text_in("99999999999999999999999999999999999999999999", &PORT);
    assert_eq!(huge, Err(Complaint::Above { most: "65535".to_owned() }));
}

#[test]
fn a_window_may_pass_midnight() {
    for (text, from, until) in [
        ("02:00-04:30", 7200, 16200),
        ("23:00-01:00", 82_800, 3600),
        ("00:00-24:00", 0, 86_400),
        ("22:15 - 23:59", 80_100, 86_340),
    ] {
        assert_eq!(window(text), Ok((from, until)), "{text}");
    }
    for text in [
        "",
        "-",
        "02:00",
        "2:00-4:00",
        "02:00-02:00",
        "24:01-01:00",
        "02:60-03:00",
        "ab:cd-ef:gh",
        "02:00-25:00",
    ] {
        assert!(window(text).is_err(), "{text}");
    }
}

#[test]
fn interface_names_are_those_that_the_kernel_takes() {
    for text in ["e", "eth0", "br-lan.100", "fünf", "fifteen-letters"] {
        assert_eq!(interface_name(text), Ok(text.to_owned()));
    }
    for text in ["", ".", "..", "a/b", "eth0:1", "a b", "a\tb", "a\0b", "sixteen-letters-"] {
        assert!(interface_name(text).is_err(), "{text}");
    }
}

#[test]
fn peers_have_names_of_one_word_and_addresses_of_a_host() {
    assert!(peer_name("db1.example").is_ok());
    for text in ["", "a b", "a=b", "a\"b", "a\nb", &"x".repeat(65)] {
        assert!(peer_name(text).is_err(), "{text}");
    }
    for text in ["192.0.2.7", "169.254.1.1", "2001:db8::7", "fd00::1"] {
        assert!(peer_address(text).is_ok(), "{text}");
    }
    for text in [
        "",
        "x",
        "0.0.0.0",
        "127.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "ff02::1",
        "::ffff:192.0.2.7",
        "192.0.2.7/24",
        "192.0.2.256",
    ] {
        assert!(peer_address(text).is_err(), "{text}");
    }
}

#[test]
fn multicast_groups_stay_on_the_link() {
    for text in ["ff02::1", "ff02::fa1d", "ff12::1", "ff32::1"] {
        assert!(multicast_group(text).is_ok(), "{text}");
    }
    for text in ["ff01::1", "ff05::1", "ff0e::1", "fe80::1", "224.0.0.1", ""] {
        assert!(multicast_group(text).is_err(), "{text}");
    }
}
