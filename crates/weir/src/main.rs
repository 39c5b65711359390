//! The program: arguments, wiring, reload, signals.

mod cli;
mod demo;
mod environment;
mod reload;
mod run;
mod signals;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
