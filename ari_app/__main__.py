"""``python -m ari_app`` and the ``ringback`` command."""

from __future__ import annotations

from ari_app.cli.main import main

if __name__ == "__main__":
    main()
