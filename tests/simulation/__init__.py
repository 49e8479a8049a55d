"""Days of a brokerage in virtual time: the real core, runtime, adapters and database; a carrier, a PBX, a mail server, a CRM
and a disk of our own that fail as a seed says. docs/testing.md tells how to use it."""
