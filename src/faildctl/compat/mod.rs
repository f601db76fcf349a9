//! Commands for users and scripts from Solaris: `faildctl ipmpstat` and `faildctl if_mpadm` have the options, output
//! and exit status of ipmpstat(8) and if_mpadm(8) of illumos. Two scripts of those names call them.

mod columns;
mod if_mpadm;
mod ipmpstat;
mod options;
mod rows;

use std::io;
use std::path::Path;

use super::client::{Client, ClientError};
use crate::control::{Reply, Request};

pub(super) use if_mpadm::main as if_mpadm;
pub(super) use ipmpstat::main as ipmpstat;

/// Why a command exits with 1; it prints this in one line, after its name and `fatal:`.
#[derive(Debug, thiserror::Error)]
enum Fatal {
    #[error("{0}")]
    Words(String),
    #[error("cannot contact faild: {0}")]
    Client(#[from] ClientError),
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
}

impl Fatal {
    fn new(words: impl Into<String>) -> Self {
        Fatal::Words(words.into())
    }
}

/// Sends a request; a refusal is fatal.
fn ask(client: &mut Client, request: &Request) -> Result<Reply, Fatal> {
    let reply = client.ask(request)?;
    if let Reply::Error(refusal) = reply { Err(Fatal::new(refusal.message)) } else { Ok(reply) }
}

/// The answer to some other request.
fn unexpected() -> Fatal {
    Fatal::new("unexpected answer from faild; use the faildctl of the same version")
}

fn connect(socket: &Path) -> Result<Client, Fatal> {
    Ok(Client::connect(socket)?)
}
