"""What is installed: pinned by hash from wherever, under licences that are allowed, and asked after."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = sorted(path for path in ROOT.glob("**/*.lock") if not {".venv", "node_modules"} & set(path.parts))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_package_of_a_lock_is_pinned_by_hashes_and_by_no_address(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    packages = re.split(
        r"^(?=[a-zA-Z0-9])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE
    )
    assert len(packages) > 1
    for package in filter(str.strip, packages):
        assert re.match(r"[\w.\[\]-]+==\S+", package), package.splitlines()[0]
        assert "--hash=sha256:" in package, package.splitlines()[0]
    assert "://" not in text
    assert "index-url" not in text


def test_the_page_of_licences_is_current_and_each_is_allowed() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "licences", "--check"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def audited(folder: Path, script: str) -> tuple[int, str]:
    """What the audit says and ends with, where ``pip-audit`` does what the script says with ``$report``."""
    python = folder / "python"
    python.write_text(
        f'#!/bin/sh\nfor one; do report="${{one#--output=}}"; done\n{script}\n', encoding="utf-8"
    )
    python.chmod(0o755)
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "audit", python], check=False, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def test_an_audit_that_reaches_nobody_says_so_and_fails_nothing(tmp_path: Path) -> None:
    code, told = audited(tmp_path, "echo 'ConnectionError: nobody there' >&2; exit 1")
    assert (code, told) == (
        0,
        "The vulnerabilities of the lock's packages were not looked up: ConnectionError: nobody there\n",
    )


def test_an_audit_that_finds_something_fails_and_says_what_mends_it(tmp_path: Path) -> None:
    report = (
        '{"dependencies": [{"name": "fine", "version": "1", "vulns": []}, {"name": "bad", "version": "1.0",'
        ' "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}]}'
    )
    code, told = audited(tmp_path, f"echo '{report}' > \"$report\"; exit 1")
    assert code == 1
    assert told.startswith("bad 1.0: PYSEC-1, mended in 1.1\n")
    assert "raise them, and run make lock" in told
