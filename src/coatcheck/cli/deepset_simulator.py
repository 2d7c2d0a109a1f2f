"""``coatcheck deepset simulate``: a simulated deepset platform for tests and demos."""

import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coatcheck.cli.logs import announce
from coatcheck.errors import SettingsError, excerpt
from coatcheck.user_folders import read_user_file

if TYPE_CHECKING:
    from coatcheck.toolsets.deepset.simulator import SimulatedPlatform

app = typer.Typer(rich_markup_mode=None)
_deepset = typer.Typer(no_args_is_help=True)
app.add_typer(_deepset, name="deepset")

FEWEST_SHUTDOWN_SECONDS = 1


@_deepset.callback()
def deepset() -> None:
    """Work with the deepset toolset: its tools are served by "coatcheck serve --toolset deepset"."""


@_deepset.command(short_help="Run a simulated deepset platform.")
def simulate(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="NUMBER", help="Port to listen on; 0: one that is free.", min=0, max=65535)
    ] = 8001,
    keys: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Let in these API keys only: lines of a key and a given name.")
    ] = None,
    faults: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE",
            help='Requests that fail, such as "status=503 path=*/pipelines times=2 retry_after=1", "delay=30" or '
            '"drop=true every=5". Repeatable; POST /simulator/faults adds more while it runs.',
        ),
    ] = None,
    deploy_seconds: Annotated[
        float, typer.Option(metavar="SECONDS", help="Seconds that a deployment takes.", min=0)
    ] = 3.0,
    requests_per_second: Annotated[
        int, typer.Option(metavar="NUMBER", help="Most requests of one key in a second; 0: any number.", min=0)
    ] = 0,
) -> None:
    """Run a simulated deepset platform with sample data, for tests and demos.

    It answers as the platform's API does, keeps what is created in memory, and ends with Ctrl-C. Its workspace is
    named "default". Without --keys every key is accepted.
    """
    from coatcheck.toolsets.deepset.simulator import FaultRule, SimulatedPlatform

    platform = SimulatedPlatform(
        keys=None if keys is None else read_keys(keys),
        deploy_seconds=deploy_seconds,
        requests_per_second=requests_per_second,
        faults=[FaultRule.parse(rule) for rule in faults or ()],
    )
    _serve(platform, host, port)


def _serve(platform: "SimulatedPlatform", host: str, port: int) -> None:
    import asyncio

    import uvicorn

    from coatcheck.cli.listen_options import Listening
    from coatcheck.cli.web_server import address_of, bind

    bound = bind(Listening("streamable-http", host, port, unprotected=True))
    options: dict[str, Any] = {"log_level": "critical", "lifespan": "off", "ws": "none"}
    server = uvicorn.Server(uvicorn.Config(platform, timeout_graceful_shutdown=FEWEST_SHUTDOWN_SECONDS, **options))
    announce(f"the simulated platform is at {address_of(bound)}/api")
    announce(f"for search_docs: --docs-share-url '{platform.share_url()}'")
    asyncio.run(server.serve(sockets=[bound]))


def read_keys(path: Path) -> dict[str, str]:
    """Read a list of keys: lines of a key and a given name; empty lines and those that begin with ``#`` are skipped.

    Raises:
        SettingsError: The file cannot be read or is malformed; no key is quoted.
    """
    try:
        lines = read_user_file(path, unsafe=stat.S_IWOTH).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise SettingsError(f"The list of keys {excerpt(str(path))} cannot be read: {reason}.") from None
    keys = {}
    for number, line in enumerate(lines, 1):
        parts = line.split()
        if not parts or parts[0].startswith("#"):
            continue
        if len(parts) != 2:  # noqa: PLR2004 - a key and a name
            raise SettingsError(f'Line {number} of {excerpt(str(path))} is not "key name".')
        keys[parts[0]] = parts[1]
    if not keys:
        raise SettingsError(f'The list of keys {excerpt(str(path))} is empty; write lines of "key name".')
    return keys
