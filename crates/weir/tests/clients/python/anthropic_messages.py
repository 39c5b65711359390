"""Anthropic's client."""

import functools

import anthropic
from harness import CITY, PNG, Target, each, run, scenario, told
from pydantic import BaseModel

HELLO = [{"role": "user", "content": "Say hello."}]
TOOLS = [{"name": name, "description": f"Tells the {name}.", "input_schema": CITY} for name in ("weather", "time")]
SHOW = [{"role": "user", "content": [
    {"type": "text", "text": "What is this?"},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
    {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
]}]
TALK = [
    {"role": "user", "content": "One?"},
    {"role": "assistant", "content": "Two."},
    {"role": "user", "content": [{"type": "text", "text": "Three?", "cache_control": {"type": "ephemeral"}}]},
]


class City(BaseModel):
    name: str
    people: int


CASES = {
    "plain": {"model": "plain"},
    "turns": {"model": "echo", "system": "Be brief.", "messages": TALK},
    "system": {"model": "echo", "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}]},
    "image": {"model": "echo", "messages": SHOW},
    "terms": {"model": "echo", "stop_sequences": ["END"], "extra_body": {"temperature": 0.5}},
    "budget": {"model": "echo", "thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4096},
    "tool": {"model": "tool", "tools": TOOLS},
    "tools": {"model": "tools", "tools": TOOLS, "tool_choice": {"type": "auto"}},
    "any": {"model": "echo", "tools": TOOLS, "tool_choice": {"type": "any"}},
    "named": {"model": "echo", "tools": TOOLS, "tool_choice": {"type": "tool", "name": "time"}},
    "one_at_a_time": {"model": "echo", "tools": TOOLS,
                      "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
    "thinking": {"model": "thinking", "thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4096},
    "stop": {"model": "stop", "stop_sequences": ["END"]},
    "length": {"model": "length", "max_tokens": 3},
    "refusal": {"model": "refusal"},
    "usage": {"model": "usage"},
}


@functools.cache
def client(target: Target, kind=anthropic.Anthropic):
    return kind(base_url=target.origin, api_key=target.key, max_retries=0, timeout=30)


def block(of):
    match of.type:
        case "text":
            return ["text", of.text]
        case "thinking":
            return ["thinking", of.thinking, {"seal": of.signature}]
        case "tool_use":
            return ["tool_use", of.id, of.name, of.input]
        case other:
            return [other]


def message(of):
    used = of.usage
    return {
        "blocks": [block(content) for content in of.content],
        "stop": [of.stop_reason, of.stop_sequence],
        "usage": [used.input_tokens, used.cache_read_input_tokens or 0, used.cache_creation_input_tokens or 0,
                  used.output_tokens],
    }


@each(CASES)
def whole(target, messages=HELLO, max_tokens=64, **asked):
    reply = client(target).messages.create(messages=messages, max_tokens=max_tokens, **asked)
    return message(reply) | {"exact": reply}


@each(CASES)
async def stream(target, messages=HELLO, max_tokens=64, **asked):
    kinds, exact = [], []
    ours = client(target, anthropic.AsyncAnthropic)
    async with ours.messages.stream(messages=messages, max_tokens=max_tokens, **asked) as events:
        async for event in events:
            kind = [event.type, getattr(event, "index", None)]
            if kinds[-1:] != [kind]:
                kinds.append(kind)
            exact.append(event)
        reply = await events.get_final_message()
    return message(reply) | {"exact": [kinds, exact]}


@each({name: CASES[name] for name in ("plain", "tools", "thinking", "usage")})
def raw_stream(target, messages=HELLO, max_tokens=64, **asked):
    events = client(target).messages.create(messages=messages, max_tokens=max_tokens, stream=True, **asked)
    text, arguments, kinds, used = "", {}, [], None
    exact = []
    for event in events:
        exact.append(event)
        match event.type:
            case "content_block_start":
                kinds.append(event.content_block.type)
            case "content_block_delta" if event.delta.type == "text_delta":
                text += event.delta.text
            case "content_block_delta" if event.delta.type == "input_json_delta":
                arguments[event.index] = arguments.get(event.index, "") + event.delta.partial_json
            case "message_delta":
                used = event.usage.output_tokens
    return {"text": text, "arguments": arguments, "kinds": kinds, "output": used, "exact": exact}


def rounds(ask, model):
    """An agent's loop: what the model wants called is called, until it wants nothing more."""
    talk = list(HELLO)
    for _ in range(5):
        reply = ask(model=model, messages=talk, tools=TOOLS, max_tokens=4096)
        talk.append({"role": "assistant", "content": [content.model_dump(exclude_none=True) for content in reply.content]})
        if reply.stop_reason != "tool_use":
            break
        calls = [content for content in reply.content if content.type == "tool_use"]
        talk.append({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": call.id, "content": f"{call.name} of {call.input['city']}"}
            for call in calls]})
    return {"talk": talk}


def streaming(ours):
    def ask(**asked):
        with ours.messages.stream(**asked) as events:
            return events.get_final_message()

    return ask


@scenario
def agent(target):
    return rounds(client(target).messages.create, "loop")


@scenario
def streaming_agent(target):
    return rounds(streaming(client(target)), "loop")


@scenario
def thinking_agent(target):
    return rounds(client(target).messages.create, "thinking-loop")


@scenario
def streaming_thinking_agent(target):
    return rounds(streaming(client(target)), "thinking-loop")


@scenario
def failed_tool(target):
    talk = HELLO + [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Graz"}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "call_1", "is_error": True,
             "content": [{"type": "text", "text": "No such"}, {"type": "text", "text": " city"}]},
            {"type": "text", "text": "Try Linz."}]},
    ]
    return message(client(target).messages.create(model="echo", messages=talk, tools=TOOLS, max_tokens=64))


@scenario
def count(target):
    return {"tokens": client(target).messages.count_tokens(model="plain", messages=HELLO).input_tokens}


@scenario
def parsed(target):
    reply = client(target).messages.parse(model="data", messages=HELLO, max_tokens=64, output_format=City)
    return {"city": reply.parsed_output}


@scenario
def schema(target):
    schema = anthropic.transform_schema(City)
    config = {"format": {"type": "json_schema", "schema": schema}}
    reply = client(target).messages.create(model="echo-data", messages=HELLO, max_tokens=64, output_config=config)
    return message(reply)


@each({str(status): {"status": status} for status in (400, 403, 429, 500, 529)})
def errors(target, status):
    ask = client(target).messages.create
    return told(anthropic.APIStatusError, lambda: ask(model=f"status-{status}", messages=HELLO, max_tokens=64))


@scenario
def unknown_model(target):
    ask = client(target).messages.create
    return told(anthropic.APIStatusError, lambda: ask(model="nobody", messages=HELLO, max_tokens=64))


@scenario
def wrong_key(target):
    ask = client(target).with_options(api_key="wrong").messages.create
    return told(anthropic.APIStatusError, lambda: ask(model="plain", messages=HELLO, max_tokens=64))


@scenario
def orphan(target):
    talk = [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_9", "content": "Nothing"}]}]
    ask = client(target).messages.create
    return told(anthropic.APIStatusError, lambda: ask(model="echo", messages=talk, max_tokens=64))


@scenario
def breaks_off(target):
    text = []

    def read():
        with client(target).messages.stream(model="breaks", messages=HELLO, max_tokens=64) as events:
            text.extend(events.text_stream)

    return {"error": told(anthropic.APIError, read), "text": "".join(text)}


run()
