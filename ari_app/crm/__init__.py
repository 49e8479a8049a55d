"""Pushing leads to CRMs, one file for each, behind one port."""
