//! Vendors whose API is OpenAI's: a row each.

use crate::{Auth, Kind, Quirks};

/// The rows. Facts are from the page named in each.
pub const ROWS: &[Kind] = &[
    Kind {
        name: "vllm",
        title: "vLLM",
        description: "A vLLM server; give its `base_url` when it is not on this machine's port 8000.",
        base_url: Some("http://127.0.0.1:8000/v1"),
        key_variable: None,
        models: &[],
        auth: Auth::Bearer,
        quirks: Quirks {
            prefill: r#""continue_final_message":true,"add_generation_prompt":false"#,
            ..Quirks::NONE
        },
        source: "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
    },
    Kind {
        name: "sglang",
        title: "SGLang",
        description: "An SGLang server. Cached tokens are reported only when it runs with `--enable-cache-report`.",
        base_url: Some("http://127.0.0.1:30000/v1"),
        key_variable: None,
        models: &[],
        auth: Auth::Bearer,
        quirks: Quirks { prefill: r#""continue_final_message":true"#, ..Quirks::NONE },
        source: "https://docs.sglang.ai/basic_usage/openai_api.html",
    },
    Kind {
        name: "ollama",
        title: "Ollama",
        description: "Ollama's OpenAI-compatible endpoints. Its response ids are not unique.",
        base_url: Some("http://127.0.0.1:11434/v1"),
        key_variable: None,
        models: &[],
        auth: Auth::Bearer,
        quirks: Quirks {
            stream_usage: true,
            rename: &[("max_completion_tokens", "max_tokens")],
            prefill: "",
        },
        source: "https://docs.ollama.com/api/openai-compatibility",
    },
    Kind {
        name: "llama_cpp",
        title: "llama.cpp",
        description: "llama.cpp's `llama-server`. It answers 503 while the model is loading.",
        base_url: Some("http://127.0.0.1:8080/v1"),
        key_variable: None,
        models: &[],
        auth: Auth::Bearer,
        quirks: Quirks::NONE,
        source: "https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
    },
    Kind {
        name: "groq",
        title: "Groq",
        description: "Groq's API. It refuses `logprobs`, `logit_bias`, `top_logprobs`, `messages[].name` and `n` above 1.",
        base_url: Some("https://api.groq.com/openai/v1"),
        key_variable: Some("GROQ_API_KEY"),
        models: &[
            "llama-3.3-70b-versatile",
            "llama-3.1-8b-instant",
            "openai/gpt-oss-120b",
            "openai/gpt-oss-20b",
        ],
        auth: Auth::Bearer,
        quirks: Quirks::NONE,
        source: "https://console.groq.com/docs/openai",
    },
    Kind {
        name: "deepseek",
        title: "DeepSeek",
        description: "DeepSeek's API. While a request waits it sends empty lines or `: keep-alive` comments.",
        base_url: Some("https://api.deepseek.com/v1"),
        key_variable: Some("DEEPSEEK_API_KEY"),
        models: &["deepseek-chat", "deepseek-reasoner"],
        auth: Auth::Bearer,
        quirks: Quirks {
            stream_usage: true,
            rename: &[("max_completion_tokens", "max_tokens")],
            prefill: "",
        },
        source: "https://api-docs.deepseek.com",
    },
];
