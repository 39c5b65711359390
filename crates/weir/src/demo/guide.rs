//! What the demo says when it has started.

use super::fleet::{Character, DemoRoute, SERVERS};
use super::paint::Paint;
use std::fmt::Write;
use std::net::SocketAddr;

/// The words below the table: addresses and commands to paste.
pub(super) fn guide(routes: &[DemoRoute], public: SocketAddr, admin: SocketAddr, paint: Paint) -> String {
    let mut out = format!(
        "\n{}\n\n{}\n",
        paint.bold(
            "Weir demo: six model servers, and a router in front of them. All of it runs on this machine."
        ),
        table(&SERVERS, paint)
    );
    // Writing to a string cannot fail.
    let _ = write_addresses(&mut out, routes, public, admin, paint);
    let _ = write!(
        out,
        "\n{}\n\n{}\n\n{}\n\n{}\n",
        paint.bold("Paste into another terminal:"),
        curl(public),
        python(public),
        node(public)
    );
    out
}

/// A line for each server.
fn table(servers: &[Character], paint: Paint) -> String {
    let head = format!(
        "  {:<14} {:>11}   {:>8}   {:>17}   {:>6}",
        "server", "first token", "tokens/s", "USD/M in / out", "faults"
    );
    let mut out = format!("{}\n", paint.dim(&head));
    for server in servers {
        let first = format!("{} ms", server.first_token.as_millis());
        let cents = |price: weir_core::Price| price.micro_usd_per_million() / 10_000;
        let usd = |price| format!("{}.{:02}", cents(price) / 100, cents(price) % 100);
        let price = format!("{:>6} / {:>6}", usd(server.input), usd(server.output));
        let faults = format!("{}.{} %", server.faults / 10, server.faults % 10);
        let (name, speed) = (server.name, server.speed);
        let _ = writeln!(out, "  {name:<14} {first:>11}   {speed:>8.0}   {price:>17}   {faults:>6}");
    }
    out
}

fn write_addresses(
    out: &mut String,
    routes: &[DemoRoute],
    public: SocketAddr,
    admin: SocketAddr,
    paint: Paint,
) -> std::fmt::Result {
    let heading = |text: &str| paint.dim(&format!("{text:<8}"));
    writeln!(out, "  {} http://{public}/v1   no key needed", heading("API"))?;
    writeln!(out, "  {} http://{admin}/metrics", heading("metrics"))?;
    for (index, route) in routes.iter().enumerate() {
        let label = heading(if index == 0 { "models" } else { "" });
        let fallback = route.fallback.map(|name| format!(", then {name}")).unwrap_or_default();
        writeln!(out, "  {label} {:<11} {}{fallback}", route.name, route.purpose)?;
    }
    Ok(())
}

fn curl(public: SocketAddr) -> String {
    format!(
        "curl -i http://{public}/v1/chat/completions -H 'content-type: application/json' \\\n  \
         -d '{{\"model\": \"demo\", \"messages\": [{{\"role\": \"user\", \"content\": \"What does a weir do?\"}}]}}'"
    )
}

fn python(public: SocketAddr) -> String {
    format!(
        r#"python3 - <<'END'      # pip install openai
from openai import OpenAI
client = OpenAI(base_url="http://{public}/v1", api_key="none")
messages = [{{"role": "user", "content": "What does a weir do?"}}]
for chunk in client.chat.completions.create(model="demo", messages=messages, stream=True):
    print(chunk.choices[0].delta.content or "", end="", flush=True)
print()
END"#
    )
}

fn node(public: SocketAddr) -> String {
    format!(
        r#"node --input-type=module - <<'END'      # npm install openai
import OpenAI from "openai";
const client = new OpenAI({{ baseURL: "http://{public}/v1", apiKey: "none" }});
const messages = [{{ role: "user", content: "What does a weir do?" }}];
const answer = await client.chat.completions.create({{ model: "demo-best", messages }});
console.log(answer.choices[0].message.content, answer.usage);
END"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::fleet::ROUTES;

    #[test]
    fn the_table_shows_every_figure() {
        let expect = "  server         first token   tokens/s      USD/M in / out   faults
  quick-small          60 ms        180       0.10 /   0.40    0.2 %
  quick-medium        140 ms         95       0.40 /   1.60    0.5 %
  flaky               160 ms         70       0.15 /   0.60   20.0 %
  steady-large        280 ms         60       2.50 /  10.00    0.0 %
  bargain             420 ms         35       0.03 /   0.08    2.0 %
  thinker            1200 ms         45       3.00 /  12.00    1.0 %
";
        assert_eq!(table(&SERVERS, Paint::Plain), expect);
    }

    #[test]
    fn commands_carry_the_real_addresses_and_routes() {
        let (public, admin) = (([127, 0, 0, 1], 7611).into(), ([127, 0, 0, 1], 7612).into());
        let text = guide(&ROUTES, public, admin, Paint::Plain);
        assert_eq!(text.matches("127.0.0.1:7611/v1").count(), 4, "{text}");
        assert_eq!(text.matches("127.0.0.1:7612/metrics").count(), 1, "{text}");
        for route in &ROUTES {
            assert!(text.contains(&format!(" {:<11} {}", route.name, route.purpose)), "{text}");
        }
        assert!(!text.contains('\u{1b}'), "plain text has no colours");
        let body = text.split("-d '").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
        let call: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(call["model"], ROUTES[0].name);
    }
}
