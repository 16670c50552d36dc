# Recipes for people who work on this source tree; `just` lists them.

default:
    @just --list

# Lint, types, import contracts and the trace.
check:
    uv run ruff check .
    uv run ruff format --check .
    uv run mypy
    uv run lint-imports
    uv run deptry src
    uv run minivess trace check

# All tests, on every core.
test *arguments:
    uv run pytest -n auto --dist loadfile {{arguments}}

# The whole yardstick of the log: every field, column, node and checkpoint changed, every check taken out (about half an hour).
mutants *arguments:
    uv run python -m tests.yardstick --write {{arguments}}
