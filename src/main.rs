//! faild: see faild(8).

use std::process::ExitCode;

use faild::cli::{Arguments, ExitStatus, refuse};
use faild::config::Faults;
use faild::daemon::{self, Reading};

fn main() -> ExitCode {
    daemon::signals::begin();
    match Arguments::parse_from_env() {
        Ok(arguments) if arguments.check => {
            arguments.check(daemon::interfaces().as_deref(), daemon::preview).into()
        }
        Ok(arguments) => run(&arguments),
        Err(status) => status.into(),
    }
}

fn run(arguments: &Arguments) -> ExitCode {
    let loaded = match arguments.load() {
        Ok(loaded) => loaded,
        Err(faults) => return refuse(&faults, ExitStatus::from(&faults)).into(),
    };
    let again = arguments.rooted();
    match daemon::run(loaded, move |reading| match reading {
        Reading::File { running } => again.load_again(running),
        Reading::Text(text) => again.load_text(text),
    }) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            let status = error.downcast_ref::<Faults>().map_or(ExitStatus::Failed, ExitStatus::from);
            refuse(&format_args!("{error:#}"), status).into()
        }
    }
}
