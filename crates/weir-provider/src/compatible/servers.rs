//! Servers that people run themselves.

use super::{FIRST_WORD, LIKENESS};
use crate::{CHAT_AND_TEXT, Kind, OPENAI, Prefills, Probe, Quirks};
use weir_core::Endpoint;

/// The rows. Facts are from the page named in each. Where two have the same usual address, what is found there without a
/// configuration is taken for the first.
pub const SERVERS: &[Kind] = &[
    Kind {
        name: "vllm",
        title: "vLLM",
        description: "A vLLM server; give its `base_url` when it is not on this machine's port 8000.",
        base_url: Some("http://127.0.0.1:8000/v1"),
        speaks: OPENAI,
        quirks: Quirks {
            prefill: Prefills::Beside(r#""continue_final_message":true,"add_generation_prompt":false"#),
            ..Quirks::NONE
        },
        probe: Probe::Health,
        gauges: true,
        source: "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
        ..LIKENESS
    },
    Kind {
        name: "sglang",
        title: "SGLang",
        description: "An SGLang server. Cached tokens are reported only when it runs with `--enable-cache-report`.",
        base_url: Some("http://127.0.0.1:30000/v1"),
        speaks: OPENAI,
        quirks: Quirks { prefill: Prefills::Beside(r#""continue_final_message":true"#), ..Quirks::NONE },
        probe: Probe::Health,
        gauges: true,
        source: "https://docs.sglang.ai/basic_usage/openai_api.html",
        ..LIKENESS
    },
    Kind {
        name: "ollama",
        title: "Ollama",
        description: "Ollama's OpenAI-compatible endpoints. Its response ids are not unique.",
        base_url: Some("http://127.0.0.1:11434/v1"),
        speaks: OPENAI,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        probe: Probe::Loaded,
        source: "https://docs.ollama.com/api/openai-compatibility",
        ..LIKENESS
    },
    Kind {
        name: "llama_cpp",
        title: "llama.cpp",
        description: "llama.cpp's `llama-server`. It answers 503 while the model is loading.",
        base_url: Some("http://127.0.0.1:8080/v1"),
        speaks: OPENAI,
        quirks: Quirks { prefill: Prefills::Plain, ..Quirks::NONE },
        probe: Probe::Health,
        gauges: true,
        source: "https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
        ..LIKENESS
    },
    Kind {
        name: "tgi",
        title: "Text Generation Inference",
        description: "Hugging Face's TGI by its Messages API. A server has one model and takes any name for it.",
        base_url: Some("http://127.0.0.1:3000/v1"),
        speaks: CHAT_AND_TEXT,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        probe: Probe::Health,
        gauges: true,
        source: "https://huggingface.co/docs/text-generation-inference/main/reference/api_reference",
        ..LIKENESS
    },
    Kind {
        name: "lm_studio",
        title: "LM Studio",
        description: "LM Studio's server. It loads a model when that is first called.",
        base_url: Some("http://127.0.0.1:1234/v1"),
        speaks: &[Endpoint::Chat, Endpoint::Completions, Endpoint::Embeddings, Endpoint::Responses],
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://lmstudio.ai/docs/developer/openai-compat",
        ..LIKENESS
    },
    Kind {
        name: "localai",
        title: "LocalAI",
        description: "A LocalAI server. It loads a model when that is first called.",
        base_url: Some("http://127.0.0.1:8080/v1"),
        speaks: OPENAI,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://localai.io/features/text-generation/",
        ..LIKENESS
    },
    Kind {
        name: "llamafile",
        title: "llamafile",
        description: "A llamafile that runs as a server.",
        base_url: Some("http://127.0.0.1:8080/v1"),
        speaks: OPENAI,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://github.com/mozilla-ai/llamafile",
        ..LIKENESS
    },
    Kind {
        name: "lmdeploy",
        title: "LMDeploy",
        description: "LMDeploy's `api_server`.",
        base_url: Some("http://127.0.0.1:23333/v1"),
        speaks: CHAT_AND_TEXT,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        probe: Probe::Health,
        source: "https://lmdeploy.readthedocs.io/en/latest/llm/api_server.html",
        ..LIKENESS
    },
    Kind {
        name: "tensorrt_llm",
        title: "TensorRT-LLM",
        description: "NVIDIA's `trtllm-serve`.",
        base_url: Some("http://127.0.0.1:8000/v1"),
        speaks: CHAT_AND_TEXT,
        probe: Probe::Health,
        source: "https://nvidia.github.io/TensorRT-LLM/commands/trtllm-serve/trtllm-serve.html",
        ..LIKENESS
    },
    Kind {
        name: "xinference",
        title: "Xinference",
        description: "An Xinference server. Its names of models are those they were launched under.",
        base_url: Some("http://127.0.0.1:9997/v1"),
        speaks: OPENAI,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://inference.readthedocs.io/en/latest/user_guide/client_api.html",
        ..LIKENESS
    },
    Kind {
        name: "docker_model_runner",
        title: "Docker Model Runner",
        description: "Docker's Model Runner with TCP access enabled.",
        base_url: Some("http://127.0.0.1:12434/engines/v1"),
        speaks: OPENAI,
        source: "https://docs.docker.com/ai/model-runner/api-reference/",
        ..LIKENESS
    },
    Kind {
        name: "litellm_proxy",
        title: "LiteLLM proxy",
        description: "A LiteLLM proxy, by every format of text that it serves.",
        base_url: Some("http://127.0.0.1:4000/v1"),
        speaks: &[
            Endpoint::Chat,
            Endpoint::Completions,
            Endpoint::Embeddings,
            Endpoint::Messages,
            Endpoint::Responses,
            Endpoint::CountTokens,
            Endpoint::Moderations,
            Endpoint::Rerank,
            Endpoint::Images,
            Endpoint::Speech,
        ],
        source: "https://docs.litellm.ai/docs/simple_proxy",
        ..LIKENESS
    },
];
