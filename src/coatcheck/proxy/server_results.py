"""Rewrites the results of a server: handshakes, lists and the results of calls."""

import asyncio
from typing import TYPE_CHECKING, Any

from coatcheck.calls.host_profiles import UNKNOWN_CLIENT
from coatcheck.calls.limits import CallBudget
from coatcheck.calls.nested_coatchecks import HANDSHAKES
from coatcheck.proxy import object_resources
from coatcheck.proxy.background_tasks import result_if_ready
from coatcheck.proxy.client_requests import Pending
from coatcheck.proxy.jsonrpc import GATEWAY_NAME, PARSED_AT_ONCE, Message, server_info_of, text_of
from coatcheck.proxy.list_prefetch import ToolListPrefetch
from coatcheck.proxy.server_resources import ServerResources
from coatcheck.proxy.view_calls import CALL

if TYPE_CHECKING:
    from coatcheck.calls.interceptor import Interceptor


class ServerResults:
    """Rewrites the results of one server.

    Args:
        interceptor: A future of the interceptor.
        tools: Lists the server's tools.
        resources: The server's own resources.
        budget: The budget of concurrent calls.
        instructions, offer_resources, is_gateway: See ``Conversation``.

    Attributes:
        has_tools: Whether the server has tools, as its handshake says.
        client: The client, as its handshake says.
        server: The server's name, as its handshake says.
    """

    def __init__(
        self,
        interceptor: "asyncio.Future[Interceptor]",
        tools: ToolListPrefetch,
        resources: ServerResources,
        budget: CallBudget,
        *,
        instructions: str | None,
        offer_resources: bool,
        is_gateway: bool,
    ) -> None:
        self._interceptor, self._tools, self._resources, self._budget = interceptor, tools, resources, budget
        self._instructions, self._offer_resources, self._is_gateway = instructions, offer_resources, is_gateway
        self.has_tools, self.client, self.server = True, UNKNOWN_CLIENT, ""

    def note_handshake(self, result: dict[str, Any]) -> None:
        """Read the server's name and capabilities from the result of a handshake."""
        self.server = text_of(server_info_of(result).get("name"))
        capabilities = result.get("capabilities")
        self.has_tools = isinstance(capabilities, dict) and capabilities.get("tools") is not None

    def note_changed_list(self, method: Any) -> None:
        """Forget a list if a notification of this method says that it has changed."""
        if method == "notifications/tools/list_changed":
            self._tools.list_again()
            if (ready := result_if_ready(self._interceptor)) is not None:
                ready.knows_all = False
        elif method == "notifications/resources/list_changed":
            self._resources.list_again()

    async def rewritten(self, request: Pending, message: Message, size: int) -> Message:
        """Return a response for the client; the same object if nothing changes."""
        if request.method in object_resources.LISTS:
            await self._resources.learn(request.method, message.get("result"))
            return object_resources.mention_objects(request.method, message, modern=request.is_modern)
        if request.method == CALL:
            part = "error" if "error" in message else "result"
            outcome = await self._call_outcome(await asyncio.shield(self._interceptor), request, part, message, size)
            return message if outcome is message[part] else {**message, part: outcome}
        result = message["result"]
        if request.method in HANDSHAKES:
            instructions = self._instructions or (await asyncio.shield(self._interceptor)).instructions
            changed = object_resources.offer_objects(result, instructions, as_resources=self._offer_resources)
        else:
            interceptor = await asyncio.shield(self._interceptor)
            is_long = size > PARSED_AT_ONCE
            changed = await interceptor.tools_list(result, encoded=is_long) if self.has_tools else result
            self._tools.seen(request.method, result)
        return message if changed is result else {**message, "result": changed}

    async def learn_tools(self, request: Pending | None, size: int) -> None:
        """Learn what the response to a request, of ``size`` bytes, depends on: views, and names if it may be kept."""
        if request is None or request.method != CALL or request.requester is not None:
            return
        interceptor = await asyncio.shield(self._interceptor)
        if request.client(self.client).shows_apps:  # Only the list shows whether there are views, which read results.
            await self._tools.learn_tools(interceptor, request)
        limit = None if self._is_gateway else interceptor.limits.of(request.tool)
        if limit is not None and size > limit:
            await self._tools.learn_names(interceptor, request)

    async def _call_outcome(
        self, interceptor: "Interceptor", request: Pending, part: str, message: Message, size: int
    ) -> dict[str, Any]:
        await self.learn_tools(request, size)
        keep = interceptor.error if part == "error" else interceptor.result
        return await keep(
            request.tool,
            message[part],
            call=request.call,
            budget=self._budget,
            client=request.client(self.client),
            is_of_view=request.is_of_view,
            server=self.server or self._name_in(message[part]),
        )

    def _name_in(self, outcome: dict[str, Any]) -> str:
        """Return the server's name from a result: a client without a session calls without a handshake."""
        return GATEWAY_NAME if self._is_gateway else text_of(server_info_of(outcome).get("name"))
