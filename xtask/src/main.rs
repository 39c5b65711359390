//! Chores of this repository: everything that is checked before a change is accepted, and the checks of its own that
//! no ready-made tool has. Knows the repository's shape, nothing of how Weir works.
#![allow(clippy::print_stdout, reason = "a chore reports to the person who started it")]

mod bench;
mod ci;
mod clients;
mod dist;
mod real_model;
mod running;
mod sim;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

struct Chore {
    name: &'static str,
    about: &'static str,
    /// Does it with the arguments behind its name; the error is for people.
    run: fn(&[String]) -> Result<(), String>,
}

const CHORES: &[Chore] = &[
    Chore {
        name: "ci",
        about: "set up what is missing, then format, lint, tidy, test and document; --long adds the long tests",
        run: ci::run,
    },
    Chore { name: "tidy", about: "check the house's own rules: layers, sizes, names, docs", run: tidy::run },
    Chore {
        name: "clients",
        about: "install the clients of other makers, and run the tests that compare what they see behind Weir and without it",
        run: clients::test,
    },
    Chore {
        name: "dist",
        about: "build what ships: profile dist, laid out by what the program does under load; needs llvm-tools",
        run: dist::run,
    },
    Chore {
        name: "bench",
        about: "measure weir beside nginx and the pure parts alone; --secs N, --only compare|pure, --shipped, --rig PATH",
        run: bench::run,
    },
    Chore {
        name: "real-model",
        about: "chat with a real model on llama.cpp through weir while a server is killed and comes back",
        run: real_model::run,
    },
    Chore {
        name: "sim",
        about: "simulate prefix-aware placement on a trace; --trace FILE or WEIR_DATA=FOLDER, --variants; or --latency-budget, --breaker",
        run: sim::run,
    },
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = args.split_first() else {
        help();
        return ExitCode::SUCCESS;
    };
    if matches!(name.as_str(), "help" | "-h" | "--help") {
        help();
        return ExitCode::SUCCESS;
    }
    let Some(chore) = CHORES.iter().find(|chore| chore.name == name) else {
        eprintln!("no chore is called {name:?}");
        help();
        return ExitCode::from(2);
    };
    match (chore.run)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A chore that has told everything already leaves nothing to say.
            if !error.is_empty() {
                eprintln!("{error}");
            }
            ExitCode::FAILURE
        }
    }
}

fn help() {
    println!("cargo xtask CHORE\n");
    for chore in CHORES {
        println!("  {:<11} {}", chore.name, chore.about);
    }
}

/// The repository's root.
fn root() -> PathBuf {
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let xtask = xtask.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    xtask.parent().map(PathBuf::from).unwrap_or(xtask)
}
