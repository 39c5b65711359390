// Vercel's AI SDK, with its providers for OpenAI's likenesses, for Anthropic and for OpenAI's Responses.

const { Output, embedMany, generateObject, generateText, stepCountIs, streamObject, streamText, tool } = require('ai');
const { createAnthropic } = require('@ai-sdk/anthropic');
const { createOpenAI } = require('@ai-sdk/openai');
const { createOpenAICompatible } = require('@ai-sdk/openai-compatible');
const { z } = require('zod');
const { PNG, all, run, told } = require('./harness.cjs');

globalThis.AI_SDK_LOG_WARNINGS = false;
const prompt = 'Say hello.';
const city = z.object({ city: z.string() });
const tools = Object.fromEntries(['weather', 'time'].map((name) => [name, tool({
  description: `Tells the ${name}.`, inputSchema: city, execute: async ({ city }) => `${name} of ${city}`,
})]));
const idle = Object.fromEntries(['weather', 'time'].map((name) => (
  [name, tool({ description: `Tells the ${name}.`, inputSchema: city })])));
const schema = z.object({ name: z.string(), people: z.number() });
// Without it the client says again only by reference what the model said.
const providerOptions = { openai: { store: false } };
const picture = [{ role: 'user', content: [
  { type: 'text', text: 'What is this?' }, { type: 'image', image: PNG, mediaType: 'image/png' },
] }];

const makers = {
  chat: (target) => createOpenAICompatible({ name: 'weir', baseURL: target.v1, apiKey: target.key, includeUsage: true,
    supportsStructuredOutputs: true }),
  messages: (target) => createAnthropic({ baseURL: target.v1, apiKey: target.key }),
  responses: (target) => createOpenAI({ baseURL: target.v1, apiKey: target.key }).responses,
};

// What an application sees of an answer of one step or several.
async function shown(result) {
  const [text, thoughts, finish, usage, calls, steps] = await Promise.all(
    [result.text, result.reasoningText, result.finishReason, result.totalUsage, result.toolCalls, result.steps]);
  const seals = steps.flatMap((step) => step.reasoning.map((part) => part.providerMetadata?.anthropic?.signature ?? null));
  return {
    text, thoughts, finish, seal: seals, usage: [usage.inputTokens, usage.cachedInputTokens ?? 0, usage.outputTokens],
    calls: calls.map(({ toolCallId, toolName, input }) => [toolCallId, toolName, input]),
    steps: steps.map((step) => [step.finishReason, step.content.map((part) => part.type)]),
    exact: steps.map((step) => [step.response.id, step.response.modelId, step.usage]),
  };
}

const cases = {
  plain: { model: 'plain' },
  terms: { model: 'echo', system: 'Be brief.', temperature: 0.5, maxOutputTokens: 64, stopSequences: ['END'] },
  image: { model: 'echo', prompt: undefined, messages: picture },
  tools: { model: 'tools', tools: idle },
  named: { model: 'echo-call', tools: idle, toolChoice: { type: 'tool', toolName: 'time' } },
  required: { model: 'echo-call', tools: idle, toolChoice: 'required' },
  agent: { model: 'loop', tools, stopWhen: stepCountIs(5) },
  thinking: { model: 'thinking' },
  thinking_agent: { model: 'thinking-loop', tools, stopWhen: stepCountIs(5) },
  length: { model: 'length' },
  refusal: { model: 'refusal' },
  usage: { model: 'usage' },
};

const scenarios = {};
for (const [form, make] of Object.entries(makers)) {
  const model = (target, name) => make(target)(name);
  for (const [name, asked] of Object.entries(cases)) {
    const options = (target) => ({ prompt, maxRetries: 0, providerOptions, ...asked, model: model(target, asked.model) });
    scenarios[`${form}/${name}`] = async (target) => shown(await generateText(options(target)));
    scenarios[`${form}/streamed_${name}`] = async (target) => {
      const result = streamText({ ...options(target), onError() {} });
      const kinds = [];
      for await (const part of result.fullStream) {
        if (kinds.at(-1) !== part.type) kinds.push(part.type);
      }
      return { ...await shown(result), order: kinds };
    };
  }
  scenarios[`${form}/object`] = async (target) => {
    const { object, finishReason } = await generateObject({ model: model(target, 'data'), schema, prompt, maxRetries: 0 });
    return { object, finishReason };
  };
  scenarios[`${form}/streamed_object`] = async (target) => {
    const result = streamObject({ model: model(target, 'data'), schema, prompt, maxRetries: 0 });
    await all(result.partialObjectStream);
    return { object: await result.object };
  };
  scenarios[`${form}/output`] = async (target) => {
    const { output } = await generateText({ model: model(target, 'data'), output: Output.object({ schema }), prompt, maxRetries: 0 });
    return { output };
  };
  for (const status of [400, 429, 500]) {
    scenarios[`${form}/errors/${status}`] = (target) => (
      told(() => generateText({ model: model(target, `status-${status}`), prompt, maxRetries: 0 })));
  }
  scenarios[`${form}/breaks_off`] = async (target) => {
    const parts = await all(streamText({ model: model(target, 'breaks'), prompt, maxRetries: 0, onError() {} }).fullStream);
    const text = parts.filter((part) => part.type === 'text-delta').map((part) => part.text).join('');
    return { text, errors: parts.filter((part) => part.type === 'error').length };
  };
}
scenarios['chat/embeddings'] = async (target) => {
  const { embeddings } = await embedMany({ model: makers.chat(target).textEmbeddingModel('embed'), values: ['a', 'b'] });
  return { exact: embeddings };
};
run(scenarios);
