"""OpenAI's client, chat completions and what goes with them."""

import functools

import openai
from harness import CITY, PNG, Target, each, run, scenario, told
from pydantic import BaseModel

HELLO = [{"role": "user", "content": "Say hello."}]
TOOLS = [{"type": "function", "function": {"name": name, "description": f"Tells the {name}.", "parameters": CITY}}
         for name in ("weather", "time")]
SHOW = [{"role": "user", "content": [
    {"type": "text", "text": "What is this?"},
    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
    {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
]}]
TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "One?"},
    {"role": "assistant", "content": "Two."},
    {"role": "user", "content": "Three?"},
]


class City(BaseModel):
    name: str
    people: int


CASES = {
    "plain": {"model": "plain"},
    "turns": {"model": "echo", "messages": TALK},
    "image": {"model": "echo", "messages": SHOW},
    "terms": {"model": "echo", "temperature": 0.5, "top_p": 0.9, "max_completion_tokens": 64, "stop": ["END"]},
    "old_terms": {"model": "echo", "max_tokens": 64, "stop": "END"},
    "effort": {"model": "echo", "reasoning_effort": "low", "max_completion_tokens": 4096},
    "tool": {"model": "tool", "tools": TOOLS},
    "tools": {"model": "tools", "tools": TOOLS, "parallel_tool_calls": True},
    "required": {"model": "echo", "tools": TOOLS, "tool_choice": "required"},
    "named": {"model": "echo", "tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "time"}}},
    "one_at_a_time": {"model": "echo", "tools": TOOLS, "parallel_tool_calls": False},
    "thinking": {"model": "thinking"},
    "stop": {"model": "stop", "stop": ["END"]},
    "length": {"model": "length", "max_completion_tokens": 3},
    "refusal": {"model": "refusal"},
    "usage": {"model": "usage"},
}


@functools.cache
def client(target: Target, kind=openai.OpenAI):
    return kind(base_url=target.v1, api_key=target.key, max_retries=0, timeout=30)


def message(choice, usage):
    said = choice.message
    return {
        "text": said.content,
        "thoughts": getattr(said, "reasoning_content", None),
        "refusal": said.refusal,
        "calls": [(call.id, call.function.name, call.function.arguments) for call in said.tool_calls or []],
        "finish": choice.finish_reason,
        "usage": usage,
    }


def usage(of):
    details, more = of.prompt_tokens_details, of.completion_tokens_details
    cached = details.cached_tokens if details else None
    return [of.prompt_tokens, cached or 0, of.completion_tokens, more.reasoning_tokens or 0 if more else 0]


@each(CASES)
def whole(target, messages=HELLO, **asked):
    reply = client(target).chat.completions.create(messages=messages, **asked)
    return message(reply.choices[0], usage(reply.usage)) | {"exact": reply}


def joined(chunks):
    """A stream put together by hand, as many applications do."""
    text, thoughts, refusal, calls, finish, used, kinds = None, None, None, {}, None, None, []
    for chunk in chunks:
        used = usage(chunk.usage) if chunk.usage else used
        for choice in chunk.choices:
            delta = choice.delta
            thought = getattr(delta, "reasoning_content", None)
            for kind, piece in (("text", delta.content), ("thought", thought), ("refusal", delta.refusal)):
                if piece and kinds[-1:] != [kind]:
                    kinds.append(kind)
            text = (text or "") + delta.content if delta.content else text
            thoughts = (thoughts or "") + thought if thought else thoughts
            refusal = (refusal or "") + delta.refusal if delta.refusal else refusal
            for call in delta.tool_calls or []:
                if call.index not in calls:
                    kinds.append("call")
                begun = calls.setdefault(call.index, [call.id, call.function.name, ""])
                begun[2] += call.function.arguments or ""
            finish = choice.finish_reason or finish
    return {"text": text, "thoughts": thoughts, "refusal": refusal, "calls": calls, "finish": finish, "usage": used,
            "order": kinds}


@each(CASES)
async def stream(target, messages=HELLO, **asked):
    chunks = [chunk async for chunk in await client(target, openai.AsyncOpenAI).chat.completions.create(
        messages=messages, stream=True, stream_options={"include_usage": True}, **asked)]
    return joined(chunks) | {"exact": chunks}


@each({name: CASES[name] for name in ("plain", "tools", "thinking", "refusal", "stop")})
def helper(target, messages=HELLO, **asked):
    with client(target).chat.completions.stream(messages=messages, **asked) as events:
        kinds = []
        for event in events:
            if event.type not in kinds:
                kinds.append(event.type)
        # What the stream did not bring, the helper makes up; nobody asked for usage.
        reply = events.get_final_completion()
    return message(reply.choices[0], reply.usage) | {"kinds": kinds}


@scenario
def without_usage(target):
    chunks = list(client(target).chat.completions.create(model="plain", messages=HELLO, stream=True))
    return {"usage": [chunk.usage for chunk in chunks if chunk.usage], "choices": [len(c.choices) for c in chunks]}


def rounds(target, ask, model="loop"):
    """An agent's loop: what the model wants called is called, until it wants nothing more."""
    talk = list(HELLO)
    for _ in range(5):
        said, finish = ask(model=model, messages=talk, tools=TOOLS)
        talk.append(said)
        if finish != "tool_calls":
            break
        for call in said["tool_calls"]:
            answer = f"{call['function']['name']} of {call['function']['arguments']}"
            talk.append({"role": "tool", "tool_call_id": call["id"], "content": answer})
    return {"talk": talk}


@scenario
def agent(target):
    def ask(**asked):
        choice = client(target).chat.completions.create(**asked).choices[0]
        return choice.message.model_dump(exclude_none=True), choice.finish_reason

    return rounds(target, ask)


@scenario
def streaming_agent(target):
    def ask(**asked):
        with client(target).chat.completions.stream(**asked) as events:
            choice = events.get_final_completion().choices[0]
        said = choice.message.model_dump(exclude_none=True, exclude={"parsed"})
        for call in said.get("tool_calls", []):
            call.pop("index", None)
            call["function"].pop("parsed_arguments", None)
        return said, choice.finish_reason

    return rounds(target, ask)


@scenario
def thinking_agent(target):
    def ask(**asked):
        choice = client(target).chat.completions.create(**asked).choices[0]
        return choice.message.model_dump(exclude_none=True), choice.finish_reason

    return rounds(target, ask, "thinking-loop")


@scenario
def parsed(target):
    reply = client(target).chat.completions.parse(model="data", messages=HELLO, response_format=City)
    return {"city": reply.choices[0].message.parsed}


@scenario
def parsed_stream(target):
    with client(target).chat.completions.stream(model="data", messages=HELLO, response_format=City) as events:
        return {"city": events.get_final_completion().choices[0].message.parsed}


@scenario
def parsed_tool(target):
    tools = [openai.pydantic_function_tool(City)]
    reply = client(target).chat.completions.parse(model="data", messages=HELLO, tools=tools)
    call = reply.choices[0].message.tool_calls[0]
    return {"city": call.function.parsed_arguments, "name": call.function.name}


@scenario
def schema(target):
    reply = client(target).chat.completions.parse(model="echo-data", messages=HELLO, response_format=City)
    return {"heard": reply.choices[0].message.content}


@each({str(status): {"status": status} for status in (400, 403, 429, 500, 529)})
def errors(target, status):
    ask = client(target).chat.completions.create
    return told(openai.APIStatusError, lambda: ask(model=f"status-{status}", messages=HELLO))


@scenario
def unknown_model(target):
    return told(openai.APIStatusError, lambda: client(target).chat.completions.create(model="nobody", messages=HELLO))


@scenario
def wrong_key(target):
    stranger = client(target).with_options(api_key="wrong")
    return told(openai.APIStatusError, lambda: stranger.chat.completions.create(model="plain", messages=HELLO))


@scenario
def orphan(target):
    talk = HELLO + [{"role": "tool", "tool_call_id": "call_9", "content": "Nothing"}]
    return told(openai.APIStatusError, lambda: client(target).chat.completions.create(model="echo", messages=talk))


@scenario
def breaks_off(target):
    text = []

    def read():
        for chunk in client(target).chat.completions.create(model="breaks", messages=HELLO, stream=True):
            text.append(chunk.choices[0].delta.content or "")

    return {"error": told(openai.APIError, read), "text": "".join(text)}


@scenario
def embeddings(target):
    reply = client(target).embeddings.create(model="embed", input=["a", "b"])
    floats = client(target).embeddings.create(model="embed", input="a", encoding_format="float")
    return {"exact": [reply, floats]}


@scenario
def completions(target):
    ours = client(target)
    reply = ours.completions.create(model="prompt", prompt="Say hello.")
    chunks = list(ours.completions.create(model="prompt", prompt="Say hello.", stream=True))
    return {"exact": [reply, chunks]}


run()
