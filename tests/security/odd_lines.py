"""Unusual bytes that a server writes in response to a call, with ``ID`` for the id of the call; as a script, that server."""

import json
import sys

LONG = b"x" * 100_000
MEGABYTES = LONG * 15
DEEP = b"[" * 3000 + b"]" * 3000
OK = b'"result": {"content": [{"type": "text", "text": "fine"}]}'
LONG_RESULT = OK.replace(b"fine", LONG)
HUGE_RESULT = OK.replace(b"fine", MEGABYTES)
REFUSED = b'"error": {"code": -32000, "message": "refused"}'


def line(*members: bytes) -> bytes:
    return b'{"jsonrpc": "2.0", ' + b", ".join(members) + b"}\n"


def answer(*members: bytes) -> bytes:
    return line(b'"id": ID', *members)


def notifications(*params: bytes, method: bytes = b"progress") -> bytes:
    return b"".join(line(b'"method": "notifications/%b"' % method, b'"params": ' + each) for each in params)


def requests(*ids: bytes) -> bytes:
    return b"".join(line(b'"id": ' + each, b'"method": "sampling/createMessage"', b'"params": {}') for each in ids)


def others(*ids: bytes) -> bytes:
    return b"".join(line(b'"id": ' + each, OK) + line(b'"id": ' + each, REFUSED) for each in ids)


FINE = answer(OK)
ODD_PARAMS = (b"null", b"[]", b'"t"', b"7", b"{}", b'{"uri": 7, "_meta": []}', b'{"_meta": {"progressToken": {}}}')

ANSWERED: dict[str, bytes] = {
    "fine": FINE,
    "null error": answer(OK, b'"error": null'),
    "long null error": answer(LONG_RESULT, b'"error": null'),
    "method": answer(b'"method": "tools/call"', OK),
    "null method": answer(b'"method": null', OK),
    "batch with more": b"[" + FINE.strip() + b', {"no": "message"}, 7]\n',
    "blank lines": b"\n\r\n  \n\t\n" + FINE,
    "byte order mark": b"\xef\xbb\xbf" + FINE,
    "crlf": FINE.strip() + b"\r\n",
    "twice": FINE + FINE,
    "kept and twice": answer(LONG_RESULT) + answer(OK.replace(b"fine", b"again")),
    "long and twice": FINE + answer(LONG_RESULT) + answer(HUGE_RESULT),
    "twice in a batch": answer(LONG_RESULT) + b"[" + answer(OK.replace(b"fine", b"again")).strip() + b"]\n",
    "of another type": answer(LONG_RESULT.replace(b'"content"', b'"resultType": "other", "content"')),
    "not utf-8": answer(OK.replace(b"fine", b"caf\xe9")),
    "long and not utf-8": answer(LONG_RESULT.replace(b"xx", b"\xe9", 1)),
    "id last": b"{%b" % LONG_RESULT + b', "id": ID, "jsonrpc": "2.0"}\n',
    "to others": others(b'"nobody"', b"999999", b"null", b'{"a": 1}', b"true", b"[]") + FINE,
    "odd requests": requests(b"true", b"null", b"{}", b"[1]", b"1.5", b'""', b"-7", b'"%b"' % LONG) + FINE,
    "odd progress": notifications(
        b'{"progressToken": "nobody", "progress": 1}', b'{"progressToken": {"a": [1]}, "progress": "x"}', *ODD_PARAMS
    )
    + FINE,
    "odd cancellations": notifications(
        b'{"requestId": "nobody"}', b'{"requestId": {"a": []}}', b'{"requestId": 9}', *ODD_PARAMS, method=b"cancelled"
    )
    + FINE,
    "odd updates": notifications(*ODD_PARAMS, method=b"resources/updated") + FINE,
    "odd list changes": notifications(*ODD_PARAMS, method=b"tools/list_changed") + FINE,
    "odd task statuses": notifications(b'{"taskId": []}', *ODD_PARAMS, method=b"tasks/status") + FINE,
    "deep notification": notifications(b'{"data": %b}' % DEEP, method=b"message") + FINE,
    "values": b'7\n"text"\nnull\ntrue\n[]\n{}\n[7]\n[[' + FINE.strip() + b"]]\n" + FINE,
    "broken request": requests(b"ID")[:-2] + b"\n" + FINE,
    "log with id": b'{"id": ID, "level": "warn", "error": "disk full"}\n' + FINE,
}
"""The call gets its result."""

BY_NUMBER: dict[str, bytes] = {
    "float id": line(b'"id": ID.0', OK),
    "exponent id": line(b'"id": IDe0', OK),
    "long float id": line(b'"id": ID.0', LONG_RESULT),
}
"""The call gets its result if its id is a number."""

REFUSALS: dict[str, bytes] = {
    "null result": answer(b'"result": null', REFUSED),
    "float code": answer(REFUSED.replace(b"-32000", b"-32000.0")),
}
"""The call gets the server's error."""

MALFORMED: dict[str, bytes] = {
    "result and error": answer(OK, REFUSED),
    "neither": answer(),
    "null error alone": answer(b'"error": null'),
    "old version": FINE.replace(b'"2.0"', b'"1.0"'),
    "no version": FINE.replace(b'"jsonrpc": "2.0", ', b""),
    "version as number": FINE.replace(b'"2.0"', b"2.0"),
    "error without code": answer(b'"error": {"message": "x"}'),
    "error with a text as code": answer(b'"error": {"code": "x", "message": "x"}'),
    "error without message": answer(b'"error": {"code": 1}'),
    "text as error": answer(b'"error": "bad"'),
    "text as result": answer(b'"result": "bad"'),
    "null as result": answer(b'"result": null'),
    "long text as result": answer(b'"result": "%b"' % LONG),
    "long list as result": answer(b'"result": ["%b"]' % LONG),
    "huge text as result": answer(b'"result": "%b"' % MEGABYTES),
    "long result and error": answer(LONG_RESULT, REFUSED),
    "huge result and error": answer(HUGE_RESULT, REFUSED),
    "long text as error": answer(b'"error": "%b"' % LONG),
    "long without version": answer(LONG_RESULT).replace(b'"jsonrpc": "2.0", ', b""),
    "huge without version": answer(HUGE_RESULT).replace(b'"jsonrpc": "2.0", ', b""),
    "deep": answer(b'"result": {"content": [], "more": %b}' % DEEP),
    "broken": answer(b'"result": {"content": [}'),
    "cut off": FINE[:-12] + b"\n",
    "long and cut off": answer(LONG_RESULT)[:-4] + b"\n",
    "huge and cut off": answer(HUGE_RESULT)[:-4] + b"\n",
    "broken behind the id": answer(b"1"),
    "cut off behind the id": answer(b"")[:-2] + b"\n",
    "no quotes": answer(b"result: {}"),
    "broken and id last": line(b'"result": {"content": [}', b'"id": ID'),
    "python dictionary": b"{'jsonrpc': '2.0', 'id': ID, 'result': {}}\n",
    "control character": answer(OK.replace(b"fine", b"fi\x0bne")),
    "two on a line": FINE.strip() + FINE,
    "long with more behind it": answer(LONG_RESULT).strip() + b" more\n",
}
"""The call gets an error that describes the fault."""

LINES = ANSWERED | BY_NUMBER | REFUSALS | MALFORMED


def serve() -> None:
    for asked in map(json.loads, sys.stdin.buffer):
        if "id" not in asked or "method" not in asked:
            continue
        written = line(b'"id": ID', b'"result": {}')
        if asked["method"] == "initialize":
            info, capabilities = {"name": "odd", "version": "1"}, {"tools": {}, "resources": {}}
            result = {"protocolVersion": asked["params"]["protocolVersion"], "capabilities": capabilities}
            written = answer(b'"result": ' + json.dumps({**result, "serverInfo": info}).encode())
        elif asked["method"] == "tools/list":
            tools = [{"name": name.replace(" ", "_"), "inputSchema": {"type": "object"}} for name in LINES]
            written = answer(b'"result": ' + json.dumps({"tools": tools}).encode())
        elif asked["method"] == "tools/call":
            written = LINES[asked["params"]["name"].replace("_", " ")]
        sys.stdout.buffer.write(written.replace(b"ID", json.dumps(asked["id"]).encode()))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    serve()
