// OpenAI's client, chat completions and what goes with them.

const OpenAI = require('openai');
const { zodResponseFormat } = require('openai/helpers/zod');
const { z } = require('zod');
const { CITY, PNG, all, run, told } = require('./harness.cjs');

const HELLO = [{ role: 'user', content: 'Say hello.' }];
const TOOLS = ['weather', 'time'].map((name) => (
  { type: 'function', function: { name, description: `Tells the ${name}.`, parameters: CITY } }));
const SHOW = [{ role: 'user', content: [
  { type: 'text', text: 'What is this?' },
  { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } },
] }];
const CITY_FORMAT = zodResponseFormat(z.object({ name: z.string(), people: z.number() }), 'city');

const cases = {
  plain: { model: 'plain' },
  turns: { model: 'echo', messages: [{ role: 'system', content: 'Be brief.' }, ...HELLO] },
  image: { model: 'echo', messages: SHOW },
  tools: { model: 'tools', tools: TOOLS },
  named: { model: 'echo', tools: TOOLS, tool_choice: { type: 'function', function: { name: 'time' } } },
  thinking: { model: 'thinking' },
  length: { model: 'length', max_completion_tokens: 3 },
  refusal: { model: 'refusal' },
  usage: { model: 'usage' },
};

const client = (target, more = {}) => (
  new OpenAI({ baseURL: target.v1, apiKey: target.key, maxRetries: 0, timeout: 30_000, ...more }));

const usage = (of) => of && [of.prompt_tokens, of.prompt_tokens_details?.cached_tokens ?? 0, of.completion_tokens,
  of.completion_tokens_details?.reasoning_tokens ?? 0];

function message({ message: said, finish_reason }, used) {
  const calls = said.tool_calls?.map((call) => [call.id, call.function.name, call.function.arguments]);
  const { content, refusal, reasoning_content } = said;
  return { text: content, refusal, thoughts: reasoning_content ?? null, calls: calls ?? [], finish: finish_reason, usage: used };
}

async function whole(target, { messages = HELLO, ...asked }) {
  const reply = await client(target).chat.completions.create({ messages, ...asked });
  return { ...message(reply.choices[0], usage(reply.usage)), exact: reply };
}

async function stream(target, { messages = HELLO, ...asked }) {
  const stream_options = { include_usage: true };
  const stream = client(target).chat.completions.stream({ messages, stream_options, ...asked });
  const chunks = await all(stream);
  const [choice] = (await stream.finalChatCompletion()).choices;
  return { ...message(choice, usage(chunks.at(-1).usage)), exact: chunks };
}

async function agent(target, ask) {
  const talk = [...HELLO];
  for (let round = 0; round < 5; round += 1) {
    const said = await ask(client(target).chat.completions, { model: 'loop', messages: talk, tools: TOOLS });
    talk.push(said);
    if (!said.tool_calls?.length) break;
    for (const call of said.tool_calls) {
      const content = `${call.function.name} of ${call.function.arguments}`;
      talk.push({ role: 'tool', tool_call_id: call.id, content });
    }
  }
  return { talk: talk.map(({ content, tool_calls }) => [content, tool_calls ?? []]) };
}

// The client's own loop, which calls the functions itself.
async function runner(target) {
  const tools = ['weather', 'time'].map((name) => ({ type: 'function', function: {
    name, parameters: CITY, parse: JSON.parse, function: ({ city }) => `${name} of ${city}`,
  } }));
  const runner = client(target).chat.completions.runTools({ model: 'loop', messages: HELLO, tools });
  return { text: await runner.finalContent(), calls: runner.messages.length };
}

async function parsed(target, model = 'data') {
  const reply = await client(target).chat.completions.parse({ model, messages: HELLO, response_format: CITY_FORMAT });
  return { city: reply.choices[0].message.parsed };
}

async function breaksOff(target) {
  let text = '';
  const error = await told(async () => {
    const stream = await client(target).chat.completions.create({ model: 'breaks', messages: HELLO, stream: true });
    for await (const chunk of stream) text += chunk.choices[0].delta.content ?? '';
  });
  return { error, text };
}

const scenarios = {
  agent: (target) => agent(target, async (chats, asked) => (await chats.create(asked)).choices[0].message),
  streaming_agent: (target) => agent(target, (chats, asked) => chats.stream(asked).finalMessage()),
  runner,
  parsed,
  breaks_off: breaksOff,
  wrong_key: (target) => told(() => client(target, { apiKey: 'wrong' }).chat.completions.create({ model: 'plain', messages: HELLO })),
  unknown_model: (target) => told(() => client(target).chat.completions.create({ model: 'nobody', messages: HELLO })),
  async embeddings(target) {
    return { exact: await client(target).embeddings.create({ model: 'embed', input: ['a', 'b'] }) };
  },
};
for (const [name, asked] of Object.entries(cases)) {
  scenarios[`whole/${name}`] = (target) => whole(target, asked);
  scenarios[`stream/${name}`] = (target) => stream(target, asked);
}
for (const status of [400, 403, 429, 500, 529]) {
  scenarios[`errors/${status}`] = (target) => (
    told(() => client(target).chat.completions.create({ model: `status-${status}`, messages: HELLO })));
}
run(scenarios);
