//! Users and groups of this host, from its files.
//!
//! The name service is not used: faild starts before the network does, and a directory server that cannot be reached
//! yet would keep it waiting. The user of a service is in /etc/passwd.

use std::path::Path;

use super::DEFAULT_USER;
use super::draft::read_text;
use crate::trusted::Trust;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// Its own group.
    pub gid: u32,
    /// All its groups, its own one first.
    pub groups: Vec<u32>,
}

impl Account {
    /// The user of this name, if there is one.
    pub fn find(name: &str) -> Option<Self> {
        let text = |path| read_text(Path::new(path)).unwrap_or_default();
        Self::find_in(name, &text("/etc/passwd"), &text("/etc/group"))
    }

    /// The name of a user, if it has one.
    pub fn name_of(uid: u32) -> Option<String> {
        let passwd = read_text(Path::new("/etc/passwd")).unwrap_or_default();
        passwd
            .lines()
            .find(|line| field(line, 2) == Some(uid))
            .and_then(|line| words(line).next())
            .map(str::to_owned)
    }

    /// The same in the text of passwd(5) and group(5).
    fn find_in(name: &str, passwd: &str, group: &str) -> Option<Self> {
        let line = passwd.lines().find(|line| words(line).next() == Some(name))?;
        let (uid, gid) = (field(line, 2)?, field(line, 3)?);
        let member =
            |line: &&str| words(line).nth(3).is_some_and(|list| list.split(',').any(|m| m.trim() == name));
        let others =
            group.lines().filter(member).filter_map(|line| field(line, 2)).filter(|other| *other != gid);
        let groups = std::iter::once(gid).chain(others).take(GROUPS).collect();
        Some(Self { name: name.to_owned(), uid, gid, groups })
    }
}

/// The users whose files root may rely on when faild switches to this user: root, this user, and the default user.
pub(crate) fn trust(user: &str) -> Trust {
    let account = Account::find(user);
    let group = account.as_ref().map(|account| account.gid);
    Trust::in_users([account, Account::find(DEFAULT_USER)].into_iter().flatten().map(|a| a.uid), group)
}

/// The number of a group, if there is one of this name.
pub fn group(name: &str) -> Option<u32> {
    let text = read_text(Path::new("/etc/group")).unwrap_or_default();
    text.lines().find(|line| words(line).next() == Some(name)).and_then(|line| field(line, 2))
}

/// The command that creates a user for a service.
pub fn make_command(name: &str) -> String {
    format!(
        "useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin {name}"
    )
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(':')
}

fn field(line: &str, number: usize) -> Option<u32> {
    words(line).nth(number)?.trim().parse().ok()
}

/// How many groups of a user are used: the user of a service is in few, and the kernel accepts 65,536.
const GROUPS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\n# a comment\nbad\nfaild:x:998:997::/nonexistent:/bin/false\n";
    const GROUP: &str =
        "root:x:0:\nadm:x:4:syslog,faild\nfaild:x:997:faild\nfaildx:x:5:faildx\nodd:x:x:faild\n";

    #[test]
    fn a_user_has_its_own_group_first_and_those_that_name_it() {
        let account = Account::find_in("faild", PASSWD, GROUP).unwrap();
        assert_eq!((account.uid, account.gid, account.groups), (998, 997, vec![997, 4]));
        let root = Account::find_in("root", PASSWD, "").unwrap();
        assert_eq!((root.uid, root.gid, root.groups), (0, 0, vec![0]));
    }

    #[test]
    fn unknown_users_are_not_found() {
        for name in ["", "fail", "bad", "# a comment", "998"] {
            assert_eq!(Account::find_in(name, PASSWD, GROUP), None, "{name}");
        }
        assert_eq!(Account::find_in("faild", "", ""), None);
    }

    #[test]
    fn every_host_has_root() {
        assert_eq!(Account::find("root").map(|root| root.uid), Some(0));
        assert_eq!(Account::name_of(0).as_deref(), Some("root"));
    }
}
