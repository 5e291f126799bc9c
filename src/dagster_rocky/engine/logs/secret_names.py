"""Does a name stand for a secret: the rules for keys, flags, columns and labels in free text."""

import functools
import re

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET = re.compile(
    r"(?:password|passwd|passwort|passphrase|passcode|pwd|secret|token|credential|apikey|accesskey|privatekey)s?$"
)
_EXACT = frozenset({"pass", "sig", "signature", "sas", "authorization", "connectionstring", "dsn"})
_ABOUT = frozenset((
    "count", "length", "len", "type", "url", "uri", "endpoint", "policy", "ttl", "expires", "expiry",
    "expiration", "lifetime", "limit", "size", "version", "usage", "used", "budget", "enabled", "required",
    "name", "file", "path", "scope", "field", "column", "columns", "env", "index",
))  # fmt: skip
"""A name that ends so says something about a secret, and holds none: `token_count`, `password_policy`."""
_SECRET_KEYS = frozenset((
    "secret", "private", "encryption", "encrypt", "access", "api", "signing", "sign", "account", "auth",
    "password", "passphrase", "shared", "master", "storage", "ssh", "client", "service", "license", "hmac",
    "aes", "rsa", "ssl", "tls", "webhook", "deploy", "security", "subscription", "application", "app",
    "bot",
))  # fmt: skip
_HARMLESS_KEYS = frozenset((
    "asset", "business", "cache", "candidate", "check", "cluster", "clustering", "column", "composite",
    "config", "conflicting", "dedupe", "dict", "dist", "distribution", "duplicate", "engine", "event",
    "filter", "foreign", "group", "hash", "idempotency", "index", "invalid", "job", "join", "lookup",
    "map", "merge", "message", "metadata", "missing", "model", "natural", "object", "op", "order", "param",
    "partition", "partitioning", "pipes", "primary", "public", "range", "record", "region", "routing",
    "row", "run", "schedule", "sort", "source", "state", "step", "surrogate", "table", "tag", "target",
    "tenant", "time", "translation", "unique", "unknown", "update", "watermark",
))  # fmt: skip


@functools.lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether the value under this name is nobody's business.

    Args:
        name: In any spelling: `db_password`, `AccountKey`, `X-Amz-Signature`, `state_secret_access_key`.

    Example:
        ```python
        is_secret_name("api_key"), is_secret_name("primary_key")  # (True, False)
        ```
    """
    words = [word.lower() for word in _WORD.findall(name)]
    if not words:
        return False
    if words[-1] in _ABOUT and len(words) > 1:
        return False
    if any(_SECRET.search(word) for word in words) or words[-1] in _EXACT or "".join(words) in _EXACT:
        return True
    for place, word in enumerate(words):
        if word not in ("key", "keys"):
            continue
        before = set(words[:place])
        if before & _SECRET_KEYS:
            return True
        if place and place >= len(words) - 2 and not before & _HARMLESS_KEYS and words[-1] in _KEY_ENDS:
            return True
    return False


_KEY_ENDS = frozenset({"key", "keys", "id", "value", "prod", "dev", "test", "staging"})
