"""An identity provider over real HTTP on the loopback interface, which can be told to misbehave in any way."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

CLIENT, SECRET = "orkestra-client", "a secret of the client & more"


class Signer:
    """A key of the provider: RS256, or ES256 for `ec`."""

    def __init__(self, kid: str, kind: str = "rsa", bits: int = 2048) -> None:
        self.kid = kid
        self.algorithm = "RS256" if kind == "rsa" else "ES256"
        self.private: Any = (
            rsa.generate_private_key(public_exponent=65537, key_size=bits)
            if kind == "rsa"
            else ec.generate_private_key(ec.SECP256R1())
        )

    @property
    def public(self) -> dict[str, Any]:
        algorithm = RSAAlgorithm if self.algorithm == "RS256" else ECAlgorithm
        row = json.loads(algorithm.to_jwk(self.private.public_key()))
        return {**row, "kid": self.kid, "use": "sig", "alg": self.algorithm}

    def sign(self, claims: dict[str, Any], **headers: Any) -> str:
        return jwt.encode(claims, self.private, algorithm=self.algorithm, headers={"kid": self.kid, **headers})


SHARED = Signer("shared")


class Provider:
    """Honest until told otherwise: each attribute below may be replaced by a test."""

    def __init__(self, address: str) -> None:
        self.issuer = address
        self.keys = [SHARED]
        self.signer = SHARED
        self.codes: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.metadata: dict[str, Any] = {}
        self.answer: Callable[[dict[str, Any]], str] | None = None
        self.twist: Callable[[dict[str, Any]], dict[str, Any]] = dict
        self.userinfo: dict[str, Any] = {}
        self.override: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}

    def document(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            **self.metadata,
        }

    def agrees(self, url: str, subject: str, **claims: Any) -> str:
        """What the browser is sent back with after this subject has signed in: path and query of the callback."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert asked["code_challenge_method"] == "S256"
        assert asked["response_type"] == "code"
        code = uuid4().hex
        now = int(time.time())
        self.codes[code] = {
            "asked": asked,
            "claims": {
                "iss": self.issuer,
                "aud": asked["client_id"],
                "sub": subject,
                "nonce": asked["nonce"],
                "iat": now,
                "exp": now + 300,
                "auth_time": now,
                **claims,
            },
        }
        query = urlencode({"code": code, "state": asked["state"]})
        return f"{urlsplit(asked['redirect_uri']).path}?{query}"

    def token(self, form: dict[str, str], header: str) -> tuple[int, dict[str, Any]]:
        """The token endpoint, with PKCE and the client's secret checked as a real one would."""
        expected = base64.b64encode(f"{CLIENT}:{'a%20secret%20of%20the%20client%20%26%20more'}".encode()).decode()
        found = self.codes.pop(form.get("code", ""), None)
        if header != f"Basic {expected}":
            return 401, {"error": "invalid_client"}
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (
            found is None
            or found["asked"]["redirect_uri"] != form.get("redirect_uri")
            or found["asked"]["code_challenge"] != challenge.rstrip(b"=").decode()
        ):
            return 400, {"error": "invalid_grant"}
        self.userinfo.setdefault("sub", found["claims"]["sub"])
        claims = self.twist(found["claims"])
        token = self.answer(claims) if self.answer else self.signer.sign(claims)
        return 200, {"access_token": "at-1", "token_type": "Bearer", "expires_in": 300, "id_token": token}


class Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.provider.asked.append(path)
        if path in self.provider.override:
            return self.provider.override[path](self)
        if path == "/.well-known/openid-configuration":
            return self.send(200, self.provider.document())
        if path == "/keys":
            return self.send(200, {"keys": [key.public for key in self.provider.keys]})
        if path == "/userinfo" and self.headers["Authorization"] == "Bearer at-1":
            return self.send(200, self.provider.userinfo)
        return self.send(404, {"error": "not_found"})

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        self.provider.asked.append(path)
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if path in self.provider.override:
            return self.provider.override[path](self)
        form = {name: values[0] for name, values in parse_qs(body).items()}
        return self.send(*self.provider.token(form, self.headers.get("Authorization", "")))

    def send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        """No line for each request."""


@contextmanager
def serving() -> Iterator[Provider]:
    """A provider that answers until the block ends."""
    handler = type("Bound", (Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    handler.provider = Provider(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield handler.provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
