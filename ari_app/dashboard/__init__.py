"""The web edge: health and metrics on loopback, and the control socket that the command line talks to."""
