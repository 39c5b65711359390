//! Simulates placements on a recorded trace. What is simulated, `weir-sim` knows; it is built as it would be shipped,
//! since a trace takes seconds so and minutes otherwise.

use std::process::Command;

/// Passes the arguments on.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // The folder one stands in stays the same, so that a relative path means what it says.
    command.args(["run", "--quiet", "--release", "--manifest-path"]);
    command.arg(crate::root().join("Cargo.toml")).args(["-p", "weir-sim", "--"]).args(args);
    let status = command.status().map_err(|error| format!("cargo run -p weir-sim: {error}"))?;
    // It has said itself what was wrong.
    if status.success() { Ok(()) } else { Err(String::new()) }
}
