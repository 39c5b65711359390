//! Vendors that are called over the internet.
//!
//! A key of theirs in the environment makes them served without a configuration, by `models`; but where it opens more than
//! models (a token of GitHub's, for instance), `key_variable` stays empty, and it has to be named. Ids of models are from the
//! vendors' pages, the catalogue, and LiteLLM's price map 1.109.1.

use super::{FIRST_WORD, LIKENESS};
use crate::{CHAT_AND_EMBEDDINGS, CHAT_AND_TEXT, Kind, OPENAI, Prefills, Probe, Quirks, StreamUsage};
use weir_core::Endpoint;

/// The rows. Facts are from the page named in each.
pub const VENDORS: &[Kind] = &[
    Kind {
        name: "groq",
        title: "Groq",
        description: "Groq's API. It refuses `messages[].name` and `n` above 1, too.",
        base_url: Some("https://api.groq.com/openai/v1"),
        key_variable: Some("GROQ_API_KEY"),
        models: &[
            "llama-3.3-70b-versatile",
            "llama-3.1-8b-instant",
            "openai/gpt-oss-120b",
            "openai/gpt-oss-20b",
        ],
        speaks: OPENAI,
        quirks: Quirks { refuses: &["logit_bias", "logprobs", "top_logprobs"], ..Quirks::NONE },
        source: "https://console.groq.com/docs/openai",
        ..LIKENESS
    },
    Kind {
        name: "deepseek",
        title: "DeepSeek",
        description: "DeepSeek's API. While a request waits it sends empty lines or `: keep-alive` comments.",
        base_url: Some("https://api.deepseek.com/v1"),
        key_variable: Some("DEEPSEEK_API_KEY"),
        models: &["deepseek-chat", "deepseek-reasoner"],
        speaks: OPENAI,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://api-docs.deepseek.com",
        ..LIKENESS
    },
    Kind {
        name: "mistral",
        title: "Mistral AI",
        description: "Mistral's API. It refuses every member that it does not know; ids of tool calls are made as short as it wants them.",
        base_url: Some("https://api.mistral.ai/v1"),
        key_variable: Some("MISTRAL_API_KEY"),
        models: &[
            "mistral-large-latest",
            "mistral-medium-latest",
            "mistral-small-latest",
            "codestral-latest",
            "magistral-medium-latest",
            "mistral-embed",
        ],
        speaks: &[Endpoint::Chat, Endpoint::Embeddings, Endpoint::Moderations],
        quirks: Quirks {
            usage: StreamUsage::Unasked,
            rename: &[("max_completion_tokens", "max_tokens"), ("seed", "random_seed")],
            refuses: &[
                "audio",
                "logit_bias",
                "min_p",
                "modalities",
                "store",
                "stream_options",
                "user",
                "verbosity",
            ],
            prefill: Prefills::InTurn(r#""prefix":true"#),
            short_tool_ids: true,
            ..Quirks::NONE
        },
        source: "https://docs.mistral.ai/api/endpoint/chat",
        ..LIKENESS
    },
    Kind {
        name: "xai",
        title: "xAI",
        description: "xAI's API. Its reasoning models refuse `presence_penalty`, `frequency_penalty` and `stop`; a wrong key is answered with 400.",
        base_url: Some("https://api.x.ai/v1"),
        key_variable: Some("XAI_API_KEY"),
        models: &[
            "grok-4.7",
            "grok-4.5",
            "grok-4.20-reasoning",
            "grok-4.20-non-reasoning",
            "grok-code-fast-1",
        ],
        speaks: &[Endpoint::Chat, Endpoint::Responses, Endpoint::Images],
        source: "https://docs.x.ai/docs/api-reference",
        ..LIKENESS
    },
    Kind {
        name: "openrouter",
        title: "OpenRouter",
        description: "OpenRouter, which passes calls on to many vendors. It sends `: OPENROUTER PROCESSING` comments while a request waits.",
        base_url: Some("https://openrouter.ai/api/v1"),
        key_variable: Some("OPENROUTER_API_KEY"),
        models: &["openrouter/auto"],
        speaks: OPENAI,
        quirks: Quirks { prefill: Prefills::Plain, ..Quirks::NONE },
        source: "https://openrouter.ai/docs/api-reference/overview",
        ..LIKENESS
    },
    Kind {
        name: "together",
        title: "Together AI",
        description: "Together's API.",
        base_url: Some("https://api.together.xyz/v1"),
        key_variable: Some("TOGETHER_API_KEY"),
        models: &["openai/gpt-oss-120b", "zai-org/GLM-5.3", "deepseek-ai/DeepSeek-V4.1-Flash"],
        speaks: OPENAI,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://docs.together.ai/docs/openai-api-compatibility",
        ..LIKENESS
    },
    Kind {
        name: "fireworks",
        title: "Fireworks AI",
        description: "Fireworks' API. A stream's last event tells usage, asked for or not.",
        base_url: Some("https://api.fireworks.ai/inference/v1"),
        key_variable: Some("FIREWORKS_API_KEY"),
        models: &["accounts/fireworks/models/glm-5p3", "accounts/fireworks/models/deepseek-v4p1-flash"],
        speaks: OPENAI,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://docs.fireworks.ai/tools-sdks/openai-compatibility",
        ..LIKENESS
    },
    Kind {
        name: "perplexity",
        title: "Perplexity",
        description: "Perplexity's API. Every event of a stream tells usage; it knows no tools.",
        base_url: Some("https://api.perplexity.ai"),
        key_variable: Some("PERPLEXITY_API_KEY"),
        models: &["sonar", "sonar-pro", "sonar-reasoning-pro"],
        quirks: Quirks { usage: StreamUsage::Unasked, rename: FIRST_WORD, ..Quirks::NONE },
        probe: Probe::Completion,
        source: "https://docs.perplexity.ai/guides/chat-completions-guide",
        ..LIKENESS
    },
    Kind {
        name: "cerebras",
        title: "Cerebras",
        description: "Cerebras' API.",
        base_url: Some("https://api.cerebras.ai/v1"),
        key_variable: Some("CEREBRAS_API_KEY"),
        models: &["gpt-oss-120b", "llama-3.3-70b", "qwen-3.8-27b"],
        speaks: CHAT_AND_TEXT,
        quirks: Quirks {
            refuses: &[
                "frequency_penalty",
                "logit_bias",
                "parallel_tool_calls",
                "presence_penalty",
                "service_tier",
            ],
            ..Quirks::NONE
        },
        source: "https://inference-docs.cerebras.ai/resources/openai",
        ..LIKENESS
    },
    Kind {
        name: "sambanova",
        title: "SambaNova",
        description: "SambaNova Cloud. It passes over parameters that it does not know.",
        base_url: Some("https://api.sambanova.ai/v1"),
        key_variable: Some("SAMBANOVA_API_KEY"),
        models: &["DeepSeek-V3.2", "gpt-oss-120b", "Meta-Llama-3.3-70B-Instruct"],
        speaks: CHAT_AND_EMBEDDINGS,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://docs.sambanova.ai/docs/en/features/openai-compatibility",
        ..LIKENESS
    },
    Kind {
        name: "nvidia_nim",
        title: "NVIDIA NIM",
        description: "NVIDIA's API catalogue, or a NIM container at its `base_url`. What a model refuses differs from model to model.",
        base_url: Some("https://integrate.api.nvidia.com/v1"),
        key_variable: Some("NVIDIA_API_KEY"),
        models: &["meta/llama-3.3-70b-instruct"],
        speaks: OPENAI,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://docs.api.nvidia.com/nim/reference/llm-apis",
        ..LIKENESS
    },
    Kind {
        name: "deepinfra",
        title: "DeepInfra",
        description: "DeepInfra's API.",
        base_url: Some("https://api.deepinfra.com/v1/openai"),
        key_variable: Some("DEEPINFRA_API_KEY"),
        models: &["openai/gpt-oss-120b", "zai-org/GLM-5.2", "deepseek-ai/DeepSeek-V3.2"],
        speaks: OPENAI,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://deepinfra.com/docs/openai_api",
        ..LIKENESS
    },
    Kind {
        name: "hyperbolic",
        title: "Hyperbolic",
        description: "Hyperbolic's API.",
        base_url: Some("https://api.hyperbolic.xyz/v1"),
        key_variable: Some("HYPERBOLIC_API_KEY"),
        models: &["meta-llama/Llama-3.3-70B-Instruct", "deepseek-ai/DeepSeek-V3-0324"],
        speaks: CHAT_AND_TEXT,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://docs.hyperbolic.xyz/docs/rest-api",
        ..LIKENESS
    },
    Kind {
        name: "novita",
        title: "Novita AI",
        description: "Novita's API.",
        base_url: Some("https://api.novita.ai/openai/v1"),
        key_variable: Some("NOVITA_API_KEY"),
        models: &["deepseek/deepseek-v3.2", "zai-org/glm-5.3", "openai/gpt-oss-120b"],
        speaks: OPENAI,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://novita.ai/docs/guides/llm-api",
        ..LIKENESS
    },
    Kind {
        name: "nebius",
        title: "Nebius Token Factory",
        description: "Nebius' API.",
        base_url: Some("https://api.tokenfactory.nebius.com/v1"),
        key_variable: Some("NEBIUS_API_KEY"),
        models: &["openai/gpt-oss-120b", "zai-org/GLM-5.3", "Qwen/Qwen3-235B-A22B-Instruct-2507"],
        speaks: OPENAI,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://docs.tokenfactory.nebius.com/quickstart",
        ..LIKENESS
    },
    Kind {
        name: "moonshot",
        title: "Moonshot AI",
        description: "Moonshot's API. `temperature` goes from 0 to 1, and `tool_choice` cannot be `required`.",
        base_url: Some("https://api.moonshot.ai/v1"),
        key_variable: Some("MOONSHOT_API_KEY"),
        models: &["kimi-k3", "kimi-k2.7-code", "kimi-k2.6"],
        quirks: Quirks { rename: FIRST_WORD, prefill: Prefills::InTurn(r#""partial":true"#), ..Quirks::NONE },
        source: "https://platform.moonshot.ai/docs/guide/migrating-from-openai-to-kimi",
        ..LIKENESS
    },
    Kind {
        name: "zai",
        title: "Z.ai",
        description: "Z.ai's (Zhipu's) API. A tool is called when the model likes to: `tool_choice` can only be `auto`.",
        base_url: Some("https://api.z.ai/api/paas/v4"),
        key_variable: Some("ZAI_API_KEY"),
        models: &["glm-5.3", "glm-5.3-flash", "glm-4.6"],
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        probe: Probe::Completion,
        source: "https://docs.z.ai/guides/develop/openai/python",
        ..LIKENESS
    },
    Kind {
        name: "dashscope",
        title: "Alibaba Model Studio",
        description: "Alibaba's DashScope, international, by its compatible mode.",
        base_url: Some("https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
        key_variable: Some("DASHSCOPE_API_KEY"),
        models: &["qwen3.8-max", "qwen3.8-flash", "qwen3-max"],
        speaks: CHAT_AND_EMBEDDINGS,
        quirks: Quirks { rename: FIRST_WORD, prefill: Prefills::InTurn(r#""partial":true"#), ..Quirks::NONE },
        source: "https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope",
        ..LIKENESS
    },
    Kind {
        name: "minimax",
        title: "MiniMax",
        description: "MiniMax's API. Thoughts stand in the answer between `<think>` tags unless the call says `reasoning_split`.",
        base_url: Some("https://api.minimax.io/v1"),
        key_variable: Some("MINIMAX_API_KEY"),
        models: &["MiniMax-M3", "MiniMax-M2.5"],
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        probe: Probe::Completion,
        source: "https://platform.minimax.io/docs/api-reference/text-openai-api",
        ..LIKENESS
    },
    Kind {
        name: "volcengine",
        title: "Volcengine Ark",
        description: "ByteDance's Ark. A model is called by its id or by that of an endpoint of one's own.",
        base_url: Some("https://ark.cn-beijing.volces.com/api/v3"),
        key_variable: Some("ARK_API_KEY"),
        models: &["doubao-seed-2-1-pro-260915", "doubao-seed-2-1-turbo-260628"],
        speaks: CHAT_AND_EMBEDDINGS,
        probe: Probe::Completion,
        source: "https://www.volcengine.com/docs/82379/1298454",
        ..LIKENESS
    },
    Kind {
        name: "siliconflow",
        title: "SiliconFlow",
        description: "SiliconFlow's API, international.",
        base_url: Some("https://api.siliconflow.com/v1"),
        key_variable: Some("SILICONFLOW_API_KEY"),
        models: &["deepseek-ai/DeepSeek-V3.2", "zai-org/GLM-4.6"],
        speaks: CHAT_AND_EMBEDDINGS,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://docs.siliconflow.com/en/api-reference/chat-completions/chat-completions",
        ..LIKENESS
    },
    Kind {
        name: "hunyuan",
        title: "Tencent Hunyuan",
        description: "Tencent's Hunyuan.",
        base_url: Some("https://api.hunyuan.cloud.tencent.com/v1"),
        key_variable: Some("HUNYUAN_API_KEY"),
        models: &["hunyuan-turbos-latest", "hunyuan-t1-latest"],
        speaks: CHAT_AND_EMBEDDINGS,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        probe: Probe::Completion,
        source: "https://cloud.tencent.com/document/product/1729/111007",
        ..LIKENESS
    },
    Kind {
        name: "stepfun",
        title: "StepFun",
        description: "StepFun's API.",
        base_url: Some("https://api.stepfun.com/v1"),
        key_variable: Some("STEPFUN_API_KEY"),
        models: &["step-3"],
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://platform.stepfun.com/docs/overview/quickstart",
        ..LIKENESS
    },
    Kind {
        name: "modelscope",
        title: "ModelScope",
        description: "ModelScope's inference API. Its key is a ModelScope token.",
        base_url: Some("https://api-inference.modelscope.cn/v1"),
        key_variable: Some("MODELSCOPE_API_KEY"),
        models: &["Qwen/Qwen3-235B-A22B-Instruct-2507"],
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://modelscope.cn/docs/model-service/API-Inference/intro",
        ..LIKENESS
    },
    Kind {
        name: "ai21",
        title: "AI21 Labs",
        description: "AI21's API. A stream's last event tells usage, asked for or not.",
        base_url: Some("https://api.ai21.com/studio/v1"),
        key_variable: Some("AI21_API_KEY"),
        models: &["jamba-large", "jamba-mini"],
        quirks: Quirks { usage: StreamUsage::Unasked, rename: FIRST_WORD, ..Quirks::NONE },
        probe: Probe::Completion,
        source: "https://docs.ai21.com/reference/jamba-1-6-api-ref",
        ..LIKENESS
    },
    Kind {
        name: "huggingface",
        title: "Hugging Face",
        description: "Hugging Face's router to inference providers. Its key is a Hugging Face token; `model:provider` chooses one.",
        base_url: Some("https://router.huggingface.co/v1"),
        source: "https://huggingface.co/docs/inference-providers/index",
        ..LIKENESS
    },
    Kind {
        name: "github_models",
        title: "GitHub Models",
        description: "GitHub Models. Its key is a GitHub token that may read models.",
        base_url: Some("https://models.github.ai/inference"),
        speaks: CHAT_AND_EMBEDDINGS,
        probe: Probe::Completion,
        source: "https://docs.github.com/en/rest/models/inference",
        ..LIKENESS
    },
    Kind {
        name: "cloudflare",
        title: "Cloudflare Workers AI",
        description: "Workers AI. `base_url`: `https://api.cloudflare.com/client/v4/accounts/ACCOUNT/ai/v1`.",
        speaks: CHAT_AND_EMBEDDINGS,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        probe: Probe::Completion,
        source: "https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility/",
        ..LIKENESS
    },
    Kind {
        name: "databricks",
        title: "Databricks",
        description: "Databricks' model serving. `base_url`: `https://WORKSPACE/serving-endpoints`; the model is the endpoint's name.",
        speaks: OPENAI,
        quirks: Quirks {
            usage: StreamUsage::Unasked,
            refuses: &["stream_options"],
            rename: FIRST_WORD,
            ..Quirks::NONE
        },
        probe: Probe::Completion,
        source: "https://docs.databricks.com/aws/en/machine-learning/model-serving/query-chat-models",
        ..LIKENESS
    },
    Kind {
        name: "friendli",
        title: "Friendli",
        description: "Friendli's serverless endpoints.",
        base_url: Some("https://api.friendli.ai/serverless/v1"),
        key_variable: Some("FRIENDLI_TOKEN"),
        models: &["zai-org/GLM-5.3", "deepseek-ai/DeepSeek-V3.2"],
        speaks: CHAT_AND_TEXT,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://friendli.ai/docs/openapi/serverless/chat-completions",
        ..LIKENESS
    },
    Kind {
        name: "featherless",
        title: "Featherless AI",
        description: "Featherless' API. A model that nobody called for a while takes long to answer.",
        base_url: Some("https://api.featherless.ai/v1"),
        key_variable: Some("FEATHERLESS_API_KEY"),
        models: &["featherless-ai/Qwerky-72B"],
        speaks: CHAT_AND_TEXT,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://featherless.ai/docs/overview",
        ..LIKENESS
    },
    Kind {
        name: "baseten",
        title: "Baseten",
        description: "Baseten's model APIs.",
        base_url: Some("https://inference.baseten.co/v1"),
        key_variable: Some("BASETEN_API_KEY"),
        models: &["zai-org/GLM-5.2", "deepseek-ai/DeepSeek-V4-Pro"],
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://docs.baseten.co/inference/model-apis/overview",
        ..LIKENESS
    },
    Kind {
        name: "chutes",
        title: "Chutes",
        description: "Chutes' API.",
        base_url: Some("https://llm.chutes.ai/v1"),
        key_variable: Some("CHUTES_API_KEY"),
        models: &["deepseek-ai/DeepSeek-V3.2-TEE"],
        speaks: CHAT_AND_TEXT,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://chutes.ai/docs",
        ..LIKENESS
    },
    Kind {
        name: "nscale",
        title: "Nscale",
        description: "Nscale's serverless inference.",
        base_url: Some("https://inference.api.nscale.com/v1"),
        key_variable: Some("NSCALE_API_KEY"),
        models: &["meta-llama/Llama-3.3-70B-Instruct", "Qwen/Qwen2.5-Coder-32B-Instruct"],
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://docs.nscale.com/docs/inference/chat",
        ..LIKENESS
    },
    Kind {
        name: "crusoe",
        title: "Crusoe",
        description: "Crusoe's managed inference.",
        base_url: Some("https://api.inference.crusoecloud.com/v1"),
        key_variable: Some("CRUSOE_API_KEY"),
        models: &["openai/gpt-oss-120b", "deepseek-ai/DeepSeek-V3-0324"],
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://docs.crusoecloud.com/managed-inference/overview",
        ..LIKENESS
    },
    Kind {
        name: "gmi",
        title: "GMI Cloud",
        description: "GMI Cloud's inference engine.",
        base_url: Some("https://api.gmi-serving.com/v1"),
        key_variable: Some("GMI_API_KEY"),
        models: &["deepseek-ai/DeepSeek-V3.2", "moonshotai/Kimi-K2-Thinking"],
        source: "https://docs.gmicloud.ai/inference-engine/api-reference/llm-api-reference",
        ..LIKENESS
    },
    Kind {
        name: "wandb",
        title: "W&B Inference",
        description: "Weights & Biases' inference. Its key is a W&B API key.",
        base_url: Some("https://api.inference.wandb.ai/v1"),
        source: "https://docs.wandb.ai/inference/api-reference",
        ..LIKENESS
    },
    Kind {
        name: "digitalocean",
        title: "DigitalOcean",
        description: "DigitalOcean's serverless inference.",
        base_url: Some("https://inference.do-ai.run/v1"),
        key_variable: Some("MODEL_ACCESS_KEY"),
        models: &["llama3.3-70b-instruct"],
        source: "https://docs.digitalocean.com/products/gradient-ai-platform/how-to/use-serverless-inference/",
        ..LIKENESS
    },
    Kind {
        name: "scaleway",
        title: "Scaleway",
        description: "Scaleway's generative APIs. Its key is the secret of a Scaleway API key.",
        base_url: Some("https://api.scaleway.ai/v1"),
        speaks: CHAT_AND_EMBEDDINGS,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://www.scaleway.com/en/docs/generative-apis/api-cli/using-chat-api/",
        ..LIKENESS
    },
    Kind {
        name: "ovhcloud",
        title: "OVHcloud",
        description: "OVHcloud's AI Endpoints. Without a key it answers a few calls a minute.",
        base_url: Some("https://oai.endpoints.kepler.ai.cloud.ovh.net/v1"),
        key_variable: Some("OVH_AI_ENDPOINTS_ACCESS_TOKEN"),
        models: &["gpt-oss-120b", "Meta-Llama-3_3-70B-Instruct", "Qwen3-32B"],
        speaks: OPENAI,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://help.ovhcloud.com/csm/en-public-cloud-ai-endpoints-getting-started",
        ..LIKENESS
    },
    Kind {
        name: "upstage",
        title: "Upstage",
        description: "Upstage's API.",
        base_url: Some("https://api.upstage.ai/v1"),
        key_variable: Some("UPSTAGE_API_KEY"),
        models: &["solar-pro2", "solar-mini"],
        speaks: CHAT_AND_EMBEDDINGS,
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://console.upstage.ai/api/chat",
        ..LIKENESS
    },
    Kind {
        name: "inception",
        title: "Inception",
        description: "Inception's API of its diffusion models.",
        base_url: Some("https://api.inceptionlabs.ai/v1"),
        key_variable: Some("INCEPTION_API_KEY"),
        models: &["mercury-2"],
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://docs.inceptionlabs.ai/",
        ..LIKENESS
    },
    Kind {
        name: "venice",
        title: "Venice",
        description: "Venice's API. It puts a system prompt of its own before the caller's unless the call says otherwise.",
        base_url: Some("https://api.venice.ai/api/v1"),
        key_variable: Some("VENICE_API_KEY"),
        models: &["llama-3.3-70b"],
        speaks: CHAT_AND_EMBEDDINGS,
        source: "https://docs.venice.ai/api-reference/api-spec",
        ..LIKENESS
    },
    Kind {
        name: "poe",
        title: "Poe",
        description: "Poe's API. It passes over `n`, `logprobs`, `seed` and `response_format`.",
        base_url: Some("https://api.poe.com/v1"),
        key_variable: Some("POE_API_KEY"),
        models: &["Claude-Sonnet-4.5"],
        quirks: Quirks { rename: FIRST_WORD, ..Quirks::NONE },
        source: "https://creator.poe.com/docs/external-applications/openai-compatible-api",
        ..LIKENESS
    },
    Kind {
        name: "vercel_ai_gateway",
        title: "Vercel AI Gateway",
        description: "Vercel's gateway, which passes calls on to many vendors.",
        base_url: Some("https://ai-gateway.vercel.sh/v1"),
        key_variable: Some("AI_GATEWAY_API_KEY"),
        models: &["zai/glm-4.6", "xai/grok-4"],
        speaks: CHAT_AND_EMBEDDINGS,
        source: "https://vercel.com/docs/ai-gateway/openai-compat",
        ..LIKENESS
    },
    Kind {
        name: "cohere_compatible",
        title: "Cohere, compatible",
        description: "Cohere by its endpoint for OpenAI's clients.",
        base_url: Some("https://api.cohere.ai/compatibility/v1"),
        key_variable: Some("CO_API_KEY"),
        models: &["command-a-03-2025", "embed-v4.0"],
        speaks: CHAT_AND_EMBEDDINGS,
        quirks: Quirks {
            rename: FIRST_WORD,
            refuses: &[
                "logit_bias",
                "metadata",
                "modalities",
                "n",
                "parallel_tool_calls",
                "prediction",
                "service_tier",
                "store",
                "top_logprobs",
            ],
            ..Quirks::NONE
        },
        probe: Probe::Completion,
        source: "https://docs.cohere.com/docs/compatibility-api",
        ..LIKENESS
    },
    Kind {
        name: "gemini_compatible",
        title: "Google Gemini API, compatible",
        description: "Gemini by its endpoint for OpenAI's clients; Weir's own `gemini` loses less. It refuses members that it does not know.",
        base_url: Some("https://generativelanguage.googleapis.com/v1beta/openai"),
        speaks: CHAT_AND_EMBEDDINGS,
        quirks: Quirks { refuses: &["logit_bias", "seed", "store"], ..Quirks::NONE },
        source: "https://ai.google.dev/gemini-api/docs/openai",
        ..LIKENESS
    },
];
