"""The certificates of a lab: who has them belongs to it, and nobody else gets in.

A folder has ``ca.pem``, the authority that all trust; ``ca.key``, which signed it and may be kept
elsewhere; ``member.pem`` and ``member.key``, which scheduler, hosts and clients show each other.
"""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from mobilebench.errors import BadInputError, first_line
from mobilebench.files import disk_errors

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from distributed.security import Security

AUTHORITY, AUTHORITY_KEY = "ca.pem", "ca.key"
MEMBER, MEMBER_KEY = "member.pem", "member.key"
#: What a host or client needs of them.
NEEDED = (AUTHORITY, MEMBER, MEMBER_KEY)

#: Names the folder, instead of the user's own.
VARIABLE = "MOBILEBENCH_LAB_CERTIFICATES"

_DAYS = 3650


def default_folder() -> Path:
    """Where the certificates are, if nothing else is said."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    return Path(platformdirs.user_config_dir("mobilebench")) / "lab"


def create(folder: Path) -> None:
    """Makes the certificates of a new lab.

    Raises:
        BadInputError: there are some already, the folder cannot be written, or ``cryptography`` is
            missing.
    """
    cryptography_or_sentence()
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    for name in (AUTHORITY, AUTHORITY_KEY, MEMBER, MEMBER_KEY):
        if (folder / name).exists():
            raise BadInputError(
                f"{folder / name} exists already: a lab whose certificates change shuts out "
                "everybody; choose another folder"
            )

    def titled(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    authority = ec.generate_private_key(ec.SECP256R1())

    def signed(subject: str, key: EllipticCurvePrivateKey, is_authority: bool) -> bytes:
        return (
            x509.CertificateBuilder()
            .subject_name(titled(subject))
            .issuer_name(titled("MobileBench lab"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            # Clocks of a lab's hosts differ.
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=_DAYS))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .sign(authority, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )

    def private(key: EllipticCurvePrivateKey) -> bytes:
        return key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    member = ec.generate_private_key(ec.SECP256R1())
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in (
            (AUTHORITY, signed("MobileBench lab", authority, True)),
            (AUTHORITY_KEY, private(authority)),
            (MEMBER, signed("member", member, False)),
            (MEMBER_KEY, private(member)),
        ):
            # Never readable by others, not even for a moment.
            handle = os.open(folder / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as target:
                target.write(content)


def security(folder: Path) -> Security:
    """How the members of a lab speak to each other: encrypted, both sides known.

    Raises:
        BadInputError: a file is missing, or Dask is.
    """
    dask_or_sentence()
    from distributed.security import Security

    for name in NEEDED:
        if not (folder / name).is_file():
            raise BadInputError(
                f"there is no {folder / name}: copy {', '.join(NEEDED)} from whoever ran "
                f"`mobilebench lab init`, or name their folder by --certificates or {VARIABLE}"
            )
    authority, certificate, key = (str(folder / name) for name in NEEDED)
    return Security(
        require_encryption=True,
        tls_ca_file=authority,
        **{
            f"tls_{role}_{part}": path
            for role in ("client", "scheduler", "worker")
            for part, path in (("cert", certificate), ("key", key))
        },
    )


def dask_or_sentence() -> None:
    """Raises BadInputError where Dask is not installed."""
    try:
        import distributed
    except ImportError as error:
        raise _missing(error) from error
    del distributed
    # What matters is said in our own words.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)


def cryptography_or_sentence() -> None:
    """Raises BadInputError where ``cryptography`` is not installed."""
    try:
        import cryptography
    except ImportError as error:
        raise _missing(error) from error
    del cryptography


def _missing(error: ImportError) -> BadInputError:
    return BadInputError(
        f"a lab needs more packages ({first_line(error)}): pip install 'mobilebench[cluster]'"
    )
