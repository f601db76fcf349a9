//! Files of settings for the daemon of a host (faild.toml(5)).

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use super::{Family, Host};

impl Host {
    /// Writes a file of settings and returns the flags that name it.
    pub(crate) fn configure(&self, toml: &str) -> String {
        let file = self.file("faild.toml");
        fs::write(&file, toml).expect("cannot write the settings");
        format!("-c {}", file.display())
    }

    /// Writes a key file, the signing key first, and returns the flags that make faild use it.
    pub(crate) fn configure_keys(&self, ids: &[u8]) -> String {
        let file = self.file("keys");
        let keys: String = ids.iter().map(|id| format!("{id} {}\n", secret(*id))).collect();
        fs::write(&file, keys).expect("cannot write the keys");
        fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("cannot protect the keys");
        self.configure(&format!("[auth]\nkey-file = \"{}\"\n", file.display()))
    }

    /// The section that makes a peer known before it is heard.
    pub(crate) fn as_peer(&self) -> String {
        let places = self.lans().chars().flat_map(|lan| {
            let families: &[Family] = self.families();
            families.iter().map(move |family| format!("\"{}\"", self.address(lan, *family)))
        });
        let addresses: Vec<String> = places.collect();
        format!("[[peer]]\nname = \"{}\"\naddresses = [{}]\n", self.name(), addresses.join(", "))
    }
}

/// 32 bytes that differ from key to key.
fn secret(id: u8) -> String {
    format!("{id:02x}").repeat(32)
}
