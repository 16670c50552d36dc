"""The settings of pytest in the source trees that tests make."""

from __future__ import annotations

UNUSED = ("hydra_pytest", "typeguard", "anyio", "platformdirs", "hypothesispytest", "pytest_cov")
"""Plugins of libraries in this environment that no such tree uses. Half of the time of a short run goes into loading them."""


def pytest_settings(*options: str, more: str = "") -> str:
    """The text of a `pyproject.toml`.

    Args:
        options: of pytest.
        more: further lines of its table.
    """
    words = ", ".join(f'"{word}"' for word in (*options, *(one for name in UNUSED for one in ("-p", f"no:{name}"))))
    return f'[tool.pytest.ini_options]\nbdd_features_base_dir = "features"\naddopts = [{words}]\n{more}'
