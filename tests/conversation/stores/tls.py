"""Servers that are reached over TLS, with user and password: certificates of an authority that the test makes."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from conversation.stores.redis.errors import PERMISSIONS

LOGIN = ("gateway", "p@ss/word#1")
"""A user that has the permissions which are asked for and no others, in the namespace `turnkeeper`."""


@dataclass(frozen=True, slots=True)
class Tls:
    """``password`` is that of the default user, of the servers among themselves and of Sentinel."""

    program: str
    ca_file: Path
    certificate: Path
    key: Path
    password: str = "hunter2"

    def options(self, port: int, *, sentinel: bool = False) -> list[str]:
        """What makes a server, or a Sentinel, listen for TLS at the port."""
        user, password = LOGIN
        options = [
            "--port",
            "0",
            "--tls-port",
            str(port),
            "--tls-auth-clients",
            "no",
            "--tls-replication",
            "yes",
        ]
        options += ["--tls-ca-cert-file", str(self.ca_file), "--requirepass", self.password]
        options += ["--tls-cert-file", str(self.certificate), "--tls-key-file", str(self.key)]
        if not sentinel:
            options += ["--masterauth", self.password]
            options += ["--user", user, "on", f">{password}", "~{turnkeeper:*", "&{turnkeeper:*"]
            options += [*PERMISSIONS.split(), "+cluster|slots"]
        return options


def tls(folder: Path) -> Tls:
    """An authority, and a certificate of it for 127.0.0.1. Skips the test where there is no Redis with TLS."""
    program = shutil.which("redis-server")
    if program is None and not os.environ.get("CI"):
        pytest.skip("needs a Redis with TLS: apt-get install redis-server")
    assert program is not None
    authority = ec.generate_private_key(ec.SECP256R1())
    private = ec.generate_private_key(ec.SECP256R1())
    issuer, subject = _name("an authority of ones own"), _name("redis")
    ca = _certificate(issuer, issuer, authority, authority, x509.BasicConstraints(ca=True, path_length=None))
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = _certificate(subject, issuer, private, authority, here)
    made = Tls(program, folder / "ca.crt", folder / "redis.crt", folder / "redis.key")
    made.ca_file.write_bytes(ca)
    made.certificate.write_bytes(certificate)
    made.key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return made


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    private: ec.EllipticCurvePrivateKey,
    authority: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> bytes:
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        .sign(authority, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)
