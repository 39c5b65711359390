// Google's client.

const { FunctionCallingConfigMode, GoogleGenAI } = require('@google/genai');
const { CITY, PNG, all, run } = require('./harness.cjs');

const HELLO = 'Say hello.';
const tools = [{ functionDeclarations: ['weather', 'time'].map((name) => (
  { name, description: `Tells the ${name}.`, parametersJsonSchema: CITY })) }];
const SHOW = [{ role: 'user', parts: [{ text: 'What is this?' }, { inlineData: { mimeType: 'image/png', data: PNG } }] }];
const toolConfig = { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: ['time'] } };
const CITY_SCHEMA = { type: 'OBJECT', properties: { name: { type: 'STRING' }, people: { type: 'INTEGER' } } };

const cases = {
  plain: { model: 'plain' },
  terms: { model: 'echo', config: { systemInstruction: 'Be brief.', temperature: 0.5, maxOutputTokens: 64, stopSequences: ['END'] } },
  image: { model: 'echo', contents: SHOW },
  tools: { model: 'tools', config: { tools } },
  named: { model: 'echo-call', config: { tools, toolConfig } },
  thinking: { model: 'thinking', config: { thinkingConfig: { includeThoughts: true } } },
  length: { model: 'length', config: { maxOutputTokens: 3 } },
  usage: { model: 'usage' },
  data: { model: 'data', config: { responseMimeType: 'application/json', responseSchema: CITY_SCHEMA } },
};

const client = (target) => new GoogleGenAI({ apiKey: target.key, httpOptions: { baseUrl: target.origin, timeout: 30_000 } });

const part = (of) => (of.functionCall ? ['call', of.functionCall.name, of.functionCall.args]
  : [of.thought ? 'thought' : 'text', of.text]);

function reply(pieces) {
  const said = [];
  for (const [kind, ...rest] of pieces.flatMap((piece) => piece.candidates[0].content.parts ?? []).map(part)) {
    if (kind !== 'call' && said.at(-1)?.[0] === kind) said.at(-1)[1] += rest[0];
    else said.push([kind, ...rest]);
  }
  const { candidates: [{ finishReason }], usageMetadata: used } = pieces.at(-1);
  const written = (used.candidatesTokenCount ?? 0) + (used.thoughtsTokenCount ?? 0);
  return {
    said: said.filter(([kind, text]) => kind === 'call' || text),
    finish: finishReason,
    usage: [used.promptTokenCount, used.cachedContentTokenCount ?? 0, written, used.thoughtsTokenCount ?? 0],
  };
}

async function loop(target, model) {
  const contents = [{ role: 'user', parts: [{ text: HELLO }] }];
  for (let round = 0; round < 5; round += 1) {
    const answer = await client(target).models.generateContent({ model, contents, config: { tools } });
    contents.push(answer.candidates[0].content);
    if (!answer.functionCalls) break;
    contents.push({ role: 'user', parts: answer.functionCalls.map(({ id, name, args }) => (
      { functionResponse: { id, name, response: { output: `${name} of ${args.city}` } } })) });
  }
  return { talk: contents.filter(({ role }) => role === 'model').map(({ parts }) => parts.map(part)) };
}

async function failure(call) {
  try {
    await call();
  } catch (error) {
    return { class: error.constructor.name, status: error.status, says: String(error.message).includes("The vendor's own words.") };
  }
  throw new Error('no error');
}

const scenarios = { loop: (target) => loop(target, 'loop'), thinking_loop: (target) => loop(target, 'thinking-loop') };
for (const [name, asked] of Object.entries(cases)) {
  const ask = { contents: HELLO, ...asked };
  scenarios[`whole/${name}`] = async (target) => reply([await client(target).models.generateContent(ask)]);
  scenarios[`stream/${name}`] = async (target) => reply(await all(await client(target).models.generateContentStream(ask)));
}
for (const status of [400, 429, 500]) {
  scenarios[`errors/${status}`] = (target) => (
    failure(() => client(target).models.generateContent({ model: `status-${status}`, contents: HELLO })));
}
run(scenarios);
