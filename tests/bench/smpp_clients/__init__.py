"""The clients under test, each a program that sends texts as `tests.bench.meter` orders."""
