"""OpenAI's client, Responses."""

import functools

import openai
from harness import CITY, PNG, Target, each, run, scenario, told
from pydantic import BaseModel

HELLO = "Say hello."
TOOLS = [{"type": "function", "name": name, "description": f"Tells the {name}.", "parameters": CITY, "strict": True}
         for name in ("weather", "time")]
SHOW = [{"role": "user", "content": [
    {"type": "input_text", "text": "What is this?"},
    {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
]}]
TALK = [
    {"role": "user", "content": "One?"},
    {"role": "assistant", "content": "Two."},
    {"role": "user", "content": "Three?"},
]


class City(BaseModel):
    name: str
    people: int


CASES = {
    "plain": {"model": "plain"},
    "turns": {"model": "echo", "input": TALK, "instructions": "Be brief."},
    "image": {"model": "echo", "input": SHOW},
    "terms": {"model": "echo", "temperature": 0.5, "max_output_tokens": 64},
    "effort": {"model": "echo", "reasoning": {"effort": "low"}, "max_output_tokens": 4096},
    "tool": {"model": "tool", "tools": TOOLS},
    "tools": {"model": "tools", "tools": TOOLS},
    "required": {"model": "echo-call", "tools": TOOLS, "tool_choice": "required"},
    "named": {"model": "echo-call", "tools": TOOLS, "tool_choice": {"type": "function", "name": "time"}},
    "one_at_a_time": {"model": "echo", "tools": TOOLS, "parallel_tool_calls": False},
    "thinking": {"model": "thinking", "include": ["reasoning.encrypted_content"]},
    "length": {"model": "length", "max_output_tokens": 16},
    "refusal": {"model": "refusal"},
    "usage": {"model": "usage"},
}


@functools.cache
def client(target: Target, kind=openai.OpenAI):
    return kind(base_url=target.v1, api_key=target.key, max_retries=0, timeout=30)


def item(of):
    match of.type:
        case "message":
            return ["message", of.role, of.status, [[part.type, getattr(part, "text", None) or part.refusal]
                                                    for part in of.content]]
        case "reasoning":
            return ["reasoning", [part.text for part in of.summary], {"seal": of.encrypted_content}]
        case "function_call":
            return ["function_call", of.call_id, of.name, of.arguments]
        case other:
            return [other]


def response(of):
    used = of.usage
    return {
        "text": of.output_text,
        "output": [item(part) for part in of.output],
        "status": [of.status, of.incomplete_details and of.incomplete_details.reason, of.error],
        "usage": [used.input_tokens, used.input_tokens_details.cached_tokens, used.output_tokens,
                  used.output_tokens_details.reasoning_tokens],
    }


@each(CASES)
def whole(target, input=HELLO, **asked):
    reply = client(target).responses.create(input=input, store=False, **asked)
    return response(reply) | {"exact": reply}


@each(CASES)
async def stream(target, input=HELLO, **asked):
    events, kinds, joined, last = [], [], {}, None
    async for event in await client(target, openai.AsyncOpenAI).responses.create(
            input=input, store=False, stream=True, **asked):
        events.append(event)
        if kinds[-1:] != [event.type]:
            kinds.append(event.type)
        if isinstance(getattr(event, "delta", None), str):
            joined[event.type] = joined.get(event.type, "") + event.delta
        last = event
    return response(last.response) | {"kinds": kinds, "joined": joined, "exact": events}


@each({name: CASES[name] for name in ("plain", "tools", "thinking", "refusal")})
def helper(target, input=HELLO, **asked):
    with client(target).responses.stream(input=input, store=False, **asked) as events:
        kinds = [event.type for event in events]
        return response(events.get_final_response()) | {"exact": kinds}


def rounds(target, ask, model):
    """An agent's loop: what the model wants called is called, until it wants nothing more."""
    talk = [{"role": "user", "content": HELLO}]
    for _ in range(5):
        reply = ask(model=model, input=talk, tools=TOOLS, store=False, include=["reasoning.encrypted_content"])
        talk += [part.model_dump(exclude_none=True, exclude={"parsed_arguments", "id"}) for part in reply.output]
        calls = [part for part in reply.output if part.type == "function_call"]
        if not calls:
            break
        talk += [{"type": "function_call_output", "call_id": call.call_id, "output": f"{call.name} of {call.arguments}"}
                 for call in calls]
    return {"talk": [[part.get("type"), part.get("call_id"), part.get("arguments"), part.get("content"),
                      part.get("summary")] for part in talk]}


def streaming(ours):
    def ask(**asked):
        with ours.responses.stream(**asked) as events:
            return events.get_final_response()

    return ask


@scenario
def agent(target):
    return rounds(target, client(target).responses.create, "loop")


@scenario
def streaming_agent(target):
    return rounds(target, streaming(client(target)), "loop")


@scenario
def thinking_agent(target):
    return rounds(target, client(target).responses.create, "thinking-loop")


@scenario
def streaming_thinking_agent(target):
    return rounds(target, streaming(client(target)), "thinking-loop")


@scenario
def parsed(target):
    return {"city": client(target).responses.parse(model="data", input=HELLO, text_format=City, store=False).output_parsed}


@scenario
def parsed_stream(target):
    with client(target).responses.stream(model="data", input=HELLO, text_format=City, store=False) as events:
        return {"city": events.get_final_response().output_parsed}


@each({str(status): {"status": status} for status in (400, 403, 429, 500, 529)})
def errors(target, status):
    ask = client(target).responses.create
    return told(openai.APIStatusError, lambda: ask(model=f"status-{status}", input=HELLO, store=False))


@scenario
def unknown_model(target):
    return told(openai.APIStatusError, lambda: client(target).responses.create(model="nobody", input=HELLO, store=False))


@scenario
def wrong_key(target):
    stranger = client(target).with_options(api_key="wrong")
    return told(openai.APIStatusError, lambda: stranger.responses.create(model="plain", input=HELLO, store=False))


@scenario
def breaks_off(target):
    """The client raises an error of some servers, and hands on that of others as an event; applications look for both."""
    text, error, events = "", None, []
    try:
        for event in client(target).responses.create(model="breaks", input=HELLO, stream=True, store=False):
            events.append(event.type)
            if event.type == "response.output_text.delta":
                text += event.delta
            if event.type == "error":
                error = {"message": event.message, "code": event.code}
    except openai.APIError as raised:
        error = {"message": raised.message, "code": raised.code}
    return {"error": error, "text": text, "completed": "response.completed" in events, "exact": events}


run()
