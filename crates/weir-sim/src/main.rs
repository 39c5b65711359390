//! Prints how prompts of a recorded trace would fare under Weir's placement and others', how latency budgets are
//! kept, and what clients notice of deployments that fail.
#![allow(clippy::print_stdout, reason = "the table is what this program is for")]

use clap::Parser;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use weir_sim::{Fleet, Trace, breaker, budget, report, variant};

/// Where a trace is looked for in the folder that `WEIR_DATA` names.
const IN_DATA: &str = "trace_mooncake/conversation_trace.jsonl.gz";

/// Simulates prefix-aware placement on a trace.
#[derive(Parser)]
#[command(name = "weir-sim")]
struct Args {
    /// JSON lines with `timestamp` (ms), `input_length` and `hash_ids`, as Mooncake publishes them; `.gz` is unpacked.
    /// Without it, the conversation trace in the folder `WEIR_DATA`.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Model servers.
    #[arg(long, default_value = "8", value_name = "N")]
    instances: NonZeroU32,
    /// Blocks that each one's cache holds.
    #[arg(long, default_value = "2000", value_name = "N")]
    cache_blocks: u32,
    /// Tokens of a block, as the trace was made.
    #[arg(long, default_value = "512", value_name = "N")]
    block_tokens: NonZeroU32,
    /// Tokens of a prompt that each computes in a second.
    #[arg(long, default_value = "8000", value_name = "N")]
    tokens_per_second: NonZeroU32,
    /// Shows instead how the policy `latency_budget` keeps its budgets, beside an oracle; needs no trace.
    #[arg(long)]
    latency_budget: bool,
    /// Shows instead what clients notice of deployments that fail, flap, slow down and come back; needs no trace.
    #[arg(long)]
    breaker: bool,
    /// Also shows whether it holds for changed traffic and other fleets.
    #[arg(long)]
    variants: bool,
}

fn main() -> ExitCode {
    match simulate(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn simulate(args: &Args) -> Result<(), String> {
    if args.latency_budget {
        let (rate, requests) = (20.0, 40_000);
        print!(
            "{}",
            budget::report(
                &budget::compare(&budget::FLEET, &budget::PERCENTILES, rate, requests, 1),
                rate,
                requests
            )
        );
        return Ok(());
    }
    if args.breaker {
        print!("{}", breaker::report(1));
        return Ok(());
    }
    let data = std::env::var_os("WEIR_DATA").filter(|folder| !folder.is_empty());
    let path = args.trace.clone().or_else(|| Some(PathBuf::from(data?).join(IN_DATA)));
    let path = path.ok_or_else(|| {
        format!(
            "no trace to simulate: give --trace FILE, or set WEIR_DATA to a folder that holds {IN_DATA}. \
             Mooncake's traces are at https://github.com/kvcache-ai/Mooncake, in FAST25-release/traces"
        )
    })?;
    let trace = Trace::read(&path).map_err(|problem| problem.to_string())?;
    let fleet = Fleet {
        instances: usize::try_from(args.instances.get()).map_err(|error| error.to_string())?,
        cache_blocks: args.cache_blocks,
        block_tokens: args.block_tokens,
        tokens_per_second: args.tokens_per_second,
    };
    print!("{}", report::full(&fleet, &trace));
    if args.variants {
        print!("{}", report::variants(&variant::scenes(&fleet, &trace)));
    }
    Ok(())
}
