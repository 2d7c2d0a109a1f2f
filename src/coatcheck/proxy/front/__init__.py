"""The side of the proxy that clients connect to: stdio, HTTP with sessions, and HTTP without."""
