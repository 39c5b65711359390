"""Pydantic AI's agents on OpenAI's, Anthropic's and Google's APIs."""

import base64
import functools

import anthropic
import openai
from harness import PNG, add, run
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider


class City(BaseModel):
    name: str
    people: int


@functools.cache
def chat_provider(target):
    return OpenAIProvider(openai_client=openai.AsyncOpenAI(base_url=target.v1, api_key=target.key, max_retries=0))


@functools.cache
def messages_provider(target):
    ours = anthropic.AsyncAnthropic(base_url=target.origin, api_key=target.key, max_retries=0)
    return AnthropicProvider(anthropic_client=ours)


def chat(target, name):
    return OpenAIChatModel(name, provider=chat_provider(target))


def messages(target, name):
    return AnthropicModel(name, provider=messages_provider(target))


@functools.cache
def google_provider(target):
    return GoogleProvider(api_key=target.key, base_url=target.origin)


def responses(target, name):
    return OpenAIResponsesModel(name, provider=chat_provider(target), settings={"openai_store": False})


def gemini(target, name):
    return GoogleModel(name, provider=google_provider(target))


def weather(city: str) -> str:
    """Tells the weather."""
    return f"weather of {city}"


def time(city: str) -> str:
    """Tells the time."""
    return f"time of {city}"


def shown(result):
    """What an application sees of a run: what was said by whom, and what it took."""
    said = []
    for message in result.all_messages():
        for part in message.parts:
            if part.part_kind == "tool-call":
                said.append([part.part_kind, part.tool_name, part.args_as_dict(), part.tool_call_id])
            elif part.part_kind == "thinking":
                said.append([part.part_kind, part.content, {"seal": part.signature}])
            elif part.part_kind == "tool-return":
                said.append([part.part_kind, part.tool_name, part.content, part.tool_call_id])
            elif part.part_kind == "text":
                said.append([part.part_kind, part.content])
            else:
                said.append([part.part_kind])
    used = result.usage
    finish = [getattr(message, "finish_reason", None) for message in result.all_messages()]
    return {
        "output": result.output,
        "talk": said,
        "finish": finish,
        "usage": [used.requests, used.input_tokens, used.output_tokens, used.cache_read_tokens],
        "exact": [getattr(message, "provider_details", None) and
                  {key: value for key, value in message.provider_details.items() if key != "timestamp"}
                  for message in result.all_messages()],
    }


async def plain(model, target, name="plain", **more):
    return shown(await Agent(model(target, name), instructions="Be brief.", **more).run("Say hello."))


async def image(model, target):
    picture = BinaryContent(base64.b64decode(PNG), media_type="image/png")
    return shown(await Agent(model(target, "echo")).run(["What is this?", picture]))


async def agent(model, target, name="loop"):
    return shown(await Agent(model(target, name), tools=[weather, time]).run("Say hello."))


async def streamed(model, target, name="plain", tools=()):
    async with Agent(model(target, name), tools=list(tools)).run_stream("Say hello.") as run:
        text = [piece async for piece in run.stream_text(delta=True, debounce_by=None)]
        output = await run.get_output()
    return {"pieces": text, "output": output, "finish": run.response.finish_reason}


async def output(model, target, kind):
    return shown(await Agent(model(target, "data"), output_type=kind).run("Say hello."))


async def error(model, target, name):
    try:
        await Agent(model(target, name)).run("Say hello.")
    except ModelHTTPError as error:
        body = error.body if isinstance(error.body, dict) else {}
        return {"status": error.status_code, "model": error.model_name, "message": body.get("error", body).get("message")}
    raise AssertionError("no error")


for form, model in (("chat", chat), ("messages", messages), ("responses", responses), ("gemini", gemini)):
    for function in (plain, image, agent, streamed):
        add(f"{form}/{function.__name__}", functools.partial(function, model))
    for name in ("echo", "length", "usage", "thinking"):
        add(f"{form}/{name}", functools.partial(plain, model, name=name))
    add(f"{form}/thinking_agent", functools.partial(agent, model, name="thinking-loop"))
    add(f"{form}/streaming_agent", functools.partial(streamed, model, name="loop", tools=(weather, time)))
    kinds = {"tool": ToolOutput(City), "prompted": PromptedOutput(City)}
    if form in ("chat", "responses"):
        # Of the others' models it knows by name which are able to.
        kinds["native"] = NativeOutput(City)
    for name, kind in kinds.items():
        add(f"{form}/output_{name}", functools.partial(output, model, kind=kind))
    for name in ("status-400", "status-429", "status-500"):
        add(f"{form}/errors/{name}", functools.partial(error, model, name=name))

run()
