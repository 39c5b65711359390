//! What model servers say of themselves in Prometheus' text format.
//!
//! The names are those of vLLM, SGLang, Text Generation Inference and llama.cpp. Whatever the page holds besides is
//! passed over, malformed lines included: it is a stranger's text, and nothing in it is worth failing for.

/// What a server says that it has to do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Requests being computed.
    pub running: f64,
    /// Requests that wait for their turn.
    pub waiting: f64,
    /// The part of its memory for attention that is in use, from 0 to 1: of several engines, the fullest one's.
    pub memory: Option<f64>,
    /// Whether it tells models apart and these are this model's figures; else they are the whole server's.
    pub of_model: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gauge {
    Running,
    Waiting,
    Memory,
}

/// By engine: vLLM (the last one until 0.9), SGLang, Text Generation Inference, llama.cpp.
const NAMES: [(&[u8], Gauge); 11] = [
    (b"vllm:num_requests_running", Gauge::Running),
    (b"vllm:num_requests_waiting", Gauge::Waiting),
    (b"vllm:kv_cache_usage_perc", Gauge::Memory),
    (b"vllm:gpu_cache_usage_perc", Gauge::Memory),
    (b"sglang:num_running_reqs", Gauge::Running),
    (b"sglang:num_queue_reqs", Gauge::Waiting),
    (b"sglang:token_usage", Gauge::Memory),
    (b"tgi_batch_current_size", Gauge::Running),
    (b"tgi_queue_size", Gauge::Waiting),
    (b"llamacpp:requests_processing", Gauge::Running),
    (b"llamacpp:requests_deferred", Gauge::Waiting),
];

/// What a page says about the server, or about this model alone where it tells models apart by `model_name` and knows it.
/// Several engines (vLLM's `engine`, SGLang's ranks) are added up. `None` when the page holds none of the names.
pub fn load(page: &[u8], model: &str) -> Option<Load> {
    let (mut all, mut own) = (Sum::default(), Sum::default());
    for line in page.split(|byte| *byte == b'\n') {
        let Some(Sample { gauge, labels, value }) = sample(line.trim_ascii()) else { continue };
        all.add(gauge, value);
        if has_model(labels, model) {
            own.add(gauge, value);
        }
    }
    if own.any { Some(own.load(true)) } else { all.any.then(|| all.load(false)) }
}

#[derive(Default)]
struct Sum {
    any: bool,
    running: f64,
    waiting: f64,
    memory: Option<f64>,
}

impl Sum {
    fn add(&mut self, gauge: Gauge, value: f64) {
        self.any = true;
        match gauge {
            Gauge::Running => self.running += value,
            Gauge::Waiting => self.waiting += value,
            Gauge::Memory => self.memory = Some(self.memory.unwrap_or(0.0).max(value)),
        }
    }

    fn load(self, of_model: bool) -> Load {
        Load { running: self.running, waiting: self.waiting, memory: self.memory, of_model }
    }
}

struct Sample<'p> {
    gauge: Gauge,
    /// What stands between the braces.
    labels: &'p [u8],
    value: f64,
}

/// `name{label="value",…} number [time]`; `None` for everything else, comments and unknown names among it.
fn sample(line: &[u8]) -> Option<Sample<'_>> {
    let end = line.iter().position(|byte| matches!(byte, b'{' | b' ' | b'\t'))?;
    let (name, rest) = line.split_at_checked(end)?;
    let gauge = NAMES.iter().find(|(known, _)| *known == name).map(|(_, gauge)| *gauge)?;
    let (labels, rest) = match rest.strip_prefix(b"{") {
        None => (&[][..], rest),
        Some(rest) => {
            let end = end_of_labels(rest)?;
            (rest.get(..end)?, rest.get(end + 1..)?)
        }
    };
    let number = rest.split(u8::is_ascii_whitespace).find(|part| !part.is_empty())?;
    let value: f64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    (value.is_finite() && value >= 0.0).then_some(Sample { gauge, labels, value })
}

/// Where the closing brace is: one within a value does not count.
fn end_of_labels(labels: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    labels.iter().position(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'}' => return !quoted,
            _ => {}
        }
        false
    })
}

/// Whether the label `model_name` is there with this value. Names of models hold nothing that is escaped in a label.
fn has_model(labels: &[u8], model: &str) -> bool {
    let mut rest = labels;
    while let Some(equals) = rest.iter().position(|byte| *byte == b'=') {
        let (name, value) = rest.split_at(equals);
        let Some(value) = value.strip_prefix(b"=\"") else { return false };
        let mut escaped = false;
        let end = value.iter().position(|byte| match byte {
            _ if escaped => {
                escaped = false;
                false
            }
            b'\\' => {
                escaped = true;
                false
            }
            byte => *byte == b'"',
        });
        let Some((value, after)) = end.and_then(|end| value.split_at_checked(end)) else { return false };
        if name.trim_ascii() == b"model_name" {
            return value == model.as_bytes();
        }
        rest = after.strip_prefix(b"\"").unwrap_or(after).trim_ascii_start();
        rest = rest.strip_prefix(b",").unwrap_or(rest);
    }
    false
}

#[cfg(test)]
mod tests;
