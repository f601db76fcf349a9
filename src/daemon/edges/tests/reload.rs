//! Other settings while the daemon runs.

use super::*;
use crate::config::{Fault, FaultKind, Faults, Loaded, Origin};
use crate::control::RefusalKind;
use crate::event::EventName;
use crate::scratch::needs_root;

const TRIAL: Duration = Duration::from_secs(60);
const ON_TRIAL: By = By::Command { within: Some(TRIAL) };

fn offer(bench: &Bench, change: impl FnOnce(&mut Config)) {
    let mut config = bench.edges.config.clone();
    change(&mut config);
    let text = format!("{config:?}");
    *bench.offer.borrow_mut() = Ok(Loaded { config, warnings: Vec::new(), file: None, text });
}

fn ask(bench: &mut Bench, request: &Request) -> Reply {
    bench.edges.answer(bench.moment.now, request)
}

fn refusal(reply: Reply) -> (RefusalKind, String) {
    let Reply::Error(refusal) = reply else { panic!("{reply:?}") };
    (refusal.kind, refusal.message)
}

fn is_told(bench: &Bench, event: EventName, words: &str) -> bool {
    let events = bench.edges.events.after(0, 1000);
    events.iter().any(|told| told.event == event.as_str() && told.words().contains(words))
}

#[test]
fn settings_that_are_the_same_ask_the_kernel_for_nothing_but_its_interfaces() {
    needs_root!();
    let mut bench = Bench::new();
    bench.done();
    offer(&bench, |_| {});
    let reply = bench.edges.reload(bench.moment.now, ON_TRIAL).unwrap();
    assert_eq!(reply, "reloaded: no changes");
    assert_eq!(bench.done(), ["interfaces"]);
    assert!(bench.edges.errands.is_empty() && bench.edges.trial.is_none());
    assert!(is_told(&bench, EventName::ReloadDone, "changes=none"));
}

#[test]
fn a_file_with_faults_leaves_all_as_it_is_and_every_fault_is_told() {
    needs_root!();
    let mut bench = Bench::new();
    let before = bench.edges.config.clone();
    let fault = |text: &str| Fault { origin: Origin::Host, kind: FaultKind::Setting, text: text.to_owned() };
    *bench.offer.borrow_mut() = Err(Faults { list: vec![fault("one is \"bad\""), fault("two is worse")] });
    let (kind, message) = refusal(ask(&mut bench, &Request::Reload { within_ms: None }));
    assert_eq!((kind, message.as_str()), (RefusalKind::Refused, "one is \"bad\"\ntwo is worse"));
    assert_eq!(bench.edges.config, before);
    assert!(is_told(&bench, EventName::ReloadError, "error=\"two is worse\""));
    assert!(is_told(&bench, EventName::ReloadRejected, ""));
}

#[test]
fn a_lan_that_the_host_cannot_have_is_refused_as_at_the_start() {
    needs_root!();
    let mut bench = Bench::new();
    bench.script.borrow_mut().interfaces[0].kind = InterfaceKind::Loopback;
    offer(&bench, |config| config.interval = Duration::from_secs(1));
    let (_, message) = refusal(ask(&mut bench, &Request::Reload { within_ms: None }));
    assert!(message.contains("is the loopback interface"), "{message}");
    assert_eq!(bench.edges.config.interval, Config::default().interval);
}

#[test]
fn a_log_that_cannot_be_written_and_a_kernel_that_does_not_answer_refuse_it() {
    needs_root!();
    let mut bench = Bench::new();
    offer(&bench, |config| {
        config.port = 7777;
        config.log = Some("/nonexistent/log".into());
    });
    assert_eq!(refusal(ask(&mut bench, &Request::Reload { within_ms: None })).0, RefusalKind::Failed);
    offer(&bench, |config| config.port = 7777);
    bench.script.borrow_mut().is_broken = true;
    assert_eq!(refusal(ask(&mut bench, &Request::Reload { within_ms: None })).0, RefusalKind::Failed);
    assert_eq!(bench.edges.config.port, Config::default().port);
}

#[test]
fn what_only_a_start_can_change_is_named_in_one_warning() {
    needs_root!();
    let mut bench = Bench::new();
    offer(&bench, |config| {
        (config.dry_run, config.daemon, config.port) = (false, true, 7777);
    });
    let words = bench.edges.reload(bench.moment.now, FOR_GOOD).unwrap();
    assert!(words.ends_with("warning: daemon, dry-run takes effect at the next start"), "{words}");
    assert!(bench.edges.config.dry_run && !bench.edges.config.daemon && bench.edges.config.port == 7777);
}

#[test]
fn a_lan_that_leaves_and_one_that_comes_are_taken_at_once() {
    needs_root!();
    let mut bench = Bench::new();
    offer(&bench, |config| config.lans = vec![LanConfig::new("lan-b")]);
    bench.edges.reload(bench.moment.now, FOR_GOOD).unwrap();
    assert_eq!(bench.edges.core.peers().plan().lans, ["lan-b"]);
    assert!(is_told(&bench, EventName::LanRemoved, "") && is_told(&bench, EventName::InterfaceAbsent, ""));
    assert!(is_told(&bench, EventName::ReloadDone, "changes=lan"));
}

#[test]
fn settings_on_trial_go_back_unless_they_are_confirmed() {
    needs_root!();
    for confirmed in [true, false] {
        let mut bench = Bench::new();
        offer(&bench, |config| config.missed = NonZeroU32::new(7).unwrap());
        assert!(matches!(ask(&mut bench, &Request::Reload { within_ms: Some(60_000) }), Reply::Done(_)));
        let left = |bench: &mut Bench| {
            let Reply::Status(status) = ask(bench, &Request::Status {}) else { panic!("no status") };
            status.unconfirmed_ms
        };
        assert_eq!(left(&mut bench), Some(60_000));
        bench.pass(TRIAL / 2);
        assert_eq!(left(&mut bench), Some(30_000));
        if confirmed {
            assert!(matches!(ask(&mut bench, &Request::Confirm {}), Reply::Done(_)));
        }
        bench.pass(TRIAL);
        assert_eq!(left(&mut bench), None);
        let missed = bench.edges.config.missed.get();
        assert_eq!(
            (missed == 7, is_told(&bench, EventName::ReloadRolledBack, "changes=missed")),
            (confirmed, !confirmed)
        );
        assert_eq!(refusal(ask(&mut bench, &Request::Confirm {})).0, RefusalKind::Refused);
    }
}

#[test]
fn while_one_reload_is_on_trial_another_is_refused() {
    needs_root!();
    let mut bench = Bench::new();
    offer(&bench, |config| config.missed = NonZeroU32::new(7).unwrap());
    bench.edges.reload(bench.moment.now, ON_TRIAL).unwrap();
    offer(&bench, |config| config.missed = NonZeroU32::new(8).unwrap());
    for within_ms in [None, Some(5000)] {
        let (_, message) = refusal(ask(&mut bench, &Request::Reload { within_ms }));
        assert!(message.contains("is not confirmed and will be undone in 60s"), "{message}");
    }
    assert_eq!(bench.edges.config.missed.get(), 7);
    ask(&mut bench, &Request::Confirm {});
    bench.edges.reload(bench.moment.now, FOR_GOOD).unwrap();
    assert_eq!(bench.edges.config.missed.get(), 8);
}

#[test]
fn what_nobody_has_confirmed_is_taken_again_by_a_command_and_not_by_a_signal() {
    needs_root!();
    let mut bench = Bench::new();
    offer(&bench, |config| config.missed = NonZeroU32::new(7).unwrap());
    bench.edges.reload(bench.moment.now, ON_TRIAL).unwrap();
    bench.pass(TRIAL);
    let refusal = bench.edges.reload(bench.moment.now, By::Signal).unwrap_err();
    assert!(refusal.message.ends_with("run faildctl reload to apply it"), "{refusal:?}");
    assert_eq!(bench.edges.config.missed.get(), 2);
    bench.edges.reload(bench.moment.now, FOR_GOOD).unwrap();
    assert_eq!(bench.edges.config.missed.get(), 7);
    bench.edges.reload(bench.moment.now, By::Signal).unwrap();
    offer(&bench, |config| config.missed = NonZeroU32::new(8).unwrap());
    bench.edges.reload(bench.moment.now, ON_TRIAL).unwrap();
    bench.pass(TRIAL);
    offer(&bench, |config| config.missed = NonZeroU32::new(9).unwrap());
    bench.edges.reload(bench.moment.now, By::Signal).unwrap();
    assert_eq!(bench.edges.config.missed.get(), 9, "the file has been changed since");
}

#[test]
fn a_trial_is_a_second_to_an_hour() {
    needs_root!();
    let mut bench = Bench::new();
    for (within_ms, is_good) in [(999, false), (1000, true), (3_600_000, true), (3_600_001, false)] {
        offer(&bench, |_| {});
        let reply = ask(&mut bench, &Request::Reload { within_ms: Some(within_ms) });
        assert_eq!(matches!(reply, Reply::Done(_)), is_good, "{within_ms}: {reply:?}");
    }
}
