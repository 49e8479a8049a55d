"""Telling people: texts to callers, e-mail to callers and agents."""
