"""LiteLLM as a client, with OpenAI's and Anthropic's APIs."""

import functools
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from harness import CITY, PNG, add, run, told

litellm.suppress_debug_info = True
HELLO = [{"role": "user", "content": "Say hello."}]
TOOLS = [{"type": "function", "function": {"name": name, "description": f"Tells the {name}.", "parameters": CITY}}
         for name in ("weather", "time")]
SHOW = [{"role": "user", "content": [
    {"type": "text", "text": "What is this?"},
    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
]}]
TALK = [{"role": "system", "content": "Be brief."}, *HELLO]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": CITY}}


def at(form, target):
    prefix, base = {"chat": ("openai", target.v1), "messages": ("anthropic", target.origin)}[form]
    return lambda model: {"model": f"{prefix}/{model}", "api_base": base, "api_key": target.key, "num_retries": 0,
                          "max_retries": 0, "max_tokens": 4096}


def shown(reply):
    choice, used = reply.choices[0], reply.usage
    said = choice.message
    exact = reply.model_dump()
    return {
        "text": said.content,
        "thoughts": getattr(said, "reasoning_content", None),
        "calls": [(call.id, call.function.name, call.function.arguments) for call in said.tool_calls or []],
        "finish": choice.finish_reason,
        "tokens": [used.prompt_tokens, used.completion_tokens],
        "exact": exact,
    }


def whole(form, target, model, messages=HELLO, **more):
    result = shown(litellm.completion(messages=messages, **at(form, target)(model), **more))
    # Time and name of what LiteLLM makes of Anthropic's answers are its own.
    if form == "messages":
        del result["exact"]["created"], result["exact"]["id"]
    return result


async def streamed(form, target, model, messages=HELLO, **more):
    chunks = await litellm.acompletion(
        messages=messages, stream=True, stream_options={"include_usage": True}, **at(form, target)(model), **more)
    result = shown(litellm.stream_chunk_builder([chunk async for chunk in chunks], messages=messages))
    del result["exact"]
    return result


def agent(form, target):
    talk = list(HELLO)
    for _ in range(5):
        said = litellm.completion(messages=talk, tools=TOOLS, **at(form, target)("loop")).choices[0].message
        talk.append(said.model_dump(exclude_none=True))
        if not said.tool_calls:
            break
        talk += [{"role": "tool", "tool_call_id": call.id, "content": f"{call.function.name} of {call.function.arguments}"}
                 for call in said.tool_calls]
    return {"talk": [[message.get("content"), message.get("tool_calls")] for message in talk]}


def error(form, target, model):
    error = told(Exception, lambda: litellm.completion(messages=HELLO, **at(form, target)(model)))
    # Its words hold the whole body, identities included.
    return error | {"message": "The vendor's own words." in error["message"]}


CASES = {
    "plain": {"model": "plain"},
    "turns": {"model": "echo", "messages": TALK},
    "image": {"model": "echo", "messages": SHOW},
    "tools": {"model": "tools", "tools": TOOLS},
    "required": {"model": "echo", "tools": TOOLS, "tool_choice": "required"},
    "schema": {"model": "echo-data", "response_format": SCHEMA},
    "thinking": {"model": "thinking"},
    "stop": {"model": "stop", "stop": ["END"]},
    "length": {"model": "length"},
    "usage": {"model": "usage"},
}
for form in ("chat", "messages"):
    for name, case in CASES.items():
        add(f"{form}/{name}", functools.partial(whole, form, **case))
        add(f"{form}/streamed_{name}", functools.partial(streamed, form, **case))
    add(f"{form}/agent", functools.partial(agent, form))
    for name in ("status-400", "status-429", "status-500"):
        add(f"{form}/errors/{name}", functools.partial(error, form, model=name))


def embeddings(target):
    reply = litellm.embedding(input=["a", "b"], **{key: value for key, value in at("chat", target)("embed").items()
                                                   if key != "max_tokens"})
    return {"exact": reply}


add("chat/embeddings", embeddings)
run()
