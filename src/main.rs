//! faild.
fn main() {}
