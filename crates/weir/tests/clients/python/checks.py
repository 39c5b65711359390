"""OpenAI's Python client against Weir, as an application uses it. One line per check; the first wrong one ends it."""

import os
import sys

import openai
from pydantic import BaseModel

URL, KEY = os.environ["WEIR_URL"], os.environ["WEIR_KEY"]
client = openai.OpenAI(base_url=URL, api_key=KEY, max_retries=0, timeout=30)
HELLO = [{"role": "user", "content": "Say hello."}]
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}}}}]
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def equal(found, expected):
    assert found == expected, f"{found!r} instead of {expected!r}"


def raises(kind, status, code, call):
    """The error that `call` ends with: of this very class, with the envelope read and the request id known."""
    try:
        call()
    except openai.APIStatusError as error:
        equal((type(error), error.status_code, error.code), (kind, status, code))
        assert error.request_id.startswith("req_"), error.request_id
        equal(error.body["request_id"], error.request_id)
        return error
    raise AssertionError("no error")


@check
def chat():
    reply = client.chat.completions.create(model="hello", messages=HELLO)
    equal(reply.choices[0].message.content, "Hello there")
    equal((reply.usage.prompt_tokens, reply.usage.completion_tokens), (9, 5))
    raw = client.chat.completions.with_raw_response.create(model="hello", messages=HELLO)
    equal(raw.headers["x-weir-deployment"], "hello")
    assert raw.parse()._request_id.startswith("req_")


@check
def stream():
    chunks = list(client.chat.completions.create(model="hello", messages=HELLO, stream=True))
    equal("".join(c.choices[0].delta.content or "" for c in chunks), "Hello there")
    equal(chunks[-1].choices[0].finish_reason, "stop")
    assert all(c.usage is None for c in chunks), "usage that nobody asked for"


@check
def stream_with_usage():
    chunks = list(client.chat.completions.create(
        model="hello", messages=HELLO, stream=True, stream_options={"include_usage": True}))
    equal((chunks[-1].choices, chunks[-1].usage.total_tokens), ([], 14))


@check
def stream_helper():
    with client.chat.completions.stream(model="hello", messages=HELLO) as events:
        text = "".join(e.delta for e in events if e.type == "content.delta")
        equal((text, events.get_final_completion().choices[0].message.content), ("Hello there", "Hello there"))


@check
def tools():
    choice = client.chat.completions.create(model="tools", messages=HELLO, tools=TOOLS).choices[0]
    call = choice.message.tool_calls[0]
    equal((choice.finish_reason, call.id, call.function.name), ("tool_calls", "call_1", "weather"))
    equal(call.function.arguments, '{"city":"Graz"}')


@check
def tools_streamed():
    with client.chat.completions.stream(model="tools-streamed", messages=HELLO, tools=TOOLS) as events:
        for _ in events:
            pass
        call = events.get_final_completion().choices[0].message.tool_calls[0]
    equal((call.id, call.function.name, call.function.arguments), ("call_1", "weather", '{"city":"Graz"}'))


class City(BaseModel):
    name: str
    people: int


@check
def structured():
    reply = client.chat.completions.parse(model="structured", messages=HELLO, response_format=City)
    equal(reply.choices[0].message.parsed, City(name="Graz", people=303270))


@check
def structured_streamed():
    with client.chat.completions.stream(model="structured", messages=HELLO, response_format=City) as events:
        equal(events.get_final_completion().choices[0].message.parsed, City(name="Graz", people=303270))


@check
def completions():
    equal(client.completions.create(model="hello", prompt="Say").choices[0].text, "Hello there")
    chunks = client.completions.create(model="hello", prompt="Say", stream=True)
    equal("".join(c.choices[0].text for c in chunks), "Hello there")


@check
def embeddings():
    reply = client.embeddings.create(model="hello", input=["a", "b"])
    equal((len(reply.data), len(reply.data[0].embedding), reply.data[1].embedding[0]), (2, 4, 1.0))
    floats = client.embeddings.create(model="hello", input="a", encoding_format="float")
    equal(floats.data[0].embedding[0], 0.5)


@check
def models():
    names = [model.id for model in client.models.list()]
    assert "hello" in names and "org/model" in names, names
    equal(client.models.retrieve("org/model").id, "org/model")


@check
def error_classes():
    def ask(model, **more):
        return lambda: client.chat.completions.create(model=model, messages=HELLO, **more)

    raises(openai.BadRequestError, 400, "upstream_400", ask("status-400"))
    error = raises(openai.BadRequestError, 400, "invalid_type", ask("hello", extra_body={"messages": 7}))
    equal((error.param, error.type), ("messages", "invalid_request_error"))
    stranger = openai.OpenAI(base_url=URL, api_key="wrong", max_retries=0)
    raises(openai.AuthenticationError, 401, "invalid_api_key", stranger.models.list)
    raises(openai.PermissionDeniedError, 403, "upstream_403", ask("status-403"))
    error = raises(openai.NotFoundError, 404, "model_not_found", ask("helo"))
    assert 'did you mean "hello"' in error.message, error.message
    raises(openai.ConflictError, 409, "upstream_409", ask("status-409"))
    raises(openai.UnprocessableEntityError, 422, "upstream_422", ask("status-422"))
    error = raises(openai.RateLimitError, 429, "upstream_429", ask("status-429"))
    equal(error.response.headers["retry-after"], "7")
    raises(openai.InternalServerError, 500, "upstream_500", ask("status-500"))
    raises(openai.InternalServerError, 529, "upstream_529", ask("status-529", stream=True))


@check
def error_in_a_stream():
    text = ""
    try:
        for chunk in client.chat.completions.create(model="cut", messages=HELLO, stream=True):
            text += chunk.choices[0].delta.content or ""
    except openai.APIError as error:
        equal((text, error.code), ("Hello", "upstream_truncated"))
    else:
        raise AssertionError("a stream that was cut ended as if it were whole")


@check
def retries_of_its_own():
    patient = client.with_options(max_retries=1)
    equal(patient.chat.completions.create(model="second-time", messages=HELLO).choices[0].message.content, "Now")


@check
def no_retries_on_top_of_retries():
    stubborn = client.with_options(max_retries=2)
    ask = lambda: stubborn.chat.completions.create(model="down", messages=HELLO)
    error = raises(openai.InternalServerError, 503, "upstream_503", ask)
    equal(error.response.headers["x-should-retry"], "false")


@check
def timeout():
    try:
        client.with_options(timeout=0.3).chat.completions.create(model="silent", messages=HELLO)
    except openai.APITimeoutError:
        return
    raise AssertionError("no timeout")


@check
def responses_are_kept():
    first = client.responses.create(model="hello", input="Say hello.")
    equal((first.output_text, first.store), ("Hello there", True))
    equal(client.responses.retrieve(first.id).output_text, "Hello there")
    items = list(client.responses.input_items.list(first.id))
    equal([(item.role, item.content[0].text) for item in items], [("user", "Say hello.")])
    with client.responses.stream(model="hello", input="Again.", previous_response_id=first.id) as events:
        second = events.get_final_response()
    equal((second.output_text, second.previous_response_id), ("Hello there", first.id))
    equal(client.responses.retrieve(second.id).output_text, "Hello there")
    client.responses.delete(first.id)
    raises(openai.NotFoundError, 404, "response_not_found", lambda: client.responses.retrieve(first.id))
    go_on = lambda: client.responses.create(model="hello", input="Again.", previous_response_id=first.id)
    raises(openai.BadRequestError, 400, "previous_response_not_found", go_on)
    unkept = client.responses.create(model="hello", input="Say hello.", store=False)
    raises(openai.NotFoundError, 404, "response_not_found", lambda: client.responses.retrieve(unkept.id))


@check
def responses_in_the_background():
    made = client.responses.create(model="hello", input="Say hello.", background=True)
    equal((made.status, made.background), ("queued", True))
    while made.status in ("queued", "in_progress"):
        made = client.responses.retrieve(made.id)
    equal((made.status, made.output_text, made.usage.total_tokens), ("completed", "Hello there", 14))
    waits = client.responses.create(model="silent", input="Say hello.", background=True)
    equal(client.responses.cancel(waits.id).status, "cancelled")
    equal(client.responses.retrieve(waits.id).status, "cancelled")


@check
def leaving_a_stream():
    with client.chat.completions.create(model="endless", messages=HELLO, stream=True) as chunks:
        for chunk in chunks:
            if chunk.choices[0].delta.content:
                break


for function in CHECKS:
    try:
        function()
    except Exception as error:
        print(f"WRONG {function.__name__}: {type(error).__name__}: {error}")
        sys.exit(1)
    print(f"ok {function.__name__}")
