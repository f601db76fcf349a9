//! The manuals, the shipped example and `--help` against the program: no option and no key missing anywhere, every
//! default and every example true.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory;
use faild::cli::Arguments;
use faild::config::{ChangeKind, Config, Draft, KeyName, Loaded, keys};
use faild::event::EventName;
use faild::faildctl::help_texts as faildctl_help;

#[test]
fn the_manual_and_the_help_have_the_same_options() {
    let documented: BTreeSet<String> = lines("man/faild.8")
        .iter()
        .filter_map(|line| line.strip_prefix(".It Fl "))
        // "t , Fl -interval Ar seconds" to "-t --interval".
        .map(|item| format!("-{}", item.split(" Ar ").next().unwrap_or_default().replace(" , Fl ", " -")))
        .collect();
    let known: BTreeSet<String> =
        options().iter().map(|(short, long)| format!("{short} {long}").trim_start().to_owned()).collect();
    assert_eq!(documented, known);
}

#[test]
fn the_synopsis_has_every_option() {
    let manual = text("man/faild.8");
    let synopsis = between(&manual, ".Sh SYNOPSIS", ".Sh DESCRIPTION");
    for (short, long) in options() {
        let name =
            if short.is_empty() { long.trim_start_matches('-') } else { short.trim_start_matches('-') };
        let is_there = synopsis.split(['\n', ' ']).any(|word| word.trim_start_matches('-') == name);
        assert!(is_there, "{short} {long} is not in the SYNOPSIS of faild.8");
    }
}

#[test]
fn every_option_has_a_line_of_help() {
    let help = Arguments::command().render_help().to_string();
    for (short, long) in options() {
        let line =
            help.lines().find(|line| line.split([' ', '.']).any(|word| word == long)).unwrap_or_default();
        assert!(short.is_empty() || line.contains(&format!("{short}, {long}")), "{short} {long}: {line}");
        assert!(line.trim_end().len() > 29, "{long} has no help");
    }
}

#[test]
fn the_help_the_manual_and_the_file_have_the_same_defaults() {
    let help = Arguments::command().render_help().to_string();
    let manual = text("man/faild.8");
    let options = between(&manual, "The options are:", ".Ss Signals");
    let mut checked = 0;
    for key in keys().filter(|key| key.section.is_empty()) {
        let start = format!("--{} <", key.name);
        let Some(line) = help.lines().find(|line| line.contains(&start)) else { continue };
        let told =
            line.split_once("[default: ").and_then(|(_, rest)| rest.split_once(']')).map(|(told, _)| told);
        let Some(told) = told.filter(|_| !key.default.is_empty()) else { continue };
        load(&format!("{} = {}\n", key.name, quoted(told))).unwrap_or_else(|fault| panic!("{line}: {fault}"));
        assert_eq!(
            load(&format!("{} = {}\n", key.name, quoted(told))).unwrap().config,
            Config::default(),
            "{line}"
        );
        let entry = between(options, &format!("Fl -{} Ar", key.name), "\n.It ");
        let names = [format!("The default is {told}."), format!(".Cm {told} ;")];
        assert!(names.iter().any(|name| entry.contains(name)), "{told} is not in {entry}");
        checked += 1;
    }
    assert_eq!(checked, 5, "interval, missed, good, port, user");
}

#[test]
fn the_manual_has_every_change_that_hooks_are_told_of() {
    let manual = text("man/faild.8");
    let section = between(&manual, ".Ss Hooks", ".Ss Service managers");
    let items = section.lines().filter_map(|line| line.strip_prefix(".It Li "));
    let documented: Vec<&str> = items.flat_map(|item| item.split(" , ")).collect();
    assert_eq!(documented, ChangeKind::ALL.map(ChangeKind::name));
}

#[test]
fn the_manual_has_every_event_with_its_level() {
    let manual = text("man/faild.8");
    let section = between(&manual, ".Ss Events", ".Sh SEE ALSO");
    let rows = section.lines().filter_map(|line| line.strip_prefix(".It Li ")?.split_once(" Pq "));
    let (mut documented, mut levels): (Vec<&str>, Vec<&str>) = rows.unzip();
    documented.sort_unstable();
    let mut known: Vec<&str> = EventName::ALL.iter().map(|name| name.as_str()).collect();
    known.sort_unstable();
    assert_eq!(documented, known);
    levels.retain(|level| {
        let first = level.split([' ', ',']).next().unwrap_or_default();
        !["error", "warn", "info", "debug", "trace"].contains(&first)
    });
    assert_eq!(levels, [""; 0], "what begins with no level");
}

#[test]
fn the_manual_has_every_variable_that_hooks_get() {
    let manual = text("man/faild.8");
    let section = between(&manual, ".Ss Hooks", ".Ss Service managers");
    let source = text("src/daemon/hooks/message.rs");
    let names = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_ascii_uppercase() && c != '_');
        words.filter(|word| word.starts_with("FAILD_")).map(str::to_owned).collect()
    };
    assert_eq!(names(section), names(source.split("#[cfg(test)]").next().unwrap_or_default()));
}

#[test]
fn the_manual_has_every_exit_status() {
    let manual = text("man/faild.8");
    let section = between(&manual, ".Sh EXIT STATUS", ".Sh EXAMPLES");
    let statuses: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix(".It ")).collect();
    assert_eq!(statuses, ["0", "1", "2", "78"]);
}

#[test]
fn the_manual_of_faildctl_has_every_command_and_option() {
    let manual = text("man/faildctl.8");
    for (command, help) in faildctl_help() {
        if command != "faildctl" {
            assert!(manual.contains(&format!(".It Ic {command}")), "{command} is not in faildctl.8");
        }
        for option in help.split_whitespace().filter_map(|word| word.strip_prefix("--")) {
            let option = option.trim_matches(|c: char| !c.is_ascii_lowercase());
            assert!(manual.contains(&format!("Fl -{option}")), "{command}: --{option} is not in faildctl.8");
        }
    }
    let documented = manual.lines().filter_map(|line| line.strip_prefix(".It Ic "));
    for command in documented.filter_map(|line| line.split(' ').next()) {
        assert!(faildctl_help().iter().any(|(name, _)| name == command), "faildctl has no command {command}");
    }
}

#[test]
fn the_manual_has_every_key_with_its_default_and_an_example_that_works() {
    let entries = entries();
    let documented: BTreeSet<_> =
        entries.iter().map(|entry| (entry.section.as_str(), entry.name.as_str())).collect();
    assert_eq!(documented, keys().map(|key| (key.section, key.name)).collect());
    for entry in &entries {
        let key = keys().find(|key| (key.section, key.name) == (&entry.section, &entry.name)).unwrap();
        assert_eq!(entry.default, key.default, "{key:?}");
        let example = document(&key, &entry.example);
        if key.name != "key-file" && key.name != "log" {
            load(&example).unwrap_or_else(|fault| panic!("{example}: {fault}"));
        }
    }
}

#[test]
fn the_examples_of_the_manual_are_good() {
    let manual = text("man/faild.toml.5");
    let examples = between(&manual, ".Sh EXAMPLES", ".Sh SEE ALSO");
    let blocks: Vec<&str> = examples
        .split(".Bd -literal -offset indent\n")
        .skip(1)
        .filter_map(|block| block.split(".Ed").next())
        .collect();
    assert_eq!(blocks.len(), 4);
    for block in blocks {
        assert_eq!(load(block).unwrap().warnings, Vec::<String>::new(), "{block}");
    }
}

#[test]
fn the_shipped_file_changes_nothing() {
    assert_eq!(load(&text("scripts/faild.toml")).unwrap().config, Config::default());
}

#[test]
fn the_shipped_file_has_every_key_with_its_default() {
    let mut section = String::new();
    let mut shipped = BTreeSet::new();
    for line in lines("scripts/faild.toml").iter().filter_map(|line| line.strip_prefix('#')) {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_matches(['[', ']']).to_owned();
        } else if let Some((name, value)) = line.split_once(" = ").filter(|_| !line.starts_with(' ')) {
            shipped.insert((section.clone(), name.to_owned(), value.to_owned()));
        }
    }
    for key in keys() {
        let found = shipped
            .iter()
            .find(|(section, name, _)| (section.as_str(), name.as_str()) == (key.section, key.name));
        let (_, _, value) = found.unwrap_or_else(|| panic!("{key:?} is not in scripts/faild.toml"));
        assert!(key.default.is_empty() || key.default == value, "{key:?}: {value}");
    }
    assert_eq!(shipped.len(), keys().count());
}

#[test]
fn the_shipped_file_is_good_with_every_key_set() {
    let with_all: String = lines("scripts/faild.toml")
        .iter()
        .filter_map(|line| {
            line.strip_prefix('#')
                .filter(|rest| rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()))
        })
        // What depends on the host or on another key.
        .filter(|line| {
            let others = ["log ", "key-file ", "delay ", "window = \"", "next-hops ", "members "];
            !others.iter().any(|key| line.starts_with(key))
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    load(&with_all).unwrap_or_else(|fault| panic!("{with_all}: {fault}"));
}

#[test]
fn the_shipped_examples_are_good() {
    let directory = root().join("examples/config");
    let mut names: Vec<String> = std::fs::read_dir(&directory)
        .unwrap_or_else(|e| panic!("{}: {e}", directory.display()))
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()).unwrap_or_default())
        .collect();
    names.sort();
    assert_eq!(names, ["group-standby.toml", "group.toml", "lans-and-uplinks.toml", "two-uplinks.toml"]);
    for name in names {
        let loaded =
            load(&text(&format!("examples/config/{name}"))).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert_eq!(loaded.warnings, Vec::<String>::new(), "{name}");
        assert!(!loaded.config.routes.is_empty() || !loaded.config.groups.is_empty(), "{name}");
    }
}

#[test]
fn mandoc_finds_no_fault() {
    for manual in ["faild.8", "faild.toml.5", "faild.7", "faild-protocol.7"] {
        let path = root().join("man").join(manual);
        let Ok(output) = Command::new("mandoc").args(["-T", "lint", "-W", "all"]).arg(&path).output() else {
            eprintln!("SKIPPED: mandoc is not installed, the manuals are not checked");
            return;
        };
        let found = String::from_utf8_lossy(&output.stdout);
        // Manuals that are not installed on this machine are found nowhere.
        let faults: Vec<&str> =
            found.lines().filter(|line| !line.contains("referenced manual not found")).collect();
        assert_eq!(faults, Vec::<&str>::new(), "{manual}");
    }
}

/// An entry of faild.toml.5.
struct Entry {
    section: String,
    name: String,
    default: String,
    example: String,
}

/// The entries of faild.toml.5, by its macros.
fn entries() -> Vec<Entry> {
    let mut section = String::new();
    let mut entries: Vec<Entry> = Vec::new();
    let mut after = "";
    let lines = lines("man/faild.toml.5");
    for line in lines.iter().map(|line| line.replace("\\(dq", "\"")) {
        if let Some(heading) = line.strip_prefix(".Ss ") {
            let first = heading.split(' ').next().unwrap_or_default();
            section = if first.starts_with('[') {
                first.trim_matches(['[', ']']).to_owned()
            } else {
                String::new()
            };
        } else if let Some(name) = line.strip_prefix(".It Ic ") {
            let (default, example) = (String::new(), String::new());
            entries.push(Entry { section: section.clone(), name: name.to_owned(), default, example });
        } else if let Some(entry) = entries.last_mut() {
            match (after, line.strip_prefix(".Li "), line.strip_prefix(".Dl ")) {
                ("Default:", Some(value), _) => entry.default = value.trim_end_matches(" .").to_owned(),
                ("Example:", _, Some(value)) => entry.example = value.to_owned(),
                _ => {}
            }
        }
        after = match line.as_str() {
            "Default:" => "Default:",
            "Example:" => "Example:",
            _ => "",
        };
    }
    entries
}

/// A file with one setting, and what else its section must have.
fn document(key: &KeyName, setting: &str) -> String {
    assert!(setting.starts_with(&format!("{} = ", key.name)), "the example of {key:?} is {setting:?}");
    let (header, others) = match (key.section, key.name) {
        ("", _) => ("", ""),
        ("lan", "interface") => ("[[lan]]", ""),
        ("lan", _) => ("[[lan]]", "interface = \"eth7\""),
        ("hook", "command") => ("[[hook]]", ""),
        ("hook", _) => ("[[hook]]", "command = [\"/bin/true\"]"),
        ("peer", "name") => ("[[peer]]", "addresses = [\"192.0.2.9\"]"),
        ("peer", _) => ("[[peer]]", "name = \"other\""),
        ("route", "destination") => ("[[route]]", "next-hops = \"auto\""),
        ("route", "next-hops") => ("[[route]]", "destination = \"default\""),
        ("route", _) => ("[[route]]", "destination = \"default\"\nnext-hops = \"auto\""),
        ("route.next-hops", "interface") => (ROUTE, ""),
        ("route.next-hops", _) => (ROUTE, "interface = \"wan7\""),
        ("group", "members") => ("[[group]]", "name = \"lan7\""),
        ("group", _) => ("[[group]]", "members = [{ interface = \"eth7\", test-address = \"192.0.2.77\" }]"),
        ("group.members", "interface") => (GROUP, ""),
        ("group.members", _) => (GROUP, "interface = \"eth7\""),
        ("failback", "delay") => ("[failback]", "policy = \"delay\""),
        ("failback", "window") => ("[failback]", "policy = \"window\""),
        ("failback", _) => ("[failback]", "delay = \"5m\""),
        ("damping", _) => ("[damping]", ""),
        _ => ("[auth]", ""),
    };
    format!("{header}\n{others}\n{setting}\n")
}

/// What stands before a next hop, and before a member.
const ROUTE: &str = "[[route]]\ndestination = \"default\"\n[[route.next-hops]]";
const GROUP: &str = "[[group]]\nname = \"lan7\"\n[[group.members]]\ninterface = \"eth8\"\n[[group.members]]";

/// Short and long names of all options, with their dashes; an option without a short name has an empty one.
fn options() -> Vec<(String, String)> {
    let command = Arguments::command();
    let name = |arg: &clap::Arg| {
        let short = arg.get_short().map(|short| format!("-{short}")).unwrap_or_default();
        let long = arg.get_long().unwrap_or_else(|| panic!("{} has no long name", arg.get_id()));
        (short, format!("--{long}"))
    };
    command.get_arguments().map(name).collect()
}

fn load(text: &str) -> Result<Loaded, faild::config::Faults> {
    Draft::from_text(Path::new("example"), text).finish()
}

/// A value as the file has it.
fn quoted(value: &str) -> String {
    let is_number = value.parse::<f64>().is_ok();
    if is_number { value.to_owned() } else { format!("\"{value}\"") }
}

fn between<'a>(text: &'a str, from: &str, until: &str) -> &'a str {
    let rest = text.split_once(from).unwrap_or_else(|| panic!("no {from}")).1;
    rest.split_once(until).unwrap_or_else(|| panic!("no {until}")).0
}

fn lines(path: &str) -> Vec<String> {
    text(path).lines().map(str::to_owned).collect()
}

fn text(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
