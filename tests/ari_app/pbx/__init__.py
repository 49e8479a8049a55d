"""The pbx room: pure parts here and now, the rest (marked e2e) on a real Asterisk with real phones."""
