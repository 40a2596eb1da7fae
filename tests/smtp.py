"""A mail server of our own on the loopback interface: it takes, refuses, or holds what it is given."""

from __future__ import annotations

import socketserver
import threading
from email import message_from_bytes
from email.message import Message
from typing import Any


class _Talk(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as smtplib speaks."""

    server: Any

    def handle(self) -> None:
        self.say(220, "ready")
        while line := self.rfile.readline():
            verb = line.split()[0].upper() if line.split() else b""
            if verb == b"DATA":
                self.say(354, "go on")
                self.take()
            elif verb == b"QUIT":
                self.say(221, "bye")
                return
            else:
                self.say(250, "fine")

    def take(self) -> None:
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line)
        self.server.reached.set()
        self.server.free.wait(60)
        if self.server.refuses:
            self.say(451, "not now")
            return
        self.server.mails.append(message_from_bytes(b"".join(lines)))
        self.say(250, "taken")

    def say(self, code: int, text: str) -> None:
        try:
            self.wfile.write(f"{code} {text}\r\n".encode())
        except OSError:
            return


class MailServer(socketserver.ThreadingTCPServer):
    """`mails` it took; `refuses` says 451; `free.clear()` holds a mail at the end of its data, when `reached` is set."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.mails: list[Message] = []
        self.refuses = False
        self.reached, self.free = threading.Event(), threading.Event()
        self.free.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.server_address[1]}"
