// Anthropic's client.

const Anthropic = require('@anthropic-ai/sdk');
const { CITY, PNG, all, run, told } = require('./harness.cjs');

const HELLO = [{ role: 'user', content: 'Say hello.' }];
const TOOLS = ['weather', 'time'].map((name) => ({ name, description: `Tells the ${name}.`, input_schema: CITY }));
const SHOW = [{ role: 'user', content: [
  { type: 'text', text: 'What is this?' },
  { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } },
] }];
const thinking = { type: 'enabled', budget_tokens: 1024 };

const cases = {
  plain: { model: 'plain' },
  turns: { model: 'echo', system: 'Be brief.' },
  image: { model: 'echo', messages: SHOW },
  tools: { model: 'tools', tools: TOOLS },
  named: { model: 'echo', tools: TOOLS, tool_choice: { type: 'tool', name: 'time' } },
  thinking: { model: 'thinking', thinking, max_tokens: 4096 },
  stop: { model: 'stop', stop_sequences: ['END'] },
  length: { model: 'length' },
  refusal: { model: 'refusal' },
  usage: { model: 'usage' },
};

const client = (target, more = {}) => (
  new Anthropic({ baseURL: target.origin, apiKey: target.key, maxRetries: 0, timeout: 30_000, ...more }));

function block(of) {
  switch (of.type) {
    case 'text': return ['text', of.text];
    case 'thinking': return ['thinking', of.thinking, { seal: of.signature }];
    case 'tool_use': return ['tool_use', of.id, of.name, of.input];
    default: return [of.type];
  }
}

function message({ content, stop_reason, stop_sequence, usage }) {
  return {
    blocks: content.map(block),
    stop: [stop_reason, stop_sequence],
    usage: [usage.input_tokens, usage.cache_read_input_tokens ?? 0, usage.cache_creation_input_tokens ?? 0, usage.output_tokens],
  };
}

async function whole(target, { messages = HELLO, max_tokens = 64, ...asked }) {
  const reply = await client(target).messages.create({ messages, max_tokens, ...asked });
  return { ...message(reply), exact: reply };
}

async function stream(target, { messages = HELLO, max_tokens = 64, ...asked }) {
  const stream = client(target).messages.stream({ messages, max_tokens, ...asked });
  const events = await all(stream);
  return { ...message(await stream.finalMessage()), exact: events };
}

async function agent(target, model, ask) {
  const talk = [...HELLO];
  for (let round = 0; round < 5; round += 1) {
    const said = await ask(client(target).messages, { model, messages: talk, tools: TOOLS, max_tokens: 4096 });
    talk.push({ role: 'assistant', content: said.content });
    if (said.stop_reason !== 'tool_use') break;
    const calls = said.content.filter((content) => content.type === 'tool_use');
    const results = calls.map(({ id, name, input }) => (
      { type: 'tool_result', tool_use_id: id, content: `${name} of ${input.city}` }));
    talk.push({ role: 'user', content: results });
  }
  return { talk };
}

const create = (messages, asked) => messages.create(asked);
const streamed = (messages, asked) => messages.stream(asked).finalMessage();
const ask = (target, model, more) => client(target, more).messages.create({ model, messages: HELLO, max_tokens: 64 });

async function breaksOff(target) {
  let text = '';
  const error = await told(async () => {
    const stream = client(target).messages.stream({ model: 'breaks', messages: HELLO, max_tokens: 64 });
    stream.on('text', (piece) => { text += piece; });
    await stream.done();
  });
  return { error, text };
}

const scenarios = {
  agent: (target) => agent(target, 'loop', create),
  streaming_agent: (target) => agent(target, 'loop', streamed),
  thinking_agent: (target) => agent(target, 'thinking-loop', create),
  streaming_thinking_agent: (target) => agent(target, 'thinking-loop', streamed),
  breaks_off: breaksOff,
  wrong_key: (target) => told(() => ask(target, 'plain', { apiKey: 'wrong' })),
  unknown_model: (target) => told(() => ask(target, 'nobody')),
};
for (const [name, asked] of Object.entries(cases)) {
  scenarios[`whole/${name}`] = (target) => whole(target, asked);
  scenarios[`stream/${name}`] = (target) => stream(target, asked);
}
for (const status of [400, 403, 429, 500, 529]) {
  scenarios[`errors/${status}`] = (target) => told(() => ask(target, `status-${status}`));
}
run(scenarios);
