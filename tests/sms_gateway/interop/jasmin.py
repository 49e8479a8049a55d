"""A whole Jasmin gateway: RabbitMQ, Redis and Jasmin, each private, on free ports of loopback, in a folder of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.sms_gateway.interop.programs import program, python_environment, running
from tests.support.ports import free_port

# Jasmin 0.11.1 loses the receipts of texts that came in by SMPP (an AttributeError while it handles submit_sm_resp).
# Its dependencies still ask for pkg_resources, which later versions of setuptools do not have.
_LOCK = Path(__file__).with_name("jasmin.txt").read_text(encoding="utf-8")
PACKAGES = tuple(line for line in _LOCK.splitlines() if not line.startswith("#"))


@dataclass(frozen=True)
class Jasmin:
    """Where it listens. smpp_port: for ESMEs. console_port: its console, without a password."""

    smpp_port: int
    console_port: int

    async def configure(self, *dialogues: Sequence[str]) -> None:
        """Type ``dialogues`` into the console, each a command and the answers to its questions."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.console_port)
        try:
            await reader.readuntil(b"Session ref:")  # without a password, no prompt comes before the first command
            await reader.readuntil(b"\n")
            for dialogue in dialogues:
                said = b""
                for line in dialogue:
                    writer.write(line.encode() + b"\r\n")
                    said = await self._prompt(reader)
                assert b"uccessfully" in said, (dialogue, said)
        finally:
            writer.close()

    async def _prompt(self, reader: asyncio.StreamReader) -> bytes:
        said = b""
        async with asyncio.timeout(20.0):
            while not said.endswith((b"jcli : ", b"> ")):
                said += await reader.read(4096)
        return said


@asynccontextmanager
async def jasmin(folder: Path) -> AsyncIterator[Jasmin]:
    """Started and stopped with the block; about ten seconds once it is installed."""
    python = await asyncio.to_thread(python_environment, "jasmin", *PACKAGES)
    ports = {
        name: str(free_port()) for name in ("epmd", "amqp", "dist", "redis", "smpp", "jcli", "router", "clients", "pb")
    }
    async with AsyncExitStack() as stack:
        await _start_rabbitmq(stack, folder, ports)
        redis = [program("redis-server", "redis-server"), "--port", ports["redis"], "--bind", "127.0.0.1"]
        redis += ["--save", "", "--appendonly", "no", "--dir", str(folder)]
        await stack.enter_async_context(running(redis, folder / "redis.log", ready="Ready to accept connections"))
        await _start_jasmin(stack, folder, ports, python)
        yield Jasmin(int(ports["smpp"]), int(ports["jcli"]))


async def _start_rabbitmq(stack: AsyncExitStack, folder: Path, ports: dict[str, str]) -> None:
    epmd = [program("epmd", "erlang-base"), "-port", ports["epmd"], "-address", "127.0.0.1"]
    await stack.enter_async_context(running(epmd, folder / "epmd.log"))
    plugins = folder / "plugins"
    plugins.write_text("[].\n")
    server = program("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server")
    environment = {
        "HOME": str(folder),
        "ERL_EPMD_PORT": ports["epmd"],
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": "ringback@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": ports["amqp"],
        "RABBITMQ_DIST_PORT": ports["dist"],
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_MNESIA_BASE": str(folder),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_PID_FILE": str(folder / "rabbitmq.pid"),
    }
    ready = "Server startup complete"
    await stack.enter_async_context(
        running([server], folder / "rabbitmq.log", ready=ready, within=60.0, environment=environment)
    )


async def _start_jasmin(stack: AsyncExitStack, folder: Path, ports: dict[str, str], python: Path) -> None:
    for name in ("etc/jasmin/store", "var/log/jasmin"):
        (folder / name).mkdir(parents=True)
    (spec,) = python.parent.parent.glob("lib/*/site-packages/txamqp/specs/standard/amqp0-9-1.stripped.xml")
    environment = {
        "ROOT_PATH": str(folder),
        "AMQP_BROKER_PORT": ports["amqp"],
        "AMQP_BROKER_SPEC": str(spec),
        "REDIS_CLIENT_PORT": ports["redis"],
        "SMPP_SERVER_BIND": "127.0.0.1",
        "SMPP_SERVER_PORT": ports["smpp"],
        "SMPP_SERVER_PB_BIND": "127.0.0.1",
        "SMPP_SERVER_PB_PORT": ports["pb"],
        "JCLI_PORT": ports["jcli"],
        "JCLI_AUTHENTICATION": "no",
        "ROUTER_BIND": "127.0.0.1",
        "ROUTER_PORT": ports["router"],
        "CLIENT_MANAGEMENT_BIND": "127.0.0.1",
        "CLIENT_MANAGEMENT_PORT": ports["clients"],
    }
    command: list[str | Path] = [
        python,
        python.with_name("jasmind.py"),
        "--disable-http-api",
        "--enable-dlr-thrower",
        "--enable-dlr-lookup",
    ]
    await stack.enter_async_context(
        running(command, folder / "jasmin.log", ready="jCli Started", environment=environment, cwd=folder)
    )
