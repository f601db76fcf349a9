use super::*;

#[test]
fn the_convention_of_2003_is_taken() {
    let arguments = parse("-r -t 0.05 -f 3 -s 5 -p 4000 -l /tmp/x").unwrap();
    assert!(arguments.requestor);
    assert_eq!(arguments.interval, Some(Duration::from_millis(50)));
    assert_eq!(arguments.missed, NonZeroU32::new(3));
    assert_eq!(arguments.good, NonZeroU32::new(5));
    assert_eq!(arguments.port, Some(4000));
    assert_eq!(arguments.log, Some(PathBuf::from("/tmp/x")));
}

#[test]
fn every_short_option_has_a_long_name() {
    let short = parse("-r -t 1 -f 3 -s 5 -p 4 -l /x -i a -i b -x c -c /f -d -v -v").unwrap();
    let long = parse(
        "--requestor --interval 1 --missed 3 --good 5 --port 4 --log /x --interface a --interface b --exclude c \
         --config /f --daemon --verbose --verbose",
    )
    .unwrap();
    assert_eq!(short, long);
}

#[test]
fn every_error_is_one_line_that_says_how_to_fix_it() {
    for (words, line) in [
        ("-t 0", "--interval 0 is below 10ms; raise it"),
        ("-t 61", "--interval 61 is above 60s; lower it"),
        ("-t -1", "--interval -1 is not a duration such as 0.2 (seconds), 200ms, 2s, 5m or 1h; fix it"),
        ("-t", "--interval <SECONDS> needs a value; add one"),
        ("-f x", "--missed x is not a whole number; fix it"),
        ("-f 0", "--missed 0 is below 1; raise it"),
        ("-s 10001", "--good 10001 is above 10000; lower it"),
        ("-p 70000", "--port 70000 is above 65535; lower it"),
        ("-p -1", "--port -1 is below 1; raise it"),
        ("--intervall 1", "unknown option --intervall; did you mean --interval?"),
        ("-z", "unknown option -z; remove it"),
        ("extra", "unexpected argument extra; remove it"),
        ("-t 1 -t 2", "--interval is given twice; remove one"),
        ("--check=3", "--check takes no value; remove 3"),
    ] {
        assert_eq!(parse(words).unwrap_err(), format!("{line} (see faild --help)"), "{words}");
    }
    let bytes = std::os::unix::ffi::OsStringExt::from_vec(b"-t\xff".to_vec());
    let refusal = Arguments::parse_from_words([OsString::from("faild"), bytes]).unwrap_err();
    assert!(!refusal.contains('\n'), "{refusal}");
}

#[test]
fn flags_win_over_the_file() {
    let path = std::env::temp_dir().join(format!("faild-cli-{}.toml", std::process::id()));
    std::fs::write(&path, "requestor = true\ninterval = 1\nmissed = 9\nverbosity = 1\nlog = \"/dev/full\"\n")
        .unwrap();
    let words = format!("-c {} -t 2 -l /dev/null -vvv --state-dir /s --dry-run", path.display());
    let loaded = parse(&words).unwrap().load().unwrap();
    let config = loaded.config;
    assert_eq!((config.requestor, config.interval, config.missed.get()), (true, Duration::from_secs(2), 9));
    assert_eq!((config.verbosity, config.log), (2, Some(PathBuf::from("/dev/null"))));
    assert_eq!((config.state_dir, config.runtime_dir), (PathBuf::from("/s"), PathBuf::from("/s")));
    assert!(config.dry_run && !config.daemon);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_daemon_that_reads_its_settings_again_resolves_no_name() {
    let path = std::env::temp_dir().join(format!("faild-cli-names-{}.toml", std::process::id()));
    let text = "[[route]]\ndestination = \"default\"\nnext-hops = \"auto\"\ntargets = [\"localhost\"]\n";
    std::fs::write(&path, text).unwrap();
    let arguments = parse(&format!("-c {}", path.display())).unwrap();
    let faults = [arguments.load(), arguments.load_again(&Config::default())].map(Result::unwrap_err);
    std::fs::remove_file(path).unwrap();
    let [start, reload] = faults.map(|faults| faults.to_string());
    assert!(start.contains("line 4: target localhost has an address that is not a host address"), "{start}");
    assert!(reload.contains("line 4: target localhost is new"), "{reload}");
}

#[test]
fn paths_of_the_command_line_are_meant_from_here() {
    let words = "-c /dev/null --state-dir state --pid-file run/pid";
    let config = parse(words).unwrap().load().unwrap().config;
    let here = std::env::current_dir().unwrap();
    assert_eq!((config.state_dir, config.pid_file), (here.join("state"), Some(here.join("run/pid"))));
}

#[test]
fn the_most_severe_error_decides_the_exit_status() {
    let status = |words| ExitStatus::from(&parse(words).unwrap().load().unwrap_err());
    assert_eq!(status("-c /dev/null -i a -i a"), ExitStatus::Usage);
    assert_eq!(status("-c /dev/null -l /nonexistent/log"), ExitStatus::Failed);
    assert_eq!(status("-c /nonexistent -i a -i a"), ExitStatus::Configuration);
}

#[test]
fn help_takes_one_line_of_80_columns_an_option() {
    use clap::CommandFactory;
    let help = Arguments::command().term_width(80).render_help().to_string();
    let options: Vec<&str> = help.lines().filter(|line| line.starts_with("  ")).collect();
    assert_eq!(options.len(), Arguments::command().get_arguments().count(), "{help}");
    assert!(help.lines().all(|line| line.len() <= 80 || line.starts_with("Usage")), "{help}");
}

fn parse(words: &str) -> Result<Arguments, String> {
    Arguments::parse_from_words(std::iter::once("faild").chain(words.split_whitespace()))
}
