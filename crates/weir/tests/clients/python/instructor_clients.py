"""Instructor's structured outputs on OpenAI's and Anthropic's clients."""

import functools

import anthropic
import instructor
import openai
from harness import add, run
from instructor.core import InstructorRetryException
from pydantic import BaseModel, field_validator

HELLO = [{"role": "user", "content": "Say hello."}]


class City(BaseModel):
    """A city."""

    name: str
    people: int


class Village(City):
    """A village: a city of this size is none, and says so to the model."""

    @field_validator("people")
    @classmethod
    def few(cls, people):
        if people > 1000:
            raise ValueError("too many")
        return people


@functools.cache
def chat(target, mode):
    ours = openai.OpenAI(base_url=target.v1, api_key=target.key, max_retries=0)
    return instructor.from_openai(ours, mode=mode)


@functools.cache
def messages(target, mode):
    ours = anthropic.Anthropic(base_url=target.origin, api_key=target.key, max_retries=0)
    return instructor.from_anthropic(ours, mode=mode)


def one(client, more, target, mode):
    city, reply = client(target, mode).chat.completions.create_with_completion(
        model="data", messages=HELLO, response_model=City, **more)
    return {"city": city, "exact": reply}


def partial(client, more, target, mode):
    cities = client(target, mode).chat.completions.create_partial(
        model="data", messages=HELLO, response_model=City, **more)
    return {"cities": list(cities)[-1]}


def never(client, more, target, mode):
    """What does not pass the check is said to the model, which insists."""
    try:
        client(target, mode).chat.completions.create(
            model="data", messages=HELLO, response_model=Village, max_retries=2, **more)
    except InstructorRetryException as error:
        return {"attempts": error.n_attempts}
    raise AssertionError("no error")


MODES = instructor.Mode
for form, client, more, modes in (
    ("chat", chat, {}, (MODES.TOOLS, MODES.JSON, MODES.JSON_SCHEMA, MODES.MD_JSON)),
    ("messages", messages, {"max_tokens": 64}, (MODES.ANTHROPIC_TOOLS, MODES.ANTHROPIC_JSON)),
):
    for mode in modes:
        add(f"{form}/one/{mode.value}", functools.partial(one, client, more, mode=mode))
    add(f"{form}/never", functools.partial(never, client, more, mode=modes[0]))
    add(f"{form}/partial", functools.partial(partial, client, more, mode=modes[0]))

run()
