//! Chats with a real model through Weir, as a user would, while model servers are killed and come back.
//!
//! Two llama.cpp servers with one small model stand behind `weir serve -c examples/llama-cpp.yaml`; OpenAI's own client
//! chats, its retries switched off. What must hold: no request fails while a server dies whose streams have not
//! begun; a stream that had begun ends in an error and never looks complete.

use crate::clients::{self, Python};
use crate::running::{Running, build, free_ports, get, is_free, local};
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

const EXAMPLE: &str = "examples/llama-cpp.yaml";
/// The ports that the example names: two model servers, then Weir's own two listeners by default.
const PORTS: [u16; 4] = [8081, 8082, 7600, 7601];

/// One act of the play: a scene of `chat.py`.
struct Scene {
    name: &'static str,
    about: &'static str,
    /// Whether the doomed server is down when it begins and is started again with it.
    brings_back: bool,
    /// Streams that it may cut: the other server completes them only if it happens to say the same.
    cuts: u64,
}

const SCENES: &[Scene] = &[
    Scene { name: "both", about: "both servers are well", brings_back: false, cuts: 0 },
    Scene {
        name: "kill",
        about: "one is killed at work, its streams not begun",
        brings_back: false,
        cuts: 0,
    },
    Scene { name: "alone", about: "one is dead", brings_back: false, cuts: 0 },
    Scene {
        name: "back",
        about: "it starts again, loads, and gets traffic again",
        brings_back: true,
        cuts: 0,
    },
    Scene { name: "cut", about: "it is killed in the middle of a stream", brings_back: false, cuts: 1 },
];

/// How the chats of one scene or of all of them went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    ok: u64,
    failed: u64,
    cut: u64,
    /// Well, by more than one attempt.
    rescued: u64,
    /// Answered by the server that is killed.
    doomed: u64,
}

/// What runs.
struct Stage {
    root: PathBuf,
    folder: PathBuf,
    python: Python,
    client: Python,
    ports: [u16; 4],
    /// The one that is killed, unless it is dead.
    doomed: Option<Running>,
    _other: Running,
    weir: Running,
}

/// Plays all scenes.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    if !args.is_empty() {
        return Err("usage: cargo xtask real-model".to_owned());
    }
    let mut stage = set_up(crate::root())?;
    let mut total = Tally::default();
    for scene in SCENES {
        println!("\n== {}: {}", scene.name, scene.about);
        if scene.brings_back {
            stage.doomed = Some(serve(&stage.python, &stage.root, &stage.folder, "llama-a", stage.ports[0])?);
            println!("  started again on port {}; it loads its model meanwhile", stage.ports[0]);
        }
        let tally = stage.play(scene)?;
        judge(scene, tally)?;
        total = total.plus(tally);
    }
    stage.show_metrics()?;
    stage.weir.stop()?;
    println!(
        "\n{} chats answered, {} of them by more than one attempt; {} cut in the middle and told so; {} failed",
        total.ok, total.rescued, total.cut, total.failed
    );
    Ok(())
}

fn set_up(root: PathBuf) -> Result<Stage, String> {
    let folder = root.join(".cache/real-model");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let pins = root.join("xtask/real_model/requirements.txt");
    let python = clients::python(&pins, &folder.join("python"), "xllamacpp")?;
    let client = clients::python_client(&root)?;
    let model = folder.join("model.gguf");
    clients::run(server(&python, &root).arg("assemble").arg(&model))?;
    let binary = build(&root, "release")?;
    for log in ["llama-a.log", "llama-b.log", "weir.log"] {
        fs::write(folder.join(log), "").map_err(|error| format!("{log}: {error}"))?;
    }
    let (config, ports) = config(&root, &folder)?;
    let start = Instant::now();
    let mut doomed = serve(&python, &root, &folder, "llama-a", ports[0])?;
    let mut other = serve(&python, &root, &folder, "llama-b", ports[1])?;
    for (name, server, port) in [("llama-a", &mut doomed, ports[0]), ("llama-b", &mut other, ports[1])] {
        let mut loading = 0;
        server.wait_for("its model was loaded", || match get(local(port), "/health") {
            Ok((200, _)) => Some(()),
            Ok((503, _)) => {
                loading += 1;
                None
            }
            _ => None,
        })?;
        let (id, seconds) = (server.id(), start.elapsed().as_secs_f64());
        println!(
            "{name}: process {id}, port {port}, ready after {seconds:.1} s ({loading} times 503 while loading)"
        );
    }
    let mut command = Command::new(binary);
    command.arg("serve").arg("-c").arg(config).current_dir(&root);
    let mut weir = Running::start("weir", &mut command, &folder.join("weir.log"))?;
    let is_ready = || get(local(ports[2]), "/health/ready").ok().filter(|(status, _)| *status == 200);
    weir.wait_for("it was ready", is_ready)?;
    println!("weir: process {}, http://127.0.0.1:{}/v1", weir.id(), ports[2]);
    Ok(Stage { root, folder, python, client, ports, doomed: Some(doomed), _other: other, weir })
}

/// The example as it is, or where its ports are taken a copy with others.
fn config(root: &Path, folder: &Path) -> Result<(PathBuf, [u16; 4]), String> {
    let example = root.join(EXAMPLE);
    let taken: Vec<String> = PORTS.iter().filter(|port| !is_free(**port)).map(u16::to_string).collect();
    if taken.is_empty() {
        println!("configuration: {EXAMPLE}");
        return Ok((example, PORTS));
    }
    let ports = free_ports()?;
    let text = fs::read_to_string(&example).map_err(|error| format!("{EXAMPLE}: {error}"))?;
    let copy = folder.join("weir.yaml");
    fs::write(&copy, with_ports(&text, ports)).map_err(|error| format!("{}: {error}", copy.display()))?;
    println!("configuration: {EXAMPLE} with other ports, since something listens at {}", taken.join(", "));
    Ok((copy, ports))
}

fn with_ports(example: &str, ports: [u16; 4]) -> String {
    let [a, b, public, admin] = ports.map(|port| local(port).to_string());
    let example = example.replace(&local(PORTS[0]).to_string(), &a).replace(&local(PORTS[1]).to_string(), &b);
    format!("server: {{ listen: {public}, admin: {{ listen: {admin} }} }}\n{example}")
}

fn server(python: &Python, root: &Path) -> Command {
    let mut command = python.command();
    command.arg(root.join("xtask/real_model/server.py"));
    command
}

/// Starts a model server; it is not ready yet.
fn serve(
    python: &Python,
    root: &Path,
    folder: &Path,
    name: &'static str,
    port: u16,
) -> Result<Running, String> {
    let mut command = server(python, root);
    command.arg("serve").arg(folder.join("model.gguf")).arg(port.to_string());
    Running::start(name, &mut command, &folder.join(format!("{name}.log")))
}

impl Stage {
    /// Lets the client play a scene, shows what it says and kills the doomed server when it asks for that.
    fn play(&mut self, scene: &Scene) -> Result<Tally, String> {
        let [doomed, other, public, _] = self.ports.map(|port| format!("http://{}", local(port)));
        let mut command = self.client.command();
        command.arg("-u").arg(self.root.join("xtask/real_model/chat.py"));
        command.arg(scene.name).arg(format!("{public}/v1")).args([doomed, other]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| format!("the client: {error}"))?;
        let lines = child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines());
        let tally = self.listen(lines);
        if tally.is_err() {
            // It may be waiting for a server that nobody will end; an error says that it has ended by itself.
            let _ = child.kill();
        }
        let status = child.wait().map_err(|error| format!("the client: {error}"))?;
        match tally? {
            Some(tally) if status.success() => Ok(tally),
            _ => Err(format!("scene {}: the client ended with {status}", scene.name)),
        }
    }

    /// Follows the client to its result.
    fn listen(&mut self, lines: impl Iterator<Item = io::Result<String>>) -> Result<Option<Tally>, String> {
        let mut tally = None;
        for line in lines {
            let line = line.map_err(|error| format!("the client: {error}"))?;
            if line == "kill" {
                let doomed = self.doomed.take().ok_or("the server to be killed is dead already")?;
                println!("  killing llama-a, process {}", doomed.id());
                doomed.kill()?;
            } else if let Some(result) = line.strip_prefix("result ") {
                tally = Tally::read(result);
            } else {
                println!("{line}");
            }
        }
        Ok(tally)
    }

    /// What Weir itself counted.
    fn show_metrics(&self) -> Result<(), String> {
        let (_, page) =
            get(local(self.ports[3]), "/metrics").map_err(|error| format!("/metrics: {error}"))?;
        println!("\n== metrics");
        let shown =
            ["weir_requests_total", "weir_attempts_total", "weir_retries_total", "weir_breaker_state"];
        let shown = shown.into_iter().chain(["gen_ai_client_token_usage_total"]);
        for line in shown.flat_map(|name| page.lines().filter(move |line| line.starts_with(name))) {
            println!("  {line}");
        }
        Ok(())
    }
}

/// Whether a scene kept what is promised.
fn judge(scene: &Scene, tally: Tally) -> Result<(), String> {
    let Tally { ok, failed, cut, .. } = tally;
    println!("  {ok} answered ({} by more than one attempt), {cut} cut, {failed} failed", tally.rescued);
    if failed > 0 || cut > scene.cuts || ok == 0 {
        return Err(format!("scene {}: at most {} cut and none failed was promised", scene.name, scene.cuts));
    }
    if scene.brings_back && tally.doomed == 0 {
        return Err(format!("scene {}: the server that came back got no traffic", scene.name));
    }
    Ok(())
}

impl Tally {
    fn read(json: &str) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_str(json).ok()?;
        let figure = |name: &str| value[name].as_u64();
        Some(Tally {
            ok: figure("ok")?,
            failed: figure("failed")?,
            cut: figure("cut")?,
            rescued: figure("rescued")?,
            doomed: figure("doomed")?,
        })
    }

    fn plus(self, other: Tally) -> Tally {
        Tally {
            ok: self.ok + other.ok,
            failed: self.failed + other.failed,
            cut: self.cut + other.cut,
            rescued: self.rescued + other.rescued,
            doomed: self.doomed + other.doomed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scene_is_judged_by_what_it_promises() {
        let check = |scene: &str, result: &str, expect: bool| {
            let scene = SCENES.iter().find(|known| known.name == scene).unwrap();
            assert_eq!(
                judge(scene, Tally::read(result).unwrap()).is_ok(),
                expect,
                "{}: {result}",
                scene.name
            );
        };
        check("kill", r#"{"ok":9,"failed":0,"cut":0,"rescued":3,"doomed":2}"#, true);
        check("kill", r#"{"ok":9,"failed":1,"cut":0,"rescued":3,"doomed":2}"#, false);
        check("kill", r#"{"ok":9,"failed":0,"cut":1,"rescued":3,"doomed":2}"#, false);
        check("kill", r#"{"ok":0,"failed":0,"cut":0,"rescued":0,"doomed":0}"#, false);
        check("back", r#"{"ok":9,"failed":0,"cut":0,"rescued":0,"doomed":2}"#, true);
        check("back", r#"{"ok":9,"failed":0,"cut":0,"rescued":0,"doomed":0}"#, false);
        check("cut", r#"{"ok":2,"failed":0,"cut":1,"rescued":0,"doomed":1}"#, true);
        check("cut", r#"{"ok":3,"failed":0,"cut":0,"rescued":0,"doomed":1}"#, true);
        check("cut", r#"{"ok":2,"failed":0,"cut":2,"rescued":0,"doomed":1}"#, false);
        assert_eq!(Tally::read(r#"{"ok":9}"#), None);
    }

    #[test]
    fn the_example_is_played_on_other_ports_when_need_be() {
        let example = fs::read_to_string(crate::root().join(EXAMPLE)).unwrap();
        let copy = with_ports(&example, [1, 2, 3, 4]);
        for part in
            ["listen: 127.0.0.1:3,", "listen: 127.0.0.1:4 ", "http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1"]
        {
            assert_eq!(copy.matches(part).count(), 1, "{part} in {copy}");
        }
    }
}
