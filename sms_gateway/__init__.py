"""Texts over SMPP 3.4 or SIP MESSAGE. Knows SMS; knows nothing of leads or of Asterisk."""
