"""Several servers behind one entry, as a link like any other: names kept apart, one of them down harms no other."""

from coatcheck.proxy.gateway.gateway import Gateway

__all__ = ["Gateway"]
