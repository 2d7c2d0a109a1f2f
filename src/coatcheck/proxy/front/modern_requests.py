"""Requests of 2026-07-28: `_meta` and headers of each contain its revision and method."""

from typing import Any

from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    InboundLadderRejection,
    classify_inbound_request,
    find_duplicated_routing_header,
    unsupported_protocol_version_rejection,
    validate_mcp_param_headers,
)
from mcp_types import HEADER_MISMATCH, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR
from starlette.requests import Request

from coatcheck.calls.interceptor import Interceptor
from coatcheck.codec import is_json
from coatcheck.errors import CoatcheckError
from coatcheck.proxy.front.http_requests import HttpRequests
from coatcheck.proxy.front.shared_connection import SharedConnection
from coatcheck.proxy.jsonrpc import LONG_LINE, Message, error_response, id_of, is_request, tool_of
from coatcheck.proxy.partial_parsing import parse_call_partially
from coatcheck.proxy.request_headers import marked
from coatcheck.store.tenancy import Tenancy


class ModernRequests(HttpRequests):
    """Answers requests of 2026-07-28."""

    statuses = own_statuses = ERROR_CODE_HTTP_STATUS

    def __init__(
        self,
        shared: SharedConnection,
        interceptor: Interceptor,
        scopes: Tenancy,
        security: TransportSecuritySettings,
        *,
        loopback: bool,
    ) -> None:
        super().__init__(interceptor, scopes, security, loopback=loopback)
        self._shared = shared

    def _connection_for(self, message: Message, request: Request) -> SharedConnection:
        del message, request
        return self._shared

    async def _parsed_partially(self, body: bytes) -> Message | None:
        connection = self._shared.connection
        if len(body) <= LONG_LINE or connection is None:
            return None
        call = parse_call_partially(body)
        if call is None or any(marked(self._interceptor.schema_of(tool_of(call)))):
            return None  # The headers of a call must match its arguments.
        return call if connection.sends_separately or await is_json(body) else None

    async def _check(self, message: Any, request: Request) -> Message | None:
        """Return our own answer to a message: ``{}`` for no response, ``None`` for a message that is forwarded."""
        if message is None:
            return error_response(None, "Parse error", PARSE_ERROR)
        if isinstance(message, dict) and "id" not in message and isinstance(message.get("method"), str):
            # Notifications are accepted and dropped: this revision has none from client to server.
            version = request.headers.get("mcp-protocol-version", "")
            rejected = unsupported_protocol_version_rejection(version)
            return {} if rejected is None else _rejection(rejected, None)
        if not is_request(message) or id_of(message) is None:
            return error_response(None, "The body must be one JSON-RPC request or notification.", INVALID_REQUEST)
        twice = find_duplicated_routing_header(request.headers.items())
        if twice is not None:
            return error_response(message["id"], f"The header {twice} appears more than once", HEADER_MISMATCH)
        verdict = classify_inbound_request(message, headers=dict(request.headers))
        if isinstance(verdict, InboundLadderRejection):
            return _rejection(verdict, message["id"])
        if message["method"] == "initialize":
            # This revision has none, and a server at a URL would treat all later requests as part of a session.
            return error_response(message["id"], "Method not found", METHOD_NOT_FOUND)
        try:
            return await self._shared.refusal(message) or await self._mismatch(message, request)
        except CoatcheckError as error:
            return error_response(message["id"], str(error))

    async def _mismatch(self, message: Message, request: Request) -> Message | None:
        """Refuse a call whose headers contradict its arguments, if the tool's schema is known."""
        params = message["params"]
        name, arguments = params.get("name"), params.get("arguments")
        if message["method"] != "tools/call" or not isinstance(name, str) or not isinstance(arguments or {}, dict):
            return None
        schema = self._interceptor.schema_of(name)
        if schema is None:
            return None
        rejected = validate_mcp_param_headers(schema, arguments or {}, request.headers)
        return None if rejected is None else _rejection(rejected, message["id"])


def _rejection(rejected: InboundLadderRejection, request_id: Any) -> Message:
    failure = error_response(request_id, rejected.message, rejected.code)
    if rejected.data is not None:
        failure["error"]["data"] = rejected.data
    return failure
