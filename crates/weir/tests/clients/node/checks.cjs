// OpenAI's Node client against Weir, as an application uses it. One line per check; the first wrong one ends it.

const assert = require('node:assert/strict');
const OpenAI = require('openai');
const { makeParseableResponseFormat } = require('openai/lib/parser');

const { WEIR_URL, WEIR_KEY } = process.env;
const client = new OpenAI({ baseURL: WEIR_URL, apiKey: WEIR_KEY, maxRetries: 0, timeout: 30_000 });
const messages = [{ role: 'user', content: 'Say hello.' }];
const schema = { type: 'object', properties: { city: { type: 'string' } } };
const tools = [{ type: 'function', function: { name: 'weather', parameters: schema } }];
const chat = (model, more = {}, options = {}) => client.chat.completions.create({ model, messages, ...more }, options);

async function all(stream) {
  const items = [];
  for await (const item of await stream) items.push(item);
  return items;
}

// The error that `call` ends with: of this very class, with the envelope read and the request id known.
async function raises(kind, status, code, call) {
  const error = await call().then(() => assert.fail('no error'), (error) => error);
  assert.equal(error.constructor, kind, String(error));
  assert.deepEqual([error.status, error.code], [status, code]);
  assert.match(error.requestID, /^req_/);
  assert.equal(error.error.request_id, error.requestID);
  return error;
}

const checks = {
  async chat() {
    const reply = await chat('hello');
    assert.equal(reply.choices[0].message.content, 'Hello there');
    assert.deepEqual([reply.usage.prompt_tokens, reply.usage.completion_tokens], [9, 5]);
    assert.match(reply._request_id, /^req_/);
    const { response } = await chat('hello').withResponse();
    assert.equal(response.headers.get('x-weir-deployment'), 'hello');
  },

  async stream() {
    const chunks = await all(chat('hello', { stream: true }));
    assert.equal(chunks.map((c) => c.choices[0].delta.content ?? '').join(''), 'Hello there');
    assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
    assert(chunks.every((c) => !c.usage), 'usage that nobody asked for');
  },

  async stream_with_usage() {
    const chunks = await all(chat('hello', { stream: true, stream_options: { include_usage: true } }));
    assert.deepEqual([chunks.at(-1).choices, chunks.at(-1).usage.total_tokens], [[], 14]);
  },

  async stream_helper() {
    assert.equal(await client.chat.completions.stream({ model: 'hello', messages }).finalContent(), 'Hello there');
  },

  async tools() {
    const [choice] = (await chat('tools', { tools })).choices;
    const [call] = choice.message.tool_calls;
    assert.deepEqual([choice.finish_reason, call.id, call.function.name], ['tool_calls', 'call_1', 'weather']);
    assert.equal(call.function.arguments, '{"city":"Graz"}');
  },

  async tools_streamed() {
    const done = await client.chat.completions.stream({ model: 'tools-streamed', messages, tools }).finalChatCompletion();
    const [call] = done.choices[0].message.tool_calls;
    assert.deepEqual([call.id, call.function.name, call.function.arguments], ['call_1', 'weather', '{"city":"Graz"}']);
  },

  async structured() {
    const format = { type: 'json_schema', json_schema: { name: 'city', strict: true, schema } };
    const response_format = makeParseableResponseFormat(format, JSON.parse);
    const reply = await client.chat.completions.parse({ model: 'structured', messages, response_format });
    assert.deepEqual(reply.choices[0].message.parsed, { name: 'Graz', people: 303270 });
    const stream = client.chat.completions.stream({ model: 'structured', messages, response_format });
    assert.deepEqual((await stream.finalMessage()).parsed, { name: 'Graz', people: 303270 });
  },

  async completions() {
    const ask = { model: 'hello', prompt: 'Say' };
    assert.equal((await client.completions.create(ask)).choices[0].text, 'Hello there');
    const chunks = await all(client.completions.create({ ...ask, stream: true }));
    assert.equal(chunks.map((c) => c.choices[0].text).join(''), 'Hello there');
  },

  async embeddings() {
    const { data } = await client.embeddings.create({ model: 'hello', input: ['a', 'b'] });
    assert.deepEqual([data.length, data[0].embedding.length, data[1].embedding[0]], [2, 4, 1]);
    const floats = await client.embeddings.create({ model: 'hello', input: 'a', encoding_format: 'float' });
    assert.equal(floats.data[0].embedding[0], 0.5);
  },

  async models() {
    const names = (await all(client.models.list())).map((model) => model.id);
    assert(names.includes('hello') && names.includes('org/model'), names.join());
    assert.equal((await client.models.retrieve('org/model')).id, 'org/model');
  },

  async error_classes() {
    await raises(OpenAI.BadRequestError, 400, 'upstream_400', () => chat('status-400'));
    const typed = await raises(OpenAI.BadRequestError, 400, 'invalid_type', () => chat('hello', { messages: 7 }));
    assert.deepEqual([typed.param, typed.type], ['messages', 'invalid_request_error']);
    const stranger = new OpenAI({ baseURL: WEIR_URL, apiKey: 'wrong', maxRetries: 0 });
    await raises(OpenAI.AuthenticationError, 401, 'invalid_api_key', async () => stranger.models.list());
    await raises(OpenAI.PermissionDeniedError, 403, 'upstream_403', () => chat('status-403'));
    const unknown = await raises(OpenAI.NotFoundError, 404, 'model_not_found', () => chat('helo'));
    assert.match(unknown.message, /did you mean "hello"/);
    await raises(OpenAI.ConflictError, 409, 'upstream_409', () => chat('status-409'));
    await raises(OpenAI.UnprocessableEntityError, 422, 'upstream_422', () => chat('status-422'));
    const limited = await raises(OpenAI.RateLimitError, 429, 'upstream_429', () => chat('status-429'));
    assert.equal(limited.headers.get('retry-after'), '7');
    await raises(OpenAI.InternalServerError, 500, 'upstream_500', () => chat('status-500'));
    await raises(OpenAI.InternalServerError, 529, 'upstream_529', () => chat('status-529', { stream: true }));
  },

  async error_in_a_stream() {
    let text = '';
    const reading = (async () => {
      for await (const chunk of await chat('cut', { stream: true })) text += chunk.choices[0].delta.content ?? '';
    })();
    const error = await reading.then(() => assert.fail('a stream that was cut ended as if it were whole'), (e) => e);
    assert(error instanceof OpenAI.APIError, String(error));
    assert.deepEqual([text, error.code], ['Hello', 'upstream_truncated']);
  },

  async retries_of_its_own() {
    const reply = await chat('second-time', {}, { maxRetries: 1 });
    assert.equal(reply.choices[0].message.content, 'Now');
  },

  async no_retries_on_top_of_retries() {
    await assert.rejects(chat('down', {}, { maxRetries: 2 }), (error) => {
      assert.equal(error.status, 503);
      return true;
    });
  },

  async timeout() {
    await assert.rejects(chat('silent', {}, { timeout: 300 }), OpenAI.APIConnectionTimeoutError);
  },

  async leaving_a_stream() {
    const stream = await chat('endless', { stream: true });
    for await (const chunk of stream) if (chunk.choices[0].delta.content) break;
  },

  async aborting_a_stream() {
    const stream = await chat('endless', { stream: true });
    for await (const chunk of stream) if (chunk.choices[0].delta.content) stream.controller.abort();
  },
};

(async () => {
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
    } catch (error) {
      console.log(`WRONG ${name}: ${error}`);
      process.exit(1);
    }
    console.log(`ok ${name}`);
  }
})();
