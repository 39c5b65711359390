use super::*;
use clap::CommandFactory;

/// Columns of the reference page, whatever terminal the test runs in.
const COLUMNS: usize = 100;

#[test]
fn the_arguments_are_consistent() {
    Arguments::command().debug_assert();
}

/// The text of `docs/reference/cli.md`: every help text in full.
fn reference() -> String {
    let mut program = Arguments::command().term_width(COLUMNS);
    program.build(); // gives each subcommand its full name and its `--help`
    let mut page = String::from(
        "# Command line\n\n\
         <!-- Generated from crates/weir/src/cli.rs; `UPDATE_DOCS=1 cargo test -p weir --bin weir` rewrites it. -->\n\n\
         One program, `weir`. It writes command output and the access log to stdout, and its own words to stderr, as\n\
         much of them as `RUST_LOG` asks for (`info` when it is not set).\n",
    );
    let mut add = |name: &str, help: String| {
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        page.push_str(&format!("\n## `{name}`\n\n```text\n{}\n```\n", lines.join("\n").trim_end()));
    };
    add("weir", program.render_long_help().to_string());
    for command in program.get_subcommands_mut().filter(|command| command.get_name() != "help") {
        let name = format!("weir {}", command.get_name());
        add(&name, command.render_long_help().to_string());
        for command in command.get_subcommands_mut().filter(|command| command.get_name() != "help") {
            add(&format!("{name} {}", command.get_name()), command.render_long_help().to_string());
        }
    }
    page
}

#[test]
fn the_reference_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/cli.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, reference()).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(found, reference(), "run with UPDATE_DOCS=1 to write it anew");
}
