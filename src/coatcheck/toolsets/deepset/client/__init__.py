"""An asynchronous client of the deepset AI platform, which can be used separately; see ``docs/deepset-client.md``."""

from coatcheck.toolsets.deepset.client.api_connection import DEFAULT_API_URL, Timeouts
from coatcheck.toolsets.deepset.client.api_parts import Page
from coatcheck.toolsets.deepset.client.deepset_client import DeepsetClient, WorkspaceClient, open_http_client
from coatcheck.toolsets.deepset.client.docs_share import DocsShare
from coatcheck.toolsets.deepset.client.errors import (
    DeepsetError,
    NotAuthorized,
    NotFound,
    PlatformFailed,
    PlatformTimeout,
    PlatformUnreachable,
    RateLimited,
    RequestRejected,
    UnexpectedAnswer,
)
from coatcheck.toolsets.deepset.client.models import sent
from coatcheck.toolsets.deepset.client.retry_policy import RetryPolicy

__all__ = [
    "DEFAULT_API_URL",
    "DeepsetClient",
    "DeepsetError",
    "DocsShare",
    "NotAuthorized",
    "NotFound",
    "Page",
    "PlatformFailed",
    "PlatformTimeout",
    "PlatformUnreachable",
    "RateLimited",
    "RequestRejected",
    "RetryPolicy",
    "Timeouts",
    "UnexpectedAnswer",
    "WorkspaceClient",
    "open_http_client",
    "sent",
]
