"""Read the machine's certificates once: each HTTP client would read them for 30 ms, and few tests use them."""

import functools
import os
import ssl

import httpcore2


def share_default_ssl_context() -> None:
    """Let all HTTP clients of this process share the default certificates."""
    read = httpcore2.default_ssl_context

    @functools.cache
    def context_of(trust_env: bool, _file: str | None, _folder: str | None) -> ssl.SSLContext:
        return read(_trust_env=trust_env)

    def default_ssl_context(*, _trust_env: bool = True) -> ssl.SSLContext:
        return context_of(_trust_env, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))

    httpcore2.default_ssl_context = default_ssl_context
