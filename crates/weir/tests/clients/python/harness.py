"""What the scripts of one client have in common: each runs its scenarios at every target and prints what the client saw.

A scenario is a function of a target. It gives plain data: what an application would act upon, in the client's own words,
and under "exact" all else the client's objects hold. The test compares the data of one target with that of another.
"""

import asyncio
import dataclasses
import enum
import json
import os
import sys
import time

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
SCENARIOS = []


@dataclasses.dataclass(frozen=True)
class Target:
    """A place to call: the upstream itself, or a gateway in front of one."""

    name: str
    origin: str
    key: str

    @property
    def v1(self):
        return self.origin + "/v1"


def scenario(function):
    SCENARIOS.append((function.__name__, function))
    return function


def add(name, function):
    """Adds a scenario by its name: the format that is spoken first, where a script speaks several."""
    SCENARIOS.append((name, function))


def each(cases):
    """Makes a scenario of every case: the function is called with the target and the case's values."""

    def of(function):
        for name, case in cases.items():
            add(f"{function.__name__}/{name}", lambda target, case=case: function(target, **case))
        return function

    return of


def plain(value):
    """Objects of clients as plain data."""
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(mode="json", warnings=False))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value))
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return str(value)


def failure(error):
    """An error as applications tell it from others: its classes, and what it says of itself."""
    response = getattr(error, "response", None)
    headers = getattr(response, "headers", None) or {}
    told = {name: plain(getattr(error, name, None)) for name in ("status_code", "code", "type", "param", "message")}
    body = getattr(error, "body", None)
    if isinstance(body, dict):
        # The client's own words hold the whole body; what people are told is within.
        told["message"] = body.get("error", body).get("message", told["message"])
    told["retry-after"] = headers.get("retry-after")
    told["classes"] = [kind.__name__ for kind in type(error).__mro__ if kind is not object]
    return told


def told(kinds, call):
    """What an error says of itself that `call` must end with."""
    try:
        result = call()
    except kinds as error:
        return failure(error)
    raise AssertionError(f"no error, but {result!r}")


def run():
    """Runs every scenario at every target. One that ends in an error it did not expect says so in place of its data."""
    targets = [Target(**target) for target in json.loads(os.environ["WEIR_TARGETS"])]
    only = sys.argv[1:]
    seen = {}
    loop = asyncio.Runner()
    for target in targets:
        seen[target.name] = {}
        for name, function in SCENARIOS:
            if only and not any(word in name for word in only):
                continue
            begun = time.monotonic()
            try:
                result = function(target)
                if asyncio.iscoroutine(result):
                    result = loop.run(result)
            except Exception as error:
                result = {"raised": f"{type(error).__module__}.{type(error).__name__}: {error}"}
            seen[target.name][name] = plain(result)
            if time.monotonic() - begun > 0.3:
                print(target.name, name, round(time.monotonic() - begun, 2), file=sys.stderr)
    print(json.dumps(seen))
