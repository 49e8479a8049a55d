"""The ``ringback`` command: a thin edge over the rooms. Tables and sentences for people, ``--json`` for machines."""
