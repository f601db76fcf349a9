//! faildctl: see faildctl(8).

use std::process::ExitCode;

fn main() -> ExitCode {
    faild::faildctl::main()
}
