"""A DNS server over UDP on the loopback interface, which answers TXT questions from a dictionary."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


class NameServer:
    """`texts` maps names to their TXT records; a name that is not there does not exist. `is_silent` answers nobody."""

    def __init__(self, socket_: socket.socket) -> None:
        self.socket = socket_
        self.texts: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.is_silent = False
        self.stopping = threading.Event()

    @property
    def address(self) -> str:
        host, port = self.socket.getsockname()
        return f"{host}:{port}"

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                data, sender = self.socket.recvfrom(4096)
            except TimeoutError:
                continue
            question = dns.message.from_wire(data)
            name = question.question[0].name.to_text().rstrip(".").lower()
            self.asked.append(name)
            if not self.is_silent:
                self.socket.sendto(self._answer(question, name).to_wire(), sender)

    def _answer(self, question: dns.message.QueryMessage, name: str) -> dns.message.Message:
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.AA
        if name not in self.texts:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif texts := self.texts[name]:
            quoted = [f'"{text}"' for text in texts]
            answer.answer.append(dns.rrset.from_text(question.question[0].name, 60, "IN", "TXT", *quoted))
        return answer


@contextmanager
def answering() -> Iterator[NameServer]:
    """A name server that answers until the block ends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.settimeout(0.05)
        server = NameServer(bound)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.stopping.set()
            thread.join()
