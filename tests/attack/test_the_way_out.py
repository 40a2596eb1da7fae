"""Addresses that people type lead to public hosts over verified TLS, or nowhere."""

from __future__ import annotations

import ssl
import threading

import pytest

from apps.tenants.egress import Answer, Bounds, Egress, EgressFailed, Why, fetch
from apps.tenants.refusals import Refused
from tests.receiver import certificate, receiving, says

PUBLIC = "93.184.215.14"
CLOSED = [
    "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "192.88.99.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%lo", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1",
    "2001:db8::1", "2001::1", "100::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
    "::7f00:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "2002:7f00:1::1", "2002:a00:1::",
    "2002:a9fe:a9fe::", "2001:0:7f00:1::", "2600::5efe:7f00:1", "4000::1", "5f00::1",
]  # fmt: skip
OPEN = ["8.8.8.8", PUBLIC, "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]


def to(*addresses: str) -> Egress:
    """A way out on which every name has these addresses."""
    return Egress(resolve=lambda host, port: list(addresses), loopback=False)


@pytest.mark.parametrize("address", CLOSED)
def test_a_name_that_leads_inside_is_refused(address):
    with pytest.raises(Refused, match="private or reserved"):
        to(address).fetch("GET", "https://hooks.example/")


@pytest.mark.parametrize("address", CLOSED)
def test_one_inner_address_among_public_ones_spoils_the_name(address):
    with pytest.raises(Refused):
        to(PUBLIC, address).check_url("https://hooks.example/")


@pytest.mark.parametrize("address", OPEN)
def test_public_addresses_pass(address):
    to(address).check_url("https://hooks.example/path?query=1")


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/",
        "https://127.1/", "https://017700000001/", "https://127.0.0.1./", "https://2130706433./", "https://[::1]/",
        "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[::]/", "https://0/", "https://localhost/",
        "https://[64:ff9b::7f00:1]/", "https://[fe80::1%25lo]/", "https://169.254.169.254/latest/meta-data/",
        "https://①②⑦.⓪.⓪.①/", "https://127。0。0。1/",
    ],
)  # fmt: skip
def test_every_way_to_write_this_machine_is_refused(url):
    with pytest.raises(Refused):
        Egress(loopback=False).check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/", "ftp://hooks.example/", "file:///etc/passwd", "gopher://hooks.example/", "//hooks.example",
        "hooks.example", "", "https://", "https:///x", "https://user@hooks.example/", "https://a:b@hooks.example/",
        "https://hooks.example/#x", "https://hooks.example\\@10.0.0.1/", "https://hooks.exa mple/", "https://h\r\nX: y/",
        "https://hooks.example:99999/", "https://hooks.example/" + "a" * 2000, "javascript:alert(1)", "https://[::1",
    ],
)  # fmt: skip
def test_what_is_no_plain_https_address_is_refused(url):
    with pytest.raises(Refused):
        to(PUBLIC).check_url(url)


def test_the_name_is_asked_once_so_a_second_answer_gains_nothing():
    answers = [[PUBLIC], ["127.0.0.1"]]
    with receiving() as inside:
        rebinding = Egress(resolve=lambda host, port: answers.pop(0), loopback=False)
        with pytest.raises(EgressFailed):
            rebinding.fetch("GET", f"https://rebind.example:{inside.port}/", bounds=Bounds(connect=0.3, total=0.6))
        assert len(answers) == 1, "the name was resolved once"
        assert inside.calls == []
    with pytest.raises(Refused):
        rebinding.fetch("GET", "https://rebind.example/")


def test_the_connection_goes_to_the_checked_address_and_tls_to_the_name(tmp_path):
    serving, trusting = certificate("hooks.example", tmp_path)
    out = Egress(resolve=lambda host, port: ["127.0.0.1"], trust=lambda: trusting, loopback=True)
    with receiving(serving) as receiver:
        receiver.answer = says(200, b'{"ok": true}')
        answer = out.fetch("POST", f"https://hooks.example:{receiver.port}/in?a=1", content=b"{}")
        assert (answer.status, answer.json()) == (200, {"ok": True})
        call = receiver.calls[0]
        assert (call.path, call.body) == ("/in?a=1", b"{}")
        assert call.headers["host"] == f"hooks.example:{receiver.port}"
        with pytest.raises(EgressFailed) as wrong_name:
            out.fetch("POST", f"https://other.example:{receiver.port}/")
        with pytest.raises(EgressFailed) as unknown_issuer:
            Egress(resolve=out.resolve, loopback=True).fetch("POST", f"https://hooks.example:{receiver.port}/")
    assert (wrong_name.value.why, unknown_issuer.value.why) == (Why.TLS, Why.TLS)
    assert len(receiver.calls) == 1


def test_a_redirect_is_handed_back_and_never_followed():
    with receiving() as receiver:
        receiver.answer = says(302, Location="http://169.254.169.254/latest/meta-data/")
        answer = Egress(loopback=True).fetch("GET", receiver.url + "/")
        assert answer.status == 302
        assert answer.headers["location"].startswith("http://169.254")
        assert len(receiver.calls) == 1


def test_no_proxy_of_the_environment_is_asked(monkeypatch):
    with receiving() as proxy, receiving() as receiver:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert Egress(loopback=True).fetch("GET", receiver.url + "/").status == 204
        assert proxy.calls == []


@pytest.mark.parametrize("part", ["head", "body"])
def test_an_answer_that_drips_ends_at_the_deadline(part):
    over = threading.Event()

    def drip(handler):
        if part == "body":
            handler.send_response(200)
            handler.end_headers()
        while not over.wait(0.02):
            handler.wfile.write(b"x")

    with receiving() as receiver:
        receiver.answer = drip
        with pytest.raises(EgressFailed) as failed:
            Egress(loopback=True).fetch("GET", receiver.url + "/", bounds=Bounds(total=0.5))
        over.set()
    assert failed.value.why is Why.TIMEOUT


def test_a_resolver_that_hangs_ends_at_the_deadline():
    never = threading.Event()

    def hang(host: str, port: int) -> list[str]:
        never.wait()
        return []

    stuck = Egress(resolve=hang, loopback=False)
    with pytest.raises(EgressFailed) as failed:
        stuck.fetch("GET", "https://hooks.example/", bounds=Bounds(total=0.2))
    never.set()
    assert failed.value.why is Why.TIMEOUT


def test_a_body_is_read_up_to_its_bound_only():
    with receiving() as receiver:
        receiver.answer = says(200, b"x" * 100_000)
        with pytest.raises(EgressFailed) as failed:
            Egress(loopback=True).fetch("GET", receiver.url + "/", bounds=Bounds(most_bytes=1000))
        answer = Egress(loopback=True).fetch("GET", receiver.url + "/", bounds=Bounds(most_bytes=1000), cut=True)
    assert failed.value.why is Why.TOO_LARGE
    assert answer.body == b"x" * 1000


def test_what_is_not_http_and_what_is_not_there_are_failures_not_crashes():
    with receiving() as receiver:
        receiver.answer = lambda handler: handler.wfile.write(b"220 smtp ready\r\n\r\n")
        with pytest.raises(EgressFailed) as nonsense:
            Egress(loopback=True).fetch("GET", receiver.url + "/")
        url = receiver.url
    with pytest.raises(EgressFailed) as closed:
        Egress(loopback=True).fetch("GET", url + "/")
    with pytest.raises(EgressFailed) as nowhere:
        to().fetch("GET", "https://nowhere.example/")
    assert [found.value.why for found in (nonsense, closed, nowhere)] == [Why.PROTOCOL, Why.UNREACHABLE, Why.UNRESOLVED]


def test_a_caller_cannot_change_the_host_or_add_lines_to_the_head():
    with receiving() as receiver:
        sent = {"Host": "metadata.internal", "X-Mine": "yes"}
        Egress(loopback=True).fetch("GET", receiver.url + "/", headers=sent)
        assert receiver.calls[0].headers["host"] == receiver.url.removeprefix("http://")
        assert receiver.calls[0].headers["x-mine"] == "yes"
        with pytest.raises(EgressFailed):
            Egress(loopback=True).fetch("GET", receiver.url + "/", headers={"X-Mine": "a\r\nX-Other: b"})


def test_loopback_is_closed_by_default_and_opens_nothing_else():
    with receiving() as receiver, pytest.raises(Refused):
        fetch("GET", receiver.url + "/")
    open_here = Egress(resolve=lambda host, port: ["10.0.0.1"], loopback=True)
    for url in ("http://inside.example/", "https://inside.example/"):
        with pytest.raises(Refused):
            open_here.fetch("GET", url)
    mixed = Egress(resolve=lambda host, port: ["127.0.0.1", PUBLIC], loopback=True)
    with pytest.raises(Refused):
        mixed.fetch("GET", "http://mixed.example/")


def test_an_answer_that_is_no_json_is_a_failure():
    with pytest.raises(EgressFailed):
        Answer(200, {}, b"<html>", 1).json()


@pytest.mark.parametrize(
    "fault", [ssl.SSLError("no certificate"), FileNotFoundError("no such file"), ValueError("empty")]
)
def test_authorities_that_cannot_be_read_are_a_failure_of_the_call(fault):
    def trust() -> ssl.SSLContext:
        raise fault

    with pytest.raises(EgressFailed) as failed:
        Egress(resolve=lambda host, port: [PUBLIC], trust=trust, loopback=False).fetch("GET", "https://hooks.example/")
    assert failed.value.why is Why.PROTOCOL
