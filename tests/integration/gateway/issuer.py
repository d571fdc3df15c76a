"""An OIDC issuer on a real socket: discovery, keys that rotate, tokens."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "botyard"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Issuer:
    """What the issuer publishes; tests change it."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[str] = []
        self.published: list[dict[str, Any]] = []
        self.private: dict[str, PrivateKey] = {}
        self.discovery: dict[str, Any] = {}
        self.status = 200

    def add_key(self, kid: str, *, kind: str = "RSA", publish: bool = True, bits: int = 2048, **fields: Any) -> None:
        """Make a key and publish it."""
        private: PrivateKey
        if kind == "RSA":
            private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
            public = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
        else:
            private = ec.generate_private_key(ec.SECP256R1())
            public = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
        self.private[kid] = private
        if publish:
            self.published.append({**public, "kid": kid, "use": "sig", **fields})

    def token(self, kid: str = "k1", *, algorithm: str = "RS256", named: str | None = "", **changes: Any) -> str:
        """Return a token that is valid unless it is changed.

        Args:
            kid: The key that signs.
            algorithm: How.
            named: The `kid` of the header, if another; None: none.
            changes: Claims; None leaves one out.
        """
        now = int(time.time())
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "ann", "iat": now, "exp": now + 300, **changes}
        claims = {name: value for name, value in claims.items() if value is not None}
        headers = {} if named is None else {"kid": named or kid}
        return jwt.encode(claims, self.private[kid], algorithm=algorithm, headers=headers)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].decode()
        self.requests.append(path)
        documents: dict[str, Any] = {
            "/.well-known/openid-configuration": {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/keys",
                **self.discovery,
            },
            "/keys": {"keys": self.published},
        }
        body = json.dumps(documents.get(path, {})).encode()
        status = self.status if path in documents else 404
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        writer.close()


@contextlib.asynccontextmanager
async def running_issuer() -> AsyncIterator[Issuer]:
    """Serve an issuer with the RSA key `k1` on a free port."""
    issuer = Issuer()
    issuer.add_key("k1")
    server = await asyncio.start_server(issuer.answer, "127.0.0.1", 0)
    issuer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield issuer
