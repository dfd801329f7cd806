"""The programs that judge the chart and the Dockerfile, which ``scripts/chart-tools`` installs.

Where one is missing its tests are skipped; in CI they fail.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "turnkeeper"
ENVIRONMENT = Path(sys.prefix)
MODULES = Path(__file__).parent / "node_modules"

HelmVersion = Literal["3", "4"]
HELM: tuple[HelmVersion, ...] = ("3", "4")


def helm(version: HelmVersion) -> str:
    return _there(ENVIRONMENT / "helm" / version)


def judge(name: Literal["checkov", "hadolint", "kubernetes-validate"]) -> str:
    return _there(ENVIRONMENT / "chart" / "bin" / name)


def node() -> str:
    """Node, with the modules of this folder."""
    _there(MODULES)
    return shutil.which("node") or _there(Path("node"))


def missing(what: str) -> None:
    """Skip; in CI fail."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def output(*command: str | Path, given: str = "") -> tuple[int, str]:
    """The exit code, and what was written to both outputs."""
    done = subprocess.run(
        command, input=given, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return done.returncode, done.stdout


def _there(path: Path) -> str:
    if not path.exists():
        missing(f"{path.name} is not there: run scripts/chart-tools {ENVIRONMENT}")
    return str(path)
