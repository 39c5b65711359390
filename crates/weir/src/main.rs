//! The program: arguments, wiring, reload, signals.

mod catalog;
mod check;
mod cli;
mod demo;
mod environment;
mod explain;
mod reload;
mod run;
mod signals;
mod source;

use std::process::ExitCode;

/// A request takes and frees some dozens of blocks, a few of them of several kilobytes, for which glibc's allocator has no
/// quick list; and after a burst glibc keeps what it has, where this one gives it back within seconds.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    cli::main()
}
