use std::cell::RefCell;
use std::rc::Rc;

use super::*;

/// A system that the test plays.
#[derive(Debug, Default)]
struct Script {
    priority: Option<Denial>,
    memory: Option<Denial>,
    is_exhausted: bool,
    is_unlocked: bool,
    done: Vec<&'static str>,
}

struct Played(Rc<RefCell<Script>>);

impl System for Played {
    fn raise(&mut self) -> Result<u32, Denial> {
        let mut script = self.0.borrow_mut();
        script.done.push("raise");
        script.priority.clone().map_or(Ok(1), Err)
    }

    fn lower(&mut self) {
        self.0.borrow_mut().done.push("lower");
    }

    fn lock(&mut self) -> Result<(), Denial> {
        let mut script = self.0.borrow_mut();
        script.done.push("lock");
        script.memory.clone().map_or(Ok(()), Err)
    }

    fn unlock(&mut self) {
        self.0.borrow_mut().done.push("unlock");
    }

    fn is_locked(&self) -> bool {
        !self.0.borrow().is_unlocked
    }

    fn take_exhausted(&mut self) -> bool {
        std::mem::take(&mut self.0.borrow_mut().is_exhausted)
    }
}

fn realtime() -> (Realtime, Rc<RefCell<Script>>) {
    let script = Rc::new(RefCell::new(Script::default()));
    (Realtime::new(Box::new(Played(Rc::clone(&script)))), script)
}

fn denial(cause: &str) -> Option<Denial> {
    Some(Denial { cause: cause.to_owned(), fix: "do something" })
}

fn at(seconds: u64) -> Instant {
    Instant::from_nanos(seconds * 1_000_000_000)
}

/// Levels and names.
fn news(realtime: &mut Realtime) -> Vec<String> {
    let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    realtime.take_news().iter().map(|(level, line)| format!("{level} {}", name(line))).collect()
}

fn done(script: &RefCell<Script>) -> Vec<&'static str> {
    std::mem::take(&mut script.borrow_mut().done)
}

#[test]
fn what_is_not_wanted_is_not_touched() {
    let (mut realtime, script) = realtime();
    realtime.follow(at(0), false);
    realtime.attend(at(100));
    assert_eq!((done(&script), realtime.deadline()), (vec![], None));
    let off = View { wanted: false, priority: None, memory_locked: false, problems: vec![] };
    assert_eq!(realtime.view(), off);
}

#[test]
fn it_is_taken_once_and_given_up_by_a_reload() {
    let (mut realtime, script) = realtime();
    realtime.follow(at(0), true);
    realtime.follow(at(1), true);
    assert_eq!(done(&script), ["raise", "lock"]);
    assert_eq!((news(&mut realtime), realtime.deadline()), (vec!["INFO realtime-ok".to_owned()], None));
    let on = View { wanted: true, priority: Some(1), memory_locked: true, problems: vec![] };
    assert_eq!(realtime.view(), on);
    realtime.follow(at(2), false);
    assert_eq!(done(&script), ["lower", "unlock"]);
    assert_eq!((realtime.view().priority, realtime.view().memory_locked), (None, false));
}

#[test]
fn what_is_denied_is_said_once_and_tried_again_each_minute() {
    let (mut realtime, script) = realtime();
    script.borrow_mut().priority = denial("no right");
    script.borrow_mut().memory = denial("too much");
    realtime.follow(at(0), true);
    assert_eq!(news(&mut realtime), ["WARN realtime-failed", "WARN memory-lock-failed"]);
    assert_eq!(realtime.view().problems, ["no right; do something", "too much; do something"]);
    done(&script);
    realtime.attend(at(59));
    assert_eq!((done(&script), realtime.deadline()), (vec![], Some(at(60))));
    realtime.attend(at(60));
    assert_eq!((done(&script), news(&mut realtime)), (vec!["raise", "lock"], vec![]));
    script.borrow_mut().priority = denial("another cause");
    script.borrow_mut().memory = None;
    realtime.attend(at(120));
    assert_eq!(news(&mut realtime), ["WARN realtime-failed", "INFO memory-lock-ok"]);
    script.borrow_mut().priority = None;
    done(&script);
    realtime.attend(at(180));
    assert_eq!(done(&script), ["raise"], "what is in force stays as it is");
    assert_eq!((news(&mut realtime), realtime.deadline()), (vec!["INFO realtime-ok".to_owned()], None));
}

#[test]
fn what_is_denied_and_given_up_is_not_tried_again() {
    let (mut realtime, script) = realtime();
    script.borrow_mut().priority = denial("no right");
    realtime.follow(at(0), true);
    realtime.follow(at(1), false);
    done(&script);
    realtime.attend(at(100));
    assert_eq!((done(&script), realtime.deadline()), (vec![], None));
    assert_eq!(realtime.view().problems, Vec::<String>::new());
    realtime.take_news();
    realtime.follow(at(101), true);
    assert_eq!(news(&mut realtime), ["WARN realtime-failed"], "who asks again is told again");
}

#[test]
fn memory_that_could_not_be_locked_again_is_tried_again() {
    let (mut realtime, script) = realtime();
    realtime.follow(at(0), true);
    script.borrow_mut().is_unlocked = true;
    script.borrow_mut().memory = denial("too much");
    realtime.attend(at(10));
    assert_eq!(realtime.deadline(), Some(at(10)));
    realtime.take_news();
    realtime.attend(at(10));
    assert_eq!(news(&mut realtime), ["WARN memory-lock-failed"]);
    assert_eq!((realtime.view().priority, realtime.view().memory_locked), (Some(1), false));
}

#[test]
fn a_loop_that_computes_without_a_pause_is_suspended_for_a_minute_each_time() {
    let (mut realtime, script) = realtime();
    realtime.follow(at(0), true);
    for round in [10, 100] {
        realtime.take_news();
        done(&script);
        script.borrow_mut().is_exhausted = true;
        realtime.attend(at(round));
        assert_eq!(news(&mut realtime), ["ERROR realtime-suspended"]);
        assert_eq!((realtime.view().priority, realtime.view().problems.len()), (None, 1));
        realtime.attend(at(round + 59));
        assert_eq!(done(&script), Vec::<&str>::new());
        realtime.attend(at(round + 60));
        assert_eq!(
            (done(&script), news(&mut realtime)),
            (vec!["raise"], vec!["INFO realtime-resumed".to_owned()])
        );
    }
}
