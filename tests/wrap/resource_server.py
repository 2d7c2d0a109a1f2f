"""A server without an SDK whose resources have URIs like those of stored objects; it reports its requests.

``python resource_server.py [WHAT]``: ``listed`` (the default), ``template``, ``silent`` about its lists, or ``none``.
"""

import json
import sys

THEIRS = "coatcheck://objects/obj_theirs"
WHAT = sys.argv[1] if len(sys.argv) > 1 else "listed"
asked: list[str] = []


def text(value: str) -> dict:
    return {"content": [{"type": "text", "text": value}]}


def result_of(method: str, params: dict) -> dict | None:
    capabilities, info = {"tools": {}, "resources": {"subscribe": True}}, {"name": "resources", "version": "1"}
    if method == "server/discover":
        return {"supportedVersions": ["2026-07-28"], "capabilities": capabilities, "serverInfo": info}
    if method == "initialize":
        return {"protocolVersion": params["protocolVersion"], "capabilities": capabilities, "serverInfo": info}
    if method == "tools/list":
        return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in ("text", "asked")]}
    if method == "tools/call":
        return text("word " * 5_000 if params["name"] == "text" else json.dumps(asked))
    if method == "resources/list":
        listed = [{"uri": THEIRS, "name": "theirs"}] if WHAT == "listed" else []
        return (
            {"resources": [{"uri": "demo://a", "name": "a"}], "nextCursor": "2"}
            if not params
            else {"resources": listed}
        )
    if method == "resources/templates/list":
        template = {"uriTemplate": "coatcheck://objects/obj_{name}rs", "name": "theirs"}
        return {"resourceTemplates": [template] if WHAT == "template" else []}
    if method == "resources/read":
        return {"contents": [{"uri": params["uri"], "text": "the server's own"}]}
    return {} if method in {"resources/subscribe", "resources/unsubscribe"} else None


def write(message: dict) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def listen(request_id: object, params: dict) -> None:
    """Acknowledge a subscription of 2026-07-28, and report that each of its resources has changed."""
    uris = params["notifications"].get("resourceSubscriptions", [])
    asked.append(f"subscriptions/listen {' '.join(uris)}")
    meta = {"_meta": {"io.modelcontextprotocol/subscriptionId": request_id}}
    write({"method": "notifications/subscriptions/acknowledged", "params": {**params, **meta}})
    for uri in uris:
        write({"method": "notifications/resources/updated", "params": {"uri": uri, **meta}})


def main() -> None:
    for message in map(json.loads, sys.stdin):
        method, params = message["method"], message.get("params") or {}
        if method == "notifications/cancelled":
            asked.append(method)
        if "id" not in message:
            continue
        if method == "subscriptions/listen":
            listen(message["id"], {"notifications": params["notifications"]})
            continue
        if method.startswith("resources/"):
            asked.append(f"{method} {params['uri']}" if "uri" in params else method)
        if "/list" in method and method.startswith("resources/") and WHAT == "silent":
            continue
        result = result_of(method, {key: value for key, value in params.items() if key != "_meta"})
        if result is not None and "_meta" in params:
            result = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"} | result
        unknown = {"error": {"code": -32601, "message": "unknown"}}
        write({"id": message["id"], **(unknown if result is None else {"result": result})})
        if method == "resources/subscribe":
            write({"method": "notifications/resources/updated", "params": {"uri": params["uri"]}})


if __name__ == "__main__":
    main()
