//! faild: see faild(8).

use std::process::ExitCode;

use faild::cli::{Arguments, ExitStatus, refuse};

fn main() -> ExitCode {
    let arguments = match Arguments::parse_from_env() {
        Ok(arguments) => arguments,
        Err(status) => return status.into(),
    };
    if arguments.check {
        return arguments.check(None).into();
    }
    match arguments.load() {
        Ok(_loaded) => ExitStatus::Done.into(),
        Err(faults) => refuse(&faults, ExitStatus::from(&faults)).into(),
    }
}
