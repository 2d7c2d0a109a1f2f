"""Several servers as one upstream connection: unique names, and a failed server affects no other."""

from coatcheck.proxy.gateway.gateway import Gateway

__all__ = ["Gateway"]
