"""The files of examples/replicas are valid, and agree with each other and with coatcheck."""

import os
import re
import shlex
import subprocess
import sys

import pytest
import typer
import yaml

from coatcheck.cli.app import app
from coatcheck.cli.web_server import KEEP_ALIVE_TIMEOUT
from coatcheck.monitoring.http_routes import ALIVE_PATH, READY_PATH
from coatcheck.settings import Settings
from tests.backends.certificates import Authority
from tests.debian_packages import debian_program
from tests.replicas.deployment import (
    EXAMPLE,
    EXAMPLE_LISTEN,
    EXAMPLE_PORTS,
    example_environment,
    nginx_command,
    nginx_config,
)

NGINX = (EXAMPLE / "nginx.conf").read_text()
UNIT = (EXAMPLE / "coatcheck@.service").read_text()
COMPOSE = yaml.safe_load((EXAMPLE / "compose.yaml").read_text())
KUBERNETES = {each["kind"]: each for each in yaml.safe_load_all((EXAMPLE / "kubernetes.yaml").read_text())}
POD = KUBERNETES["Deployment"]["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]
REPLICAS = {name: service for name, service in COMPOSE["services"].items() if name.startswith("replica")}
ENVIRONMENT = example_environment()
UNITS = "lib/systemd/system"
COMMANDS = {
    "systemd": shlex.split(re.search(r"^ExecStart=(.*)", UNIT, re.MULTILINE)[1].replace("%i", "8001"))[1:],
    "kubernetes": CONTAINER["args"],
    **{name: shlex.split(service["command"]) for name, service in REPLICAS.items()},
}
VARIABLES = {
    "systemd": ENVIRONMENT,
    "kubernetes": {each["name"]: each.get("value") for each in CONTAINER["env"]},
    **{name: service["environment"] for name, service in REPLICAS.items()},
}


def options(command: list[str]) -> dict:
    """Parse the options of a command."""
    context = typer.main.get_command(app).commands[command[0]].make_context(command[0], list(command[1:]))
    assert context.args == []  # an unknown flag of serve would be passed to a toolset
    return context.params


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


@pytest.mark.parametrize("place", COMMANDS)
def test_coatcheck_accepts_the_command(place):
    understood = options(COMMANDS[place])
    assert COMMANDS[place][0] == "serve"
    assert understood["transport"] == "streamable-http"
    assert understood["stateless"]
    assert understood["auth_tokens"] is not None  # nginx is the public entry


@pytest.mark.parametrize("place", VARIABLES)
def test_variables_are_settings_and_the_store_and_the_key_are_shared(place):
    known = {f"COATCHECK_{name.upper()}" for name in Settings.model_fields}
    allocator = {name: value for name, value in VARIABLES[place].items() if name.startswith("MALLOC_")}
    assert allocator == {name: value for name, value in ENVIRONMENT.items() if name.startswith("MALLOC_")}
    given = {name: value for name, value in VARIABLES[place].items() if name not in allocator}
    assert given.keys() <= known
    assert given.keys() >= {"COATCHECK_REDIS_URL", "COATCHECK_NAMESPACE_SECRET"}
    assert given["COATCHECK_OBJECT_STORE_BACKEND"] == "redis"
    values = {name.removeprefix("COATCHECK_").lower(): value for name, value in given.items() if value is not None}
    Settings(**{"redis_url": "redis://localhost", **values})


def test_ports_agree():
    upstream = [int(port) for port in re.findall(r"^    server 127\.0\.0\.1:(\d+)", NGINX, re.MULTILINE)]
    assert tuple(upstream) == EXAMPLE_PORTS
    assert [options(COMMANDS[name])["port"] for name in REPLICAS] == upstream
    assert [int(port) for port in re.findall(r"coatcheck@(\d+)", UNIT)] == upstream
    assert {int(port) for port in re.findall(r"listen (\d+)", NGINX)} == {EXAMPLE_LISTEN}
    assert COMPOSE["services"]["nginx"]["ports"] == [f"127.0.0.1:{EXAMPLE_LISTEN}:{EXAMPLE_LISTEN}"]
    for name, port in zip(REPLICAS, upstream, strict=True):
        assert f":{port}{ALIVE_PATH}" in str(REPLICAS[name]["healthcheck"])
    assert CONTAINER["ports"] == [{"name": "http", "containerPort": options(CONTAINER["args"])["port"]}]


def test_replicas_behind_nginx_listen_on_a_private_address():
    for place in ("systemd", *REPLICAS):
        assert options(COMMANDS[place])["host"] == "127.0.0.1"
    assert all(service["network_mode"] == "service:nginx" for service in REPLICAS.values())


def test_probes_use_existing_routes():
    probes = {name: CONTAINER[f"{name}Probe"]["httpGet"] for name in ("liveness", "readiness", "startup")}
    assert probes == {
        "liveness": {"path": ALIVE_PATH, "port": "http"},
        "readiness": {"path": READY_PATH, "port": "http"},
        "startup": {"path": ALIVE_PATH, "port": "http"},
    }
    assert f"location = {READY_PATH} {{" in NGINX


def test_kubernetes_selectors_match_the_labels():
    labels = KUBERNETES["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert KUBERNETES["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert KUBERNETES["Service"]["spec"]["selector"] == labels
    assert KUBERNETES["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert KUBERNETES["Service"]["spec"]["ports"][0]["targetPort"] == "http"
    backend = KUBERNETES["Ingress"]["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": KUBERNETES["Service"]["metadata"]["name"], "port": {"name": "http"}}
    mounted = {each["name"] for each in CONTAINER["volumeMounts"]}
    assert mounted == {each["name"] for each in POD["volumes"]}


def test_no_process_is_killed_while_it_completes_calls_in_flight():
    waits = {place: seconds(given["COATCHECK_SHUTDOWN_TIMEOUT"]) for place, given in VARIABLES.items()}
    assert seconds(re.search(r"TimeoutStopSec=(\d+)", UNIT)[1]) > waits["systemd"]
    before = seconds(CONTAINER["lifecycle"]["preStop"]["exec"]["command"][1])
    assert POD["terminationGracePeriodSeconds"] > before + waits["kubernetes"]
    for name, service in REPLICAS.items():
        assert seconds(service["stop_grace_period"]) > waits[name]


def test_nginx_closes_idle_connections_before_the_replicas_do():
    upstream = NGINX[NGINX.index("upstream coatcheck") : NGINX.index("}")]
    ours = seconds(re.search(r"^\s+keepalive_timeout (\w+);", upstream, re.MULTILINE)[1])
    assert ours < KEEP_ALIVE_TIMEOUT


def test_nginx_never_sends_a_call_twice():
    directives = re.findall(r"^\s*proxy_next_upstream (.*?);", NGINX, re.MULTILINE)
    assert directives
    assert all("non_idempotent" not in each for each in directives)
    annotations = KUBERNETES["Ingress"]["metadata"]["annotations"]
    assert "non_idempotent" not in annotations["nginx.ingress.kubernetes.io/proxy-next-upstream"]


@pytest.mark.parametrize("tls", [False, True])
def test_nginx_accepts_its_config(tmp_path, tls):
    main = nginx_config(tmp_path, EXAMPLE_PORTS, EXAMPLE_LISTEN)
    if tls:
        certificate, key = Authority(tmp_path, "authority").issue("mcp.example.com")
        text = (EXAMPLE / "nginx-tls.conf").read_text()
        text = text.replace("/etc/nginx/certificate.pem", str(certificate)).replace(
            "/etc/nginx/certificate.key", str(key)
        )
        (tmp_path / "tls.conf").write_text(text)
        config = tmp_path / "coatcheck.conf"
        commented = "# include /etc/nginx/coatcheck-tls.conf;"
        assert commented in config.read_text()
        config.write_text(config.read_text().replace(commented, f"include {tmp_path / 'tls.conf'};"))
    command, environment = nginx_command(main)
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True, env=environment)
    assert tested.returncode == 0, tested.stderr
    assert "[warn]" not in tested.stderr


def test_systemd_accepts_the_unit(tmp_path):
    program = debian_program("systemd", "usr/bin/systemd-analyze")
    unit = tmp_path / "coatcheck@.service"
    assert UNIT.count("ExecStart=/opt/coatcheck/bin/coatcheck ") == 1
    unit.write_text(UNIT.replace("ExecStart=/opt/coatcheck/bin/coatcheck", f"ExecStart={sys.executable}"))
    # If the package is unpacked next to the system, its targets are there too.
    units = ":".join(str(each) for each in (tmp_path, program.root / UNITS, program.root / "usr" / UNITS))
    environment = {**os.environ, **program.environment, "SYSTEMD_UNIT_PATH": units}
    verified = subprocess.run([program.path, "verify", unit], capture_output=True, text=True, env=environment)
    about_ours = [line for line in verified.stderr.splitlines() if "coatcheck@" in line]
    assert (verified.returncode, about_ours) == (0, []), verified.stderr


def test_the_image_is_built_from_existing_files():
    dockerfile = (EXAMPLE / "Dockerfile").read_text()
    root = EXAMPLE.parents[1]
    for line in re.findall(r"^COPY (.*)", dockerfile, re.MULTILINE):
        assert all((root / source).exists() for source in line.split()[:-1])
    build = COMPOSE["services"]["replica-1"]["build"]
    assert (EXAMPLE / build["context"] / build["dockerfile"]).resolve() == EXAMPLE / "Dockerfile"
