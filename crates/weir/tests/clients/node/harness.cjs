// What the scripts of one client have in common: each runs its scenarios at every target and prints what the client saw, as
// those for Python do (../python/harness.py).

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const CITY = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };

// An error as applications tell it from others: its classes, and what it says of itself.
function failure(error) {
  const classes = [];
  for (let kind = Object.getPrototypeOf(error); kind && kind !== Object.prototype; kind = Object.getPrototypeOf(kind)) {
    classes.push(kind.constructor.name);
  }
  const body = error.error?.error ?? error.error ?? error.data?.error;
  const message = body?.message ?? error.message;
  return { classes, message, status: error.status ?? error.statusCode, code: error.code, type: error.type ?? body?.type };
}

// What an error says of itself that `call` must end with.
async function told(call) {
  let result;
  try {
    result = await call();
  } catch (error) {
    return failure(error);
  }
  throw new Error(`no error, but ${JSON.stringify(result)}`);
}

async function all(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

// Runs every scenario at every target. One that ends in an error it did not expect says so in place of its data.
async function run(scenarios) {
  const only = process.argv.slice(2);
  const seen = {};
  for (const target of JSON.parse(process.env.WEIR_TARGETS)) {
    target.v1 = `${target.origin}/v1`;
    seen[target.name] = {};
    for (const [name, scenario] of Object.entries(scenarios)) {
      if (only.length && !only.some((word) => name.includes(word))) continue;
      const begun = Date.now();
      try {
        seen[target.name][name] = (await scenario(target)) ?? {};
      } catch (error) {
        seen[target.name][name] = { raised: String(error) };
      }
      if (Date.now() - begun > 300) console.error(target.name, name, Date.now() - begun);
    }
  }
  console.log(JSON.stringify(seen));
}

module.exports = { PNG, CITY, all, failure, told, run };
