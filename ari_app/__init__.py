"""Ringback, the application: calls, leads, and all that follows from them, on one office server."""
