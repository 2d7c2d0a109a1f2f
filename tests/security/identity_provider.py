"""A test identity provider: a key, its public half, and tokens signed with it."""

import json
import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

ISSUER = "https://issuer.example"
AUDIENCE = "https://coatcheck.example/mcp"


class IdentityProvider:
    def __init__(self, key_id: str = "one", kind: str = "RS256") -> None:
        self.key_id, self.kind = key_id, kind
        self.key: Any = (
            ec.generate_private_key(ec.SECP256R1())
            if kind == "ES256"
            else rsa.generate_private_key(public_exponent=65537, key_size=2048)
        )

    def jwk(self, **more: Any) -> dict[str, Any]:
        algorithm = jwt.algorithms.ECAlgorithm if self.kind == "ES256" else jwt.algorithms.RSAAlgorithm
        facts = json.loads(algorithm.to_jwk(self.key.public_key()))
        facts.pop("key_ops", None)
        return {**facts, "kid": self.key_id, "use": "sig", **more}

    def key_set(self, *others: dict[str, Any]) -> str:
        return json.dumps({"keys": [self.jwk(), *others]})

    def publish(self, path: Path) -> Path:
        path.write_text(self.key_set())
        return path

    def token(self, subject: str | None, *, algorithm: str | None = None, key: Any = None, **claims: Any) -> str:
        now = int(time.time())
        payload = {"iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 600, "client_id": "one-app", **claims}
        if subject is not None:
            payload["sub"] = subject
        payload = {name: value for name, value in payload.items() if value is not ...}
        headers = {"kid": self.key_id}
        return jwt.encode(payload, self.key if key is None else key, algorithm=algorithm or self.kind, headers=headers)
