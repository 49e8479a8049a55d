"""Certificates for tests, made by the openssl program."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """A certificate that is its own authority, and its key, both in one PEM file."""

    path: Path

    def server_context(self, *, ask_client: Path | None = None) -> ssl.SSLContext:
        """For a server; it demands a client certificate that ``ask_client`` vouches for, if given."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        if ask_client is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(ask_client)
        return context


def make_certificate(folder: Path, name: str) -> Certificate:
    """A certificate for ``name``, valid for a day."""
    path = folder / f"{name}.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "1", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    command += ["-keyout", str(path), "-out", str(path) + ".crt"]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + Path(str(path) + ".crt").read_text())
    return Certificate(path)
