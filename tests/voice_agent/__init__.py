"""The voice agent: pure parts, real engines, real media, whole conversations."""
