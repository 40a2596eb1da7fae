"""A small server that speaks the OpenAI protocol and behaves as it is told; `python -m tests.models PORT` runs it alone."""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SUGGESTION = {
    "summary": "A press brake for Plant 2 is asked for, since the old one is worn out.",
    "points": ["The total is $18,001.00.", "One vendor is named and one quote is attached."],
    "questions": ["The quote's date is not stated."],
}
USAGE = {"prompt_tokens": 400, "completion_tokens": 60, "prompt_tokens_details": {"cached_tokens": 100}}


class ModelServer(ThreadingHTTPServer):
    """`asked` holds every request as (headers, body); the rest says how to answer."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.asked: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.status = 200
        self.content: str = json.dumps(SUGGESTION)
        self.usage: Any = USAGE
        self.raw: bytes | None = None
        self.location = ""
        self.waits = threading.Event()
        self.free = threading.Event()
        self.free.set()
        self.drips = False
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def body(self) -> bytes:
        """One chat completion, or the bytes that were set."""
        if self.raw is not None:
            return self.raw
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": self.content}}
        made = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "small-1-2026",
            "choices": [choice],
        }
        return json.dumps(made | ({"usage": self.usage} if self.usage is not None else {})).encode()

    def end(self) -> None:
        self.free.set()
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: ModelServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.server.asked.append(
            ({key.lower(): value for key, value in self.headers.items()}, json.loads(self.rfile.read(length)))
        )
        self.server.waits.set()
        self.server.free.wait(60)
        body = self.server.body()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()
        try:
            for sign in body if self.server.drips else [body]:
                self.wfile.write(bytes([sign]) if isinstance(sign, int) else sign)
                self.wfile.flush()
                if self.server.drips:
                    time.sleep(0.05)
        except OSError:
            self.close_connection = True

    def log_message(self, *args: Any) -> None:
        """No line for each request."""


if __name__ == "__main__":
    ModelServer(int(sys.argv[1]))
    threading.Event().wait()
