//! When probes are sent, and how long detection takes.

use std::time::Duration;

use super::world::*;
use crate::time::Instant;
use crate::watch::groups::detection::{Detection, RoundTrip, Sample};
use crate::watch::{HopState, MemberState};

const INTERVAL: Duration = Duration::from_millis(1428);

/// A group with so many routers.
fn routers(count: u8) -> Setup {
    let mut setup = Setup::abs();
    setup.without_routers();
    (0..count).for_each(|n| setup.router(v4(201 + n), 0));
    setup
}

fn detection_time(world: &World) -> Duration {
    world.group().detection_time.unwrap()
}

fn gaps(world: &World, name: &str, since: Instant) -> Vec<Duration> {
    let sent = world.sent(name, since);
    sent.windows(2).map(|pair| pair[1].0.since(pair[0].0)).collect()
}

#[test]
fn probes_come_at_the_interval_with_jitter() {
    let mut world = Setup::abs().start();
    world.run(s(1500));
    for name in ["a", "b", "s"] {
        let gaps = gaps(&world, name, Instant::default());
        let gaps = &gaps[..1000];
        assert!(gaps.iter().all(|gap| (ms(714)..=ms(2142)).contains(gap)));
        let mean = gaps.iter().sum::<Duration>() / 1000;
        assert!(mean.abs_diff(INTERVAL) <= INTERVAL / 100, "{mean:?}");
        let (short, long) = (gaps.iter().min().unwrap(), gaps.iter().max().unwrap());
        assert!(*short < ms(800) && *long > ms(2050), "{short:?} {long:?}");
    }
}

#[test]
fn members_do_not_ask_all_at_once() {
    let mut world = Setup::abs().start();
    world.run(s(3));
    let first: std::collections::BTreeSet<Instant> =
        ["a", "b", "s"].iter().map(|name| world.sent(name, Instant::default())[0].0).collect();
    assert_eq!(first.len(), 3);
}

#[test]
fn a_daemon_that_ran_late_leaves_out_what_it_missed() {
    let mut world = Setup::abs().start();
    world.run(s(10));
    let before = world.sent("a", Instant::default()).len();
    world.now = world.now + s(60);
    world.run(s(10));
    let after = world.sent("a", Instant::default()).len() - before;
    assert!((6..=9).contains(&after), "{after}");
    assert_eq!(world.told(EventName::GroupFailed), 0);
}

#[test]
fn the_estimate_is_that_of_the_standard() {
    let mut round_trip = RoundTrip::default();
    assert_eq!(round_trip.add(Sample::Counted(ms(20)), INTERVAL), Some(ms(60)));
    assert_eq!(round_trip.add(Sample::Counted(ms(28)), INTERVAL), Some(ms(59)));
    assert_eq!(round_trip.average(), Some((ms(21), Duration::from_micros(9500))));
}

#[test]
fn the_estimate_is_never_nothing() {
    let mut round_trip = RoundTrip::default();
    assert_eq!(round_trip.add(Sample::Counted(Duration::from_micros(80)), INTERVAL), Some(ms(1)));
}

#[test]
fn a_single_slow_answer_is_forgotten_and_two_count() {
    let mut round_trip = RoundTrip::default();
    round_trip.add(Sample::Counted(ms(20)), INTERVAL);
    let before = round_trip.limit();
    assert_eq!(round_trip.add(Sample::Counted(ms(1400)), INTERVAL), None);
    assert_eq!(round_trip.limit(), before);
    assert_eq!(round_trip.add(Sample::Counted(ms(28)), INTERVAL), Some(ms(59)), "as if it had not been");
    assert_eq!(round_trip.add(Sample::Counted(ms(1400)), INTERVAL), None);
    assert!(round_trip.add(Sample::Counted(ms(1400)), INTERVAL).is_some_and(|limit| limit > INTERVAL));
}

#[test]
fn an_absurd_round_trip_is_no_sample() {
    let mut round_trip = RoundTrip::default();
    assert_eq!(round_trip.add(Sample::Counted(INTERVAL * 53), INTERVAL), None);
    assert_eq!(round_trip, RoundTrip::default());
}

#[test]
fn timing_probes_only_shorten_the_estimate() {
    let mut round_trip = RoundTrip::default();
    assert_eq!(round_trip.add(Sample::Timing(ms(20)), INTERVAL), None);
    round_trip.add(Sample::Counted(ms(20)), INTERVAL);
    assert_eq!(round_trip.add(Sample::Timing(ms(200)), INTERVAL), None);
    assert_eq!(round_trip.add(Sample::Timing(ms(20)), INTERVAL), Some(ms(50)));
}

#[test]
fn detection_follows_the_estimate_up_and_halves_on_the_way_down() {
    let mut detection = Detection::new(s(10));
    assert_eq!(detection.interval(), INTERVAL);
    assert!(detection.raise(Instant::default(), ms(2000)));
    assert_eq!((detection.interval(), detection.time()), (ms(4000), ms(28_000)));
    assert!(!detection.may_lower(Instant::default() + s(60)));
    assert!(detection.may_lower(Instant::default() + s(61)));
    detection.lower();
    assert_eq!((detection.interval(), detection.time()), (ms(2000), ms(14_000)));
    detection.lower();
    assert_eq!((detection.interval(), detection.time()), (INTERVAL, s(10)));
    assert!(!detection.may_lower(Instant::default() + s(1000)));
    assert_eq!(Detection::new(ms(100)).interval(), ms(14));
}

#[test]
fn slow_answers_slow_detection_down_and_quick_ones_bring_it_back_after_a_minute() {
    let mut world = routers(2).start();
    world.run(s(30));
    world.hosts.values_mut().for_each(|host| host.delay = ms(900));
    world.run_until(s(60), |world| detection_time(world) > s(10));
    let (since, raised) = (world.now, detection_time(&world));
    world.hosts.values_mut().for_each(|host| host.delay = ms(1));
    world.run(s(59));
    assert_eq!((detection_time(&world), world.told(EventName::DetectionTimeRaised)), (raised, 1));
    assert!(gaps(&world, "a", since + s(2)).iter().all(|gap| *gap > ms(2142)));
    world.run(s(2) + INTERVAL * 3);
    assert!(detection_time(&world) < raised, "{}", world.text());
    world.run(s(60));
    assert_eq!(detection_time(&world), s(10));
    let since = world.now;
    world.run(s(30));
    assert!(gaps(&world, "a", since).iter().all(|gap| (ms(714)..=ms(2142)).contains(gap)));
    assert_eq!(world.told(EventName::InterfaceFailed) + world.told(EventName::GroupFailed), 0);
}

#[test]
fn one_slow_target_among_quick_ones_is_left_out() {
    let mut setup = routers(5);
    setup.hosts.get_mut(&v4(203)).unwrap().delay = s(3);
    let mut world = setup.start();
    world.run(s(55));
    assert_eq!(world.target("a", v4(203)).state, HopState::Degraded, "{}", world.text());
    assert_eq!(world.targets("a").iter().filter(|target| target.state == HopState::Up).count(), 4);
    assert_eq!(detection_time(&world), s(10));
    assert_eq!(world.state("a"), MemberState::Ok);
    let since = world.now;
    world.run(s(20));
    assert!(world.sent("a", since).iter().all(|(_, probe)| probe.target != v4(203)));
}

#[test]
fn a_silent_member_is_found_within_the_raised_time() {
    let mut world = routers(2).start();
    world.hosts.values_mut().for_each(|host| host.delay = ms(900));
    world.run(s(100));
    let time = detection_time(&world);
    world.cut("a", true);
    world.run_until(time + s(3), |world| world.state("a") == MemberState::Failed);
    assert_eq!(world.moved(), "a>s");
}

#[test]
fn quick_detection_is_quick() {
    let mut setup = Setup::abs();
    setup.group().detection_time = ms(100);
    let mut world = setup.start();
    world.run(s(5));
    world.cut("a", true);
    let took = world.run_until(s(1), |world| world.state("a") == MemberState::Failed);
    assert!(took <= ms(100), "{took:?}");
}
