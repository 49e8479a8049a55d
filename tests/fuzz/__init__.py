"""Octets that strangers choose: whatever comes is understood or refused by name. docs/testing.md tells how to fuzz."""
