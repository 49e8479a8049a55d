"""Small models, made here in seconds, so that the real engines run in tests: none can be downloaded everywhere."""
