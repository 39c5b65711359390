"""Chats through Weir with OpenAI's own client and says how each chat went.

    chat.py SCENE WEIR DOOMED OTHER

WEIR is the base URL of the public API; DOOMED and OTHER are the origins of the two model servers. The client's own
retries are off: what goes well went well because of Weir. A line `kill` asks whoever started this to kill the doomed
server now; the last line is `result ` and a JSON object.
"""

import json
import re
import sys
import threading
import time
import urllib.request

import openai

DOOMED_NAME = "llama-a"
# Generated past its natural end, so that it is surely at work while other things happen. llama.cpp's own field: Weir
# passes on what it does not know.
LONG = {"max_tokens": 128, "extra_body": {"ignore_eos": True}}
SHORT = {"max_tokens": 16}
PROMPTS = ["The capital of France is", "Water boils at", "Name a colour:", "One and one makes", "The sea is", "A cat is"]


class Chat(threading.Thread):
    """One chat in a thread of its own."""

    def __init__(self, client, number, stream, size):
        super().__init__(daemon=True)
        self.client, self.number, self.stream, self.size = client, number, stream, size
        self.headers, self.text, self.finish, self.usage = {}, "", None, None
        self.error, self.seconds = None, 0.0
        # Set when a stream has shown its first piece of text, or when the chat has ended.
        self.begun = threading.Event()

    def run(self):
        start = time.monotonic()
        try:
            self.ask()
        except Exception as error:  # whatever it is, it is what this chat came to
            self.error = error
        self.seconds = time.monotonic() - start
        self.begun.set()

    def ask(self):
        messages = [{"role": "user", "content": PROMPTS[self.number % len(PROMPTS)]}]
        options = {"model": "local", "messages": messages, **self.size}
        if self.stream:
            options |= {"stream": True, "stream_options": {"include_usage": True}}
        raw = self.client.chat.completions.with_raw_response.create(**options)
        self.headers = raw.headers
        answer = raw.parse()
        if not self.stream:
            self.text, self.finish = answer.choices[0].message.content or "", answer.choices[0].finish_reason
            self.usage = answer.usage
            return
        for chunk in answer:
            self.usage = chunk.usage or self.usage
            for choice in chunk.choices:
                self.finish = choice.finish_reason or self.finish
                if choice.delta.content:
                    self.text += choice.delta.content
                    self.begun.set()

    @property
    def deployment(self):
        return self.headers.get("x-weir-deployment", "-")

    @property
    def attempts(self):
        return self.headers.get("x-weir-attempts", "-")

    @property
    def outcome(self):
        """`ok`; `cut`, a stream that ended in an error after its first piece; `failed`."""
        if self.error is None:
            return "ok" if self.finish and self.usage and self.usage.completion_tokens else "failed"
        return "cut" if self.stream and self.text else "failed"

    def row(self):
        kind = "stream" if self.stream else "whole"
        tokens = f"{self.usage.prompt_tokens}+{self.usage.completion_tokens}" if self.usage else "-"
        said = self.text if self.error is None else f"{type(self.error).__name__}: {self.error}"
        said = re.sub(r"\s+", " ", said).strip()
        said = said if len(said) <= 44 else said[:43] + "…"
        return (
            f"  {self.number:>3}  {kind:<6}  {self.deployment:<8} {self.attempts:>8}  {tokens:>7}"
            f"  {self.finish or '-':<6} {self.seconds:>5.1f} s  {self.outcome:<6}  {said}"
        )


class Scene:
    """What all scenes need: chats, begun and waited for."""

    def __init__(self, weir, doomed, other):
        self.client = openai.OpenAI(base_url=weir, api_key="unused", max_retries=0, timeout=300)
        self.doomed, self.other = doomed, other
        self.chats = []

    def begin(self, stream, size=SHORT):
        chat = Chat(self.client, len(self.chats) + 1, stream, size)
        self.chats.append(chat)
        chat.start()
        return chat

    def whole(self, stream, size=SHORT):
        chat = self.begin(stream, size)
        chat.join()
        return chat

    def end(self):
        print(f"  {'#':>3}  {'kind':<6}  {'answered':<8} {'attempts':>8}  {'tokens':>7}  {'finish':<6} {'time':>7}  {'':<6}  text")
        for chat in self.chats:
            chat.join()
            print(chat.row())
        result = {"ok": 0, "failed": 0, "cut": 0, "rescued": 0, "doomed": 0}
        for chat in self.chats:
            result[chat.outcome] += 1
            result["rescued"] += chat.outcome == "ok" and chat.attempts not in ("1", "-")
            result["doomed"] += chat.deployment == DOOMED_NAME
        print("result", json.dumps(result), flush=True)


def load(server):
    """Requests that a llama.cpp server works on, and holds in line."""
    with urllib.request.urlopen(f"{server}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    figure = lambda name: int(float(re.search(rf"^llamacpp:{name} (\S+)$", text, re.M).group(1)))
    return figure("requests_processing"), figure("requests_deferred")


def arrived(scene):
    """Waits until every chat that goes on has reached a server and says how many are with the doomed one. A minute is
    far more than that takes."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        here, there = sum(load(scene.doomed)), sum(load(scene.other))
        if here + there == sum(chat.is_alive() for chat in scene.chats):
            return here
    raise SystemExit("waited in vain until all chats had reached a server")


def both(scene):
    """Both servers are well."""
    for number in range(6):
        scene.whole(stream=number % 2 == 1)
    for number in range(4):
        scene.begin(stream=number % 2 == 1)


def kill(scene):
    """One server is killed while it works. No stream of its has begun: all wait behind a long answer that is no
    stream, since the server does one thing at a time and in order."""
    here = 0
    while here == 0:
        chat = scene.begin(stream=False, size=LONG)
        here = arrived(scene)
        if here == 0:
            chat.join()
    streams = 0
    after = 0
    while streams == 0 or after < 7:
        after += 1
        scene.begin(stream=after % 2 == 1)
        before, here = here, arrived(scene)
        streams += after % 2 == 1 and here > before
    working, waiting = load(scene.doomed)
    print(f"  the server to be killed works on {working} and holds {waiting} in line, {streams} of them to be streamed")
    print("kill", flush=True)


def alone(scene):
    """One server is dead."""
    for number in range(4):
        scene.whole(stream=number % 2 == 1)


def back(scene):
    """The dead server was started again and loads its model; traffic goes on until it has answered twice."""
    answered = 0
    end = time.monotonic() + 120
    while answered < 2 and time.monotonic() < end:
        answered += scene.whole(stream=len(scene.chats) % 2 == 1).deployment == DOOMED_NAME


def cut(scene):
    """One server is killed in the middle of a stream that the client has begun to read; then traffic goes on."""
    for _ in range(8):
        chat = scene.begin(stream=True, size=LONG)
        chat.begun.wait()
        if chat.deployment == DOOMED_NAME:
            break
        chat.join()
    print("kill", flush=True)
    chat.join()
    for number in range(3):
        scene.whole(stream=number % 2 == 1)


if __name__ == "__main__":
    name, *addresses = sys.argv[1:]
    scene = Scene(*addresses)
    {"both": both, "kill": kill, "alone": alone, "back": back, "cut": cut}[name](scene)
    scene.end()
