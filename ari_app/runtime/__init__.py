"""Interpreting what the core orders: one event, one transaction; durable timers; the outbox's dispatcher."""
