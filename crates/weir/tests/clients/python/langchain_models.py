"""LangChain's models for OpenAI's and Anthropic's APIs."""

import functools
import re

import anthropic
import openai
from harness import PNG, add, run, told
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

HELLO = [HumanMessage("Say hello.")]


@tool
def weather(city: str) -> str:
    """Tells the weather."""
    return f"weather of {city}"


@tool
def time(city: str) -> str:
    """Tells the time."""
    return f"time of {city}"


TOOLS = {"weather": weather, "time": time}


class City(BaseModel):
    """A city."""

    name: str
    people: int


@functools.cache
def chat(target, model, **more):
    return ChatOpenAI(base_url=target.v1, api_key=target.key, model=model, max_retries=0, stream_usage=True, **more)


@functools.cache
def responses(target, model, **more):
    return chat(target, model, use_responses_api=True, **more)


@functools.cache
def messages(target, model, **more):
    return ChatAnthropic(base_url=target.origin, api_key=target.key, model=model, max_retries=0, max_tokens=4096, **more)


def content(message):
    """What it says, without the identities of its parts, which Weir gives where it translates."""
    if isinstance(message.content, str):
        return message.content
    return [{key: value for key, value in part.items() if key != "id"} for part in message.content]


def shown(message):
    """What an application sees of a message; an identity that LangChain made up itself says nothing."""
    exact = message.model_dump()
    if re.match(r"(run|lc_run)-", exact.get("id") or ""):
        del exact["id"]
    return {
        "content": content(message),
        "calls": [(call["name"], call["args"], call["id"]) for call in message.tool_calls],
        "wrong_calls": message.invalid_tool_calls,
        "finish": message.response_metadata.get("finish_reason") or message.response_metadata.get("stop_reason"),
        "usage": [message.usage_metadata[name] for name in ("input_tokens", "output_tokens", "total_tokens")]
        if message.usage_metadata else None,
        "exact": exact,
    }


def turns(model, target):
    return shown(model(target, "echo").invoke([SystemMessage("Be brief."), *HELLO]))


def image(model, target):
    shows = HumanMessage([
        {"type": "text", "text": "What is this?"},
        {"type": "image", "base64": PNG, "mime_type": "image/png"},
    ])
    return shown(model(target, "echo").invoke([shows]))


def plain(model, target, name="plain"):
    return shown(model(target, name).invoke(HELLO))


def streamed(model, target, name="plain"):
    whole, pieces = None, 0
    for chunk in model(target, name).bind_tools(list(TOOLS.values())).stream(HELLO):
        whole, pieces = chunk if whole is None else whole + chunk, pieces + 1
    return shown(whole) | {"exact": [pieces, shown(whole)["exact"]]}


async def streamed_async(model, target):
    return {"text": "".join([chunk.text async for chunk in model(target, "plain").astream(HELLO)])}


def agent(model, target, name="loop", stream=False):
    talk = list(HELLO)
    able = model(target, name).bind_tools(list(TOOLS.values()))
    for _ in range(5):
        said = functools.reduce(lambda a, b: a + b, able.stream(talk)) if stream else able.invoke(talk)
        talk.append(said)
        if not said.tool_calls:
            break
        talk += [ToolMessage(TOOLS[call["name"]].invoke(call["args"]), tool_call_id=call["id"]) for call in said.tool_calls]
    return {"talk": [content(message) for message in talk]}


def forced(model, target):
    return shown(model(target, "echo").bind_tools(list(TOOLS.values()), tool_choice="time").invoke(HELLO))


def structured(model, target, method=None):
    how = {"method": method} if method else {}
    return {"city": model(target, "data").with_structured_output(City, **how).invoke(HELLO)}


def error(model, target, name, kinds):
    return told(kinds, lambda: model(target, name).invoke(HELLO))


for form, model, kinds in (("chat", chat, openai.APIStatusError), ("messages", messages, anthropic.APIStatusError),
                           ("responses", responses, openai.APIStatusError)):
    for function in (turns, image, plain, streamed, streamed_async, agent, forced, structured):
        add(f"{form}/{function.__name__}", functools.partial(function, model))
    for name in ("tools", "refusal", "length", "usage", "thinking"):
        add(f"{form}/{name}", functools.partial(plain, model, name=name))
        add(f"{form}/streamed_{name}", functools.partial(streamed, model, name=name))
    add(f"{form}/streaming_agent", functools.partial(agent, model, stream=True))
    add(f"{form}/structured_by_tool", functools.partial(structured, model, method="function_calling"))
    for name in ("status-400", "status-429", "status-500"):
        add(f"{form}/errors/{name}", functools.partial(error, model, name=name, kinds=kinds))
add("messages/thinking_agent", functools.partial(agent, messages, name="thinking-loop"))


def embeddings(target):
    ours = OpenAIEmbeddings(base_url=target.v1, api_key=target.key, model="embed", check_embedding_ctx_length=False)
    return {"exact": ours.embed_documents(["a", "b"])}


add("chat/embeddings", embeddings)
run()
