use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;

const HEX16: &str = "000102030405060708090a0B0C0D0E0F";

fn faults(text: &str) -> Vec<String> {
    parse(Path::new("keys"), text).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn the_first_key_signs_and_comments_are_skipped() {
    let text = format!("# ours\n\n7 {HEX16} # since March\n\t8\t{HEX16}{HEX16}\r\n");
    let keys = parse(Path::new("keys"), &text).unwrap();
    assert_eq!(keys.iter().map(|k| (k.id, k.secret.len())).collect::<Vec<_>>(), [(7, 16), (8, 32)]);
    assert_eq!(keys[0].secret, (0..16).collect::<Vec<u8>>());
}

#[test]
fn every_fault_has_its_line_and_no_secret() {
    let text = format!(
        "1 {HEX16}\n1 {HEX16}\n{HEX16}\n{HEX16} {HEX16}\n2 xyz{HEX16}\n3 {}\n4 {}\n5 {HEX16} 6\n4294967296 {HEX16}\n6 {}\n",
        &HEX16[..30],
        "ab".repeat(65),
        &HEX16[..31]
    );
    let faults = faults(&text);
    let lines: Vec<&str> = faults.iter().map(|f| f.split(": ").nth(1).unwrap()).collect();
    assert_eq!(
        lines,
        ["line 2", "line 3", "line 4", "line 5", "line 6", "line 7", "line 8", "line 9", "line 10"]
    );
    assert!(faults.iter().all(|f| !f.contains("0001020304")), "{faults:#?}");
    assert!(faults[4].contains("15 bytes"), "{}", faults[4]);
    assert!(faults[1].contains("openssl rand -hex 32"), "{}", faults[1]);
}

#[test]
fn secrets_have_both_their_ends() {
    for (bytes, good) in [(15, false), (16, true), (64, true), (65, false)] {
        assert_eq!(faults(&format!("1 {}", "ab".repeat(bytes))).is_empty(), good, "{bytes} bytes");
    }
    for (id, good) in [("0", true), ("4294967295", true), ("4294967296", false), ("-1", false)] {
        assert_eq!(faults(&format!("{id} {HEX16}")).is_empty(), good, "id {id}");
    }
}

#[test]
fn no_key_and_too_many_keys_are_refused() {
    assert!(faults("# none\n")[0].contains("contains no key"));
    let ring = |n: usize| (0..n).map(|id| format!("{id} {HEX16}\n")).collect::<String>();
    assert!(faults(&ring(16)).is_empty());
    assert!(faults(&ring(17))[0].contains("17 keys"));
}

#[test]
fn who_else_can_read_it_is_told() {
    let path = PathBuf::from(format!("{}/faild-keys-{}", std::env::temp_dir().display(), std::process::id()));
    std::fs::write(&path, format!("1 {HEX16}\n")).unwrap();
    for (mode, good) in
        [(0o600, true), (0o400, true), (0o640, true), (0o604, false), (0o666, false), (0o660, false)]
    {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let read = read(&path, &Origin::Host);
        assert_eq!(read.is_ok(), good, "{mode:o}: {read:?}");
        if let Err(faults) = read {
            assert!(faults[0].to_string().contains("chmod 600"), "{}", faults[0]);
        }
    }
    std::fs::remove_file(&path).unwrap();
    assert!(read(&path, &Origin::Host).unwrap_err()[0].to_string().contains("cannot be read"));
    assert!(read(Path::new("/"), &Origin::Host).unwrap_err()[0].to_string().contains("regular file"));
}

/// No fault shows a secret, whatever the file looks like.
#[test]
fn mutated_key_files_are_refused_or_hold_good_keys() {
    crate::mutated::each_of("keys", &[], |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        match parse(Path::new("keys"), text) {
            Ok(keys) => assert!((1..=MOST_KEYS).contains(&keys.len())),
            Err(faults) => assert!(faults.iter().all(|fault| !fault.to_string().contains("a1a2a3a4a5a6a7"))),
        }
    });
}
