"""LlamaIndex's model for OpenAI's likenesses. That for Anthropic takes no models but those it knows by name."""

import base64
import functools

import openai
from harness import PNG, add, run, told
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel


class City(BaseModel):
    """A city."""

    name: str
    people: int


def weather(city: str) -> str:
    """Tells the weather."""
    return f"weather of {city}"


def time(city: str) -> str:
    """Tells the time."""
    return f"time of {city}"


TOOLS = [FunctionTool.from_defaults(weather), FunctionTool.from_defaults(time)]
HELLO = [ChatMessage("Say hello.")]


@functools.cache
def chat(target, name):
    return OpenAILike(model=name, api_base=target.v1, api_key=target.key, is_chat_model=True,
                      is_function_calling_model=True, max_retries=0, context_window=8192)


def shown(reply):
    message = reply.message
    return {"blocks": [block.model_dump(exclude_none=True) for block in message.blocks], "role": message.role,
            "exact": reply.raw}


def plain(model, target, name="plain"):
    return shown(model(target, name).chat([ChatMessage("Be brief.", role="system"), *HELLO]))


def image(model, target):
    shows = ChatMessage(role="user", blocks=[TextBlock(text="What is this?"),
                                             ImageBlock(image=base64.b64decode(PNG), image_mimetype="image/png")])
    return shown(model(target, "echo").chat([shows]))


def streamed(model, target, name="plain"):
    pieces = [reply.delta for reply in model(target, name).stream_chat(HELLO)]
    return {"pieces": [piece for piece in pieces if piece]}


async def streamed_async(model, target):
    return {"text": "".join([reply.delta async for reply in await model(target, "plain").astream_chat(HELLO)])}


def agent(model, target, stream=False):
    """Its own way of an agent's loop, of which it leaves the steps to the application."""
    llm = model(target, "loop")
    talk, tools = list(HELLO), {tool.metadata.name: tool for tool in TOOLS}
    for _ in range(5):
        if stream:
            reply = list(llm.stream_chat_with_tools(TOOLS, chat_history=talk))[-1]
        else:
            reply = llm.chat_with_tools(TOOLS, chat_history=talk, allow_parallel_tool_calls=True)
        talk.append(reply.message)
        calls = llm.get_tool_calls_from_response(reply, error_on_no_tool_call=False)
        if not calls:
            break
        for call in calls:
            answer = str(tools[call.tool_name].call(**call.tool_kwargs).content)
            talk.append(ChatMessage(answer, role="tool", additional_kwargs={"tool_call_id": call.tool_id}))
    return {"talk": [message.content for message in talk]}


def structured(model, target):
    return {"city": model(target, "data").as_structured_llm(City).chat(HELLO).raw}


def error(model, target, name, kinds):
    return told(kinds, lambda: model(target, name).chat(HELLO))


for function in (plain, image, streamed, streamed_async, agent, structured):
    add(function.__name__, functools.partial(function, chat))
for name in ("echo", "length", "usage", "thinking"):
    add(name, functools.partial(plain, chat, name=name))
add("streaming_agent", functools.partial(agent, chat, stream=True))
for name in ("status-400", "status-429", "status-500"):
    add(f"errors/{name}", functools.partial(error, chat, name=name, kinds=openai.APIStatusError))

run()
