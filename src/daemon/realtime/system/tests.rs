//! On this system, where it lets us: each test runs as a thread of its own, and what it takes ends with that.

use std::time::Instant;

use super::*;

/// Whether this process may become real-time; says so if not.
fn is_possible(system: &mut Limited) -> bool {
    match system.raise() {
        Ok(_) => true,
        Err(denial) => {
            eprintln!("SKIPPED: no real-time priority here: {denial}");
            false
        }
    }
}

#[test]
fn threads_and_programs_begin_at_ordinary_priority() {
    let mut system = Limited::prepare(true);
    if !is_possible(&mut system) {
        return;
    }
    assert_eq!(scheduling(), Scheduling { policy: libc::SCHED_RR, priority: LOWEST });
    let thread = std::thread::spawn(scheduling).join().unwrap();
    assert_eq!(thread, ORDINARY);
    let stat = std::process::Command::new("cat").arg("/proc/self/stat").output().unwrap();
    let stat = String::from_utf8_lossy(&stat.stdout).into_owned();
    // rt_priority and policy, proc_pid_stat(5).
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split_whitespace().skip(37).take(2).collect();
    assert_eq!(fields, ["0", "0"], "{stat}");
    system.lower();
    assert_eq!(scheduling(), ORDINARY);
}

#[test]
fn a_loop_without_a_pause_is_lowered_by_the_kernel_and_can_be_raised_again() {
    let mut system = Limited::prepare(true);
    if !is_possible(&mut system) {
        return;
    }
    for _ in 0..2 {
        assert!(!system.take_exhausted());
        let begun = clock();
        while scheduling() != ORDINARY {
            assert!(clock() - begun < CPU_LIMIT * 30, "it goes on at {:?}", scheduling());
        }
        assert!(clock() - begun > CPU_LIMIT / 2);
        assert!(system.take_exhausted() && !system.take_exhausted());
        system.raise().unwrap();
        assert_eq!(scheduling().policy, libc::SCHED_RR);
    }
    assert!(!system.take_exhausted());
}

#[expect(clippy::disallowed_methods, reason = "it is real time that is measured")]
fn clock() -> std::time::Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

#[test]
fn who_was_started_at_a_real_time_priority_keeps_it() {
    if let Err(errno) = set_scheduling(Scheduling { policy: libc::SCHED_FIFO, priority: 7 }) {
        return eprintln!("SKIPPED: no real-time priority here: {errno}");
    }
    let mut system = Limited::prepare(true);
    assert_eq!(system.raise(), Ok(7));
    system.lower();
    assert_eq!(scheduling(), Scheduling { policy: libc::SCHED_FIFO, priority: 7 });
}

#[test]
fn a_limit_is_named_as_the_cause() {
    let system = Limited::prepare(false);
    let cause = |errno| system.denial(errno).cause;
    assert_eq!(cause(Errno::ENOMEM), "the kernel refuses it: Out of memory");
    assert!(cause(Errno::EPERM).contains("RT_GROUP_SCHED") || cause(Errno::EPERM).contains("RLIMIT_RTPRIO"));
}

#[test]
fn limits_are_raised_never_lowered_and_put_back_for_children() {
    let before = getrlimit(Resource::Nofile);
    grant(Resource::Nofile, Some(1));
    assert_eq!(getrlimit(Resource::Nofile), before);
    let children = Limited::prepare(true).children();
    children.apply();
    assert_eq!(getrlimit(Resource::Rtprio).maximum, Some(0));
    assert_eq!(getrlimit(Resource::Memlock), children.locked);
}

/// As filters of containers do it (seccomp(2)), for this thread and for good.
fn deny_limits() -> Result<(), Errno> {
    let code = |code: u32| u16::try_from(code).unwrap_or(0);
    let step = |operation: u32, jf: u8, k: u32| libc::sock_filter { code: code(operation), jt: 0, jf, k };
    let prlimit = u32::try_from(libc::SYS_prlimit64).unwrap();
    let mut filter = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, prlimit),
        step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ERRNO | 1),
        step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
    // SAFETY: numbers only.
    Errno::result(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    // SAFETY: the program and its four steps live through the call, which copies them.
    let done = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    Errno::result(done).map(drop)
}

#[test]
fn without_a_limit_of_cpu_time_there_is_no_real_time_priority() {
    let mut before = Limited::prepare(false);
    if !is_possible(&mut before) {
        return;
    }
    before.lower();
    if let Err(errno) = deny_limits() {
        return eprintln!("SKIPPED: no filter of system calls here: {errno}");
    }
    // Whether it was read while that was possible, or not.
    for cpu in [before.children.cpu, cpu_time().ok()] {
        before.children.cpu = cpu;
        let denial = before.raise().unwrap_err();
        assert!(denial.cause.contains("RLIMIT_RTTIME"), "{denial}");
        assert_eq!(scheduling(), ORDINARY);
    }
}
