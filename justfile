# Shorter ways than scripts/test, which is the whole check. `just` lists them.
set shell := ["bash", "-euo", "pipefail", "-c"]
export PATH := justfile_directory() / ".venv/bin:" + env("PATH")

_default:
    @just --list

# Everything that must pass before anything lands.
test:
    scripts/test

# Formatting, lint, types, layers.
lint:
    ruff check . && ruff format --check . && mypy && lint-imports

# Tests without Asterisk and without programs of others.
unit *ARGS:
    pytest -q -n auto -m "not e2e and not interop" {{ARGS}}

# The stories of tests/ari_app/recovery/golden; RINGBACK_GOLDEN=write regenerates them, to be read in review.
golden:
    pytest -q tests/ari_app/recovery/test_golden.py

# Real processes that are killed, cut off, filled up.
crash *ARGS:
    pytest -q -n 2 tests/e2e/crash {{ARGS}}

# Whole calls on a real Asterisk.
e2e *ARGS:
    pytest -q -n 2 tests/e2e {{ARGS}}

# SMSCs and gateways of others.
interop *ARGS:
    pytest -q -m interop {{ARGS}}

# Measurements; without a name, the list of them.
bench *ARGS:
    scripts/bench {{ARGS}}

# The core in virtual time with seeded faults.
simulate *ARGS:
    python -m tests.simulation {{ARGS}}

# Documents and examples against the code.
docs:
    pytest -q -k "docs or examples"
