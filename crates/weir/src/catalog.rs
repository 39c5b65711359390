//! `weir catalog`: what is publicly known of models, for people and for programs.

mod text;

use crate::check::{count, today};
use crate::cli::{Failure, say};
use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use weir_config::catalog::{Catalog, Difference, Model, Source, diff, litellm};
use weir_config::{Problem, ProcessEnvironment};
use weir_core::ModelClass;
use weir_core::nearest::nearest;

/// The largest price map that is read.
const LARGEST: u64 = 64 << 20;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the models with their limits and prices
    #[command(
        after_help = "Examples:\n  weir catalog list --class coding\n  weir catalog list --vendor groq --json\n  \
                            weir catalog list --file prices.yaml        with figures of your own before the built-in ones"
    )]
    List(List),
    /// Tell all that is known of one model, with the source and the date of its figures
    #[command(
        after_help = "Examples:\n  weir catalog show gpt-5.2\n  weir catalog show groq/openai/gpt-oss-120b --json"
    )]
    Show(Show),
    /// Say where another file differs: LiteLLM's price map, or figures of your own
    #[command(after_help = "Examples:\n  weir catalog diff model_prices_and_context_window.json\n  \
                            weir catalog diff prices.yaml --all\n\nExit codes: 0 no difference, 1 some, 2 wrong usage or \
                            a file that cannot be read.")]
    Diff(Diff),
    /// Make a file of your own from LiteLLM's price map, and say what was not understood
    #[command(
        after_help = "Examples:\n  weir catalog import model_prices_and_context_window.json -o prices.yaml\n  \
                            weir catalog import - --vendor openai --vendor anthropic < map.json > prices.yaml\n\nName it \
                            in the configuration: catalog: { file: prices.yaml }"
    )]
    Import(Import),
}

/// A file that goes before the built-in catalogue.
#[derive(Args)]
struct Own {
    /// Figures of your own, which go before the built-in ones
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Args)]
struct List {
    #[command(flatten)]
    own: Own,
    /// Only models of this class: coding, reasoning, fast, general, media
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// Only models that can be called at this vendor, at its prices
    #[arg(long, value_name = "NAME")]
    vendor: Option<String>,
    /// Say it as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Show {
    /// The model: its name, an id, or VENDOR/ID
    model: String,
    #[command(flatten)]
    own: Own,
    /// Say it as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Diff {
    /// The file; `-` for standard input
    file: PathBuf,
    /// List what the catalogue does not have, too
    #[arg(long)]
    all: bool,
    /// Say it as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Import {
    /// LiteLLM's price map; `-` for standard input
    map: PathBuf,
    /// Where to write the file; absent: standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only models of this vendor; may be given several times
    #[arg(long, value_name = "NAME")]
    vendor: Vec<String>,
    /// What the source of the figures is called
    #[arg(long, value_name = "TEXT", default_value = "LiteLLM's price map")]
    source: String,
    /// The day on which the figures were so; absent: today
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<String>,
    /// Overwrite the file that is there
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::List(list) => listed(list),
        Command::Show(show) => shown(show),
        Command::Diff(diff) => differences(diff),
        Command::Import(import) => imported(import),
    }
}

fn built_in() -> Result<Catalog, Failure> {
    Catalog::embedded().map_err(|problems| Failure::Runtime(told(&problems)))
}

fn told(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl Own {
    fn catalog(&self) -> Result<Catalog, Failure> {
        let built_in = built_in()?;
        let Some(path) = &self.file else { return Ok(built_in) };
        let own = Catalog::load(path, &ProcessEnvironment, &built_in.vendors)
            .map_err(|problems| Failure::Usage(told(&problems)))?;
        Ok(built_in.overlaid(own))
    }
}

fn listed(list: &List) -> Result<(), Failure> {
    let catalog = list.own.catalog()?;
    let class = list.class.as_deref().map(class).transpose()?;
    if let Some(vendor) = &list.vendor {
        check_vendor(&catalog, vendor)?;
    }
    let sold = |model: &Model| {
        list.vendor.as_deref().is_none_or(|vendor| model.offers.iter().any(|offer| *offer.at == *vendor))
    };
    let fits = |model: &&Model| class.is_none_or(|class| model.classes.contains(&class)) && sold(model);
    let models: Vec<&Model> = catalog.models.iter().filter(fits).collect();
    if list.json {
        let models: Vec<Json> = models.iter().map(|model| model.to_json()).collect();
        return say(&format!("{:#}", json!({ "models": models })));
    }
    say(text::list(&models, list.vendor.as_deref()).trim_end())
}

fn class(name: &str) -> Result<ModelClass, Failure> {
    ModelClass::ALL.into_iter().find(|class| class.name() == name).ok_or_else(|| {
        let known = ModelClass::ALL.map(ModelClass::name);
        Failure::Usage(format!("no class is called {name:?}; {}", offered(name, &known)))
    })
}

fn check_vendor(catalog: &Catalog, name: &str) -> Result<(), Failure> {
    if catalog.vendors.iter().any(|vendor| *vendor.name == *name) {
        return Ok(());
    }
    let known: Vec<&str> = catalog.vendors.iter().map(|vendor| &*vendor.name).collect();
    Err(Failure::Usage(format!("no vendor is called {name:?}; {}", offered(name, &known))))
}

/// What a name could have meant.
fn offered(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()).first() {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("known: {}", known.join(", ")),
    }
}

fn shown(show: &Show) -> Result<(), Failure> {
    let catalog = show.own.catalog()?;
    let Some(model) = catalog.model(&show.model) else {
        let help = catalog.did_you_mean(&show.model);
        let help = help.unwrap_or_else(|| "`weir catalog list` lists those there are".to_owned());
        return Err(Failure::Usage(format!("the catalogue has no model {:?}; {help}", show.model)));
    };
    if show.json {
        return say(&format!("{:#}", model.to_json()));
    }
    say(text::model(&catalog, model, &today()).trim_end())
}

/// What is in a file, whichever of the two kinds it is.
fn differences(arguments: &Diff) -> Result<(), Failure> {
    let before = built_in()?;
    let text = read(&arguments.file)?;
    let name = arguments.file.display().to_string();
    let is_map = text.trim_start().starts_with('{') && text.contains("litellm_provider");
    let over = if is_map {
        let source = Source { title: "price map".to_owned(), url: None, date: today().into() };
        litellm::import(&text, &before, source, &[]).map_err(Failure::Usage)?.0
    } else {
        let parsed = Catalog::parse(&name, &text, &before.vendors);
        parsed.map_err(|problems| Failure::Usage(told(&problems)))?
    };
    let found = diff(&before, &before.clone().overlaid(over));
    let (new, changed): (Vec<Difference>, Vec<Difference>) = found.into_iter().partition(Difference::is_new);
    if arguments.json {
        let list = |all: &[Difference]| all.iter().map(Difference::to_json).collect::<Vec<_>>();
        say(&format!("{:#}", json!({ "changed": list(&changed), "new": list(&new) })))?;
    } else {
        say(text::diff(&changed, &new, arguments.all).trim_end())?;
    }
    if changed.is_empty() && new.is_empty() { Ok(()) } else { Err(Failure::Negative) }
}

fn imported(arguments: &Import) -> Result<(), Failure> {
    let known = built_in()?;
    for vendor in &arguments.vendor {
        check_vendor(&known, vendor)?;
    }
    if let Some(path) = arguments.output.as_ref().filter(|path| path.exists() && !arguments.force) {
        return Err(Failure::Usage(format!("{} is there already; --force overwrites it", path.display())));
    }
    let date = match &arguments.date {
        Some(date) => {
            weir_config::date(date).map_err(|why| Failure::Usage(format!("--date {date}: {why}")))?
        }
        None => today().into(),
    };
    let text = read(&arguments.map)?;
    let source = Source { title: arguments.source.clone(), url: None, date };
    let (catalog, report) =
        litellm::import(&text, &known, source, &arguments.vendor).map_err(Failure::Usage)?;
    let yaml = format!(
        "# Written by `weir catalog import`; name it in the configuration: catalog: {{ file: … }}\n{}",
        catalog.to_yaml()
    );
    match &arguments.output {
        Some(path) => std::fs::write(path, yaml)
            .map_err(|error| Failure::Runtime(format!("{}: {error}", path.display())))?,
        None => say(yaml.trim_end())?,
    }
    let written = arguments.output.as_ref().map_or(String::new(), |path| format!(" → {}", path.display()));
    let summary = format!("{}{written}\n{}", count(report.taken, "entry"), text::report(&report));
    writeln!(std::io::stderr(), "{}", summary.trim_end())
        .map_err(|error| Failure::Runtime(format!("writing to stderr: {error}")))
}

fn read(path: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::Usage(format!("{}: {error}", path.display()));
    let mut text = String::new();
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(path).map_err(failed)?)
    };
    source.take(LARGEST).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}
