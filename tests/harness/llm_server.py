"""A local server that speaks Anthropic's Messages and OpenAI's Chat Completions, in good and in bad moods.

Answers are streamed when asked for, as the real ones do. What comes next is scripted: :attr:`LlmServer.script` is
taken from in the order of the requests; :attr:`LlmServer.moods` by a text in the prompt. Every whole answer is put
on the bill.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Mood:
    """How one request is answered.

    Attributes:
        status: HTTP status; anything but 200 is an error body.
        kind: The error's type (and OpenAI's code).
        message: The error's words.
        headers: Further headers of the reply.
        body: Sent with status 200 as ``application/json``, instead of a message.
        text: The answer; None for the server's own.
        stop: Stop reason in Anthropic's words; None for a stream without one.
        refusal: The answer is a refusal.
        wait_s: Seconds before anything is sent.
        drip_s: Seconds between the pieces of the answer.
        cut_after: Pieces after which the stream ends cleanly in the middle.
        reset: Break the connection instead of answering.
        plain: Answer a request for a stream with one JSON body.
        fail_after: Pieces after which the stream goes on with an error of ``kind``.
        reset_after: Pieces after which the connection breaks.
        content_type: Of a body, or of an error.
    """

    status: int = 200
    kind: str = "api_error"
    message: str = "scripted"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    text: str | None = None
    stop: str | None = "end_turn"
    refusal: bool = False
    wait_s: float = 0
    drip_s: float = 0
    cut_after: int | None = None
    reset: bool = False
    plain: bool = False
    fail_after: int | None = None
    reset_after: int | None = None
    content_type: str = "application/json"


GOOD = Mood()


@dataclass
class LlmServer:
    """What the double was asked, what it answers, and what it has charged.

    Attributes:
        url: Its address, without a path.
        script: Moods of the next requests, whatever they ask.
        moods: Moods of the next requests whose last message holds a text.
        requests: Path, headers (lower case) and body of every request.
        bill: Whole answers sent, by the last message.
        answer: Makes an answer's text of a request's body.
    """

    url: str = ""
    script: list[Mood] = field(default_factory=lambda: [])
    moods: dict[str, list[Mood]] = field(default_factory=lambda: {})
    requests: list[tuple[str, dict[str, str], Json]] = field(default_factory=lambda: [])
    bill: Counter[str] = field(default_factory=lambda: Counter())
    answer: Callable[[Json], str] = lambda _body: "Hello from the double"
    released: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def mood_of(self, body: Json) -> Mood:
        """Take the mood that a request meets."""
        with self._lock:
            for text, moods in self.moods.items():
                if text in last_message(body) and moods:
                    return moods.pop(0)
            return self.script.pop(0) if self.script else GOOD

    def charge(self, body: Json) -> None:
        """Put a whole answer on the bill."""
        with self._lock:
            self.bill[last_message(body)] += 1


def last_message(body: Json) -> str:
    """The text of a request's last message."""
    return body["messages"][-1]["content"]


@contextmanager
def llm_server() -> Generator[LlmServer]:
    """Run the double on a free port of the loopback."""
    double = LlmServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"double": double}))
    server.daemon_threads = True
    double.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield double
    finally:
        double.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    double: LlmServer

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.double.requests.append((self.path, headers, body))
        mood = self.double.mood_of(body)
        try:
            self._answer(body, mood)
        except OSError:
            self.close_connection = True

    def _answer(self, body: Json, mood: Mood) -> None:
        if mood.wait_s:
            self.double.released.wait(mood.wait_s)
        if mood.reset:
            self._break_off()
        elif mood.status != 200 and mood.body is not None:
            self._send_json(mood.status, mood.body, mood)
        elif mood.status != 200:
            error = {"type": mood.kind, "code": mood.kind, "message": mood.message}
            self._send_json(mood.status, json.dumps({"type": "error", "error": error}).encode(), mood)
        elif mood.body is not None:
            self._send_json(200, mood.body, mood)
        else:
            self._send_message(body, mood)

    def _break_off(self) -> None:
        # A linger of zero seconds makes close() send RST.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _send_json(self, status: int, payload: bytes, mood: Mood) -> None:
        self.send_response(status)
        for name, value in mood.headers:
            self.send_header(name, value)
        self.send_header("content-type", mood.content_type)
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def _send_message(self, body: Json, mood: Mood) -> None:
        text = self.double.answer(body) if mood.text is None else mood.text
        is_claude = self.path.endswith("/messages")
        if mood.plain or not body.get("stream"):
            whole = claude_message(body, mood, text) if is_claude else openai_completion(body, mood, text)
            self._send_json(200, json.dumps(whole).encode(), mood)
            self.double.charge(body)
            return
        events = list(claude_events(body, mood, text) if is_claude else openai_events(body, mood, text))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        if mood.fail_after is not None:
            events[mood.fail_after :] = [_error_event(mood, is_claude)]
        for number, event in enumerate(events[: mood.cut_after]):
            if number == mood.reset_after:
                time.sleep(0.2)  # what was sent has arrived: a reset would throw it away
                self._break_off()
                self.double.charge(body)
                return
            self.wfile.write(event)
            self.wfile.flush()
            if mood.drip_s:
                time.sleep(mood.drip_s)
        if mood.cut_after is None and mood.fail_after is None:
            self.double.charge(body)


def pieces(text: str) -> list[str]:
    """Cut a text into the pieces of a stream: at least five of any that has as many characters."""
    size = max(1, min(4000, len(text) // 5))
    return [text[start : start + size] for start in range(0, len(text), size)]


def claude_events(body: Json, mood: Mood, text: str) -> Iterator[bytes]:
    """Anthropic's stream of one message."""
    start = claude_message(body, mood, "") | {"content": [], "stop_reason": None}
    yield _event({"type": "message_start", "message": start})
    yield _event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    yield _event({"type": "ping"})
    for piece in pieces(text):
        delta = {"type": "text_delta", "text": piece}
        yield _event({"type": "content_block_delta", "index": 0, "delta": delta})
    yield _event({"type": "content_block_stop", "index": 0})
    stop = {"stop_reason": "refusal" if mood.refusal else mood.stop, "stop_sequence": None}
    yield _event({"type": "message_delta", "delta": stop, "usage": {"output_tokens": 7}})
    yield _event({"type": "message_stop"})


def openai_events(body: Json, mood: Mood, text: str) -> Iterator[bytes]:
    """OpenAI's stream of one completion."""
    for piece in pieces(text):
        yield _chunk(body, {"refusal" if mood.refusal else "content": piece}, None)
    if mood.stop is not None:
        yield _chunk(body, {}, _openai_stop(mood))
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    yield _data(_envelope(body, "chat.completion.chunk") | {"choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"


def claude_message(body: Json, mood: Mood, text: str) -> Json:
    """Anthropic's whole message."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [{"type": "text", "text": text}] if text else [],
        "stop_reason": "refusal" if mood.refusal else mood.stop,
        "stop_sequence": None,
        "usage": {"input_tokens": 5, "output_tokens": 7},
    }


def openai_completion(body: Json, mood: Mood, text: str) -> Json:
    """OpenAI's whole completion."""
    message = {
        "role": "assistant",
        "content": None if mood.refusal else text,
        "refusal": text if mood.refusal else None,
    }
    choice = {"index": 0, "message": message, "finish_reason": _openai_stop(mood)}
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    return _envelope(body, "chat.completion") | {"choices": [choice], "usage": usage}


def _openai_stop(mood: Mood) -> str | None:
    return {"end_turn": "stop", "max_tokens": "length"}.get(mood.stop or "", mood.stop)


def _envelope(body: Json, kind: str) -> Json:
    return {"id": "c1", "object": kind, "created": 1, "model": body["model"]}


def _chunk(body: Json, delta: Json, stop: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": stop}
    return _data(_envelope(body, "chat.completion.chunk") | {"choices": [choice]})


def _error_event(mood: Mood, is_claude: bool) -> bytes:
    error = {"type": mood.kind, "code": mood.kind, "message": mood.message}
    return _event({"type": "error", "error": error}) if is_claude else _data({"error": error})


def _data(value: Json) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def _event(value: Json) -> bytes:
    return f"event: {value['type']}\n".encode() + _data(value)
