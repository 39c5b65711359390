"""Google's client."""

import base64
import functools

from google import genai
from google.genai import errors, types
from harness import CITY, PNG, Target, each, run, scenario
from pydantic import BaseModel

HELLO = "Say hello."
TOOLS = [types.Tool(function_declarations=[
    types.FunctionDeclaration(name=name, description=f"Tells the {name}.", parameters_json_schema=CITY)
    for name in ("weather", "time")])]
SHOW = [types.Content(role="user", parts=[
    types.Part.from_text(text="What is this?"),
    types.Part.from_bytes(data=base64.b64decode(PNG), mime_type="image/png"),
])]
TALK = [
    types.Content(role="user", parts=[types.Part.from_text(text="One?")]),
    types.Content(role="model", parts=[types.Part.from_text(text="Two.")]),
    types.Content(role="user", parts=[types.Part.from_text(text="Three?")]),
]
ONLY_TIME = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(
    mode="ANY", allowed_function_names=["time"]))


class City(BaseModel):
    name: str
    people: int


def weather(city: str) -> str:
    """Tells the weather."""
    return f"weather of {city}"


def time(city: str) -> str:
    """Tells the time."""
    return f"time of {city}"


CASES = {
    "plain": {"model": "plain"},
    "turns": {"model": "echo", "contents": TALK, "system_instruction": "Be brief."},
    "image": {"model": "echo", "contents": SHOW},
    "terms": {"model": "echo", "temperature": 0.5, "max_output_tokens": 64, "stop_sequences": ["END"]},
    "budget": {"model": "echo", "max_output_tokens": 4096, "thinking_config": types.ThinkingConfig(thinking_budget=1024)},
    "tool": {"model": "tool", "tools": TOOLS},
    "tools": {"model": "tools", "tools": TOOLS},
    "named": {"model": "echo-call", "tools": TOOLS, "tool_config": ONLY_TIME},
    "thinking": {"model": "thinking", "thinking_config": types.ThinkingConfig(include_thoughts=True)},
    "length": {"model": "length", "max_output_tokens": 3},
    "refusal": {"model": "refusal"},
    "usage": {"model": "usage"},
}


@functools.cache
def client(target: Target):
    options = types.HttpOptions(base_url=target.origin, timeout=30_000)
    return genai.Client(api_key=target.key, http_options=options)


def config(asked):
    manual = types.AutomaticFunctionCallingConfig(disable=True)
    return types.GenerateContentConfig(**{"automatic_function_calling": manual, **asked})


def part(of):
    if of.thought:
        return ["thought", of.text]
    if of.function_call:
        return ["call", of.function_call.name, of.function_call.args]
    return ["text", of.text]


def joined(parts):
    """Texts of one kind that follow each other are one text."""
    out = []
    for kind, *rest in parts:
        if kind != "call" and out and out[-1][0] == kind:
            out[-1][1] += rest[0]
        else:
            out.append([kind, *rest])
    return [part for part in out if part[0] == "call" or part[1]]


def reply(pieces):
    said = [part(of) for piece in pieces for of in piece.candidates[0].content.parts or []]
    last = pieces[-1]
    used = last.usage_metadata
    # What is said and what is thought is counted apart.
    written = (used.candidates_token_count or 0) + (used.thoughts_token_count or 0)
    return {
        "said": joined(said),
        "finish": last.candidates[0].finish_reason,
        "usage": [used.prompt_token_count, used.cached_content_token_count or 0, written, used.thoughts_token_count or 0],
    }


@each(CASES)
def whole(target, model, contents=HELLO, **asked):
    answer = client(target).models.generate_content(model=model, contents=contents, config=config(asked))
    return reply([answer]) | {"exact": answer.model_dump(exclude={"sdk_http_response"})}


@each(CASES)
async def stream(target, model, contents=HELLO, **asked):
    pieces = [piece async for piece in await client(target).aio.models.generate_content_stream(
        model=model, contents=contents, config=config(asked))]
    return reply(pieces) | {"exact": [piece.model_dump(exclude={"sdk_http_response"}) for piece in pieces]}


@scenario
def agent(target):
    """The client's own loop, which calls the functions itself."""
    answer = client(target).models.generate_content(
        model="loop", contents=HELLO, config=types.GenerateContentConfig(tools=[weather, time]))
    history = [[content.role, [part(of) for of in content.parts]] for content in answer.automatic_function_calling_history]
    return {"text": answer.text, "calls": [parts for role, parts in history if role == "model"]}


def by_hand(target, model):
    talk = [types.Content(role="user", parts=[types.Part.from_text(text=HELLO)])]
    for _ in range(5):
        answer = client(target).models.generate_content(model=model, contents=talk, config=config({"tools": TOOLS}))
        talk.append(answer.candidates[0].content)
        if not answer.function_calls:
            break
        talk.append(types.Content(role="user", parts=[
            types.Part(function_response=types.FunctionResponse(
                id=call.id, name=call.name, response={"output": f"{call.name} of {call.args['city']}"}))
            for call in answer.function_calls]))
    return {"talk": [[part(of) for of in content.parts] for content in talk if content.role == "model"]}


@scenario
def loop(target):
    return by_hand(target, "loop")


@scenario
def thinking_loop(target):
    return by_hand(target, "thinking-loop")


@scenario
def chat(target):
    ours = client(target).chats.create(model="echo")
    return {"texts": [ours.send_message("One?").text, ours.send_message("Two?").text]}


@scenario
def parsed(target):
    asked = {"response_mime_type": "application/json", "response_schema": City}
    return {"city": client(target).models.generate_content(model="data", contents=HELLO, config=config(asked)).parsed}


def told(call):
    try:
        call()
    except errors.APIError as error:
        return {"class": type(error).__name__, "code": error.code, "status": error.status, "message": error.message}
    raise AssertionError("no error")


@each({str(status): {"status": status} for status in (400, 403, 429, 500)})
def failures(target, status):
    return told(lambda: client(target).models.generate_content(model=f"status-{status}", contents=HELLO))


@scenario
def unknown_model(target):
    return told(lambda: client(target).models.generate_content(model="nobody", contents=HELLO))


@scenario
def breaks_off(target):
    text = []

    def read():
        for piece in client(target).models.generate_content_stream(model="breaks", contents=HELLO):
            text.append(piece.text or "")

    return {"error": told(read), "text": "".join(text)[:1000]}


run()
