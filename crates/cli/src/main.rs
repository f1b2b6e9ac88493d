//! shakedown.
fn main() {}
