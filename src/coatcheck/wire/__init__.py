"""MCP as it travels: JSON-RPC results as dicts with their camelCase names, without the SDK.

``Interceptor`` is the way in; a proxy and a server's middleware both use it. It lives in ``coatcheck.wire.interceptor``
and is imported from there, since a proxy starts its server before it loads what is slow.
"""
