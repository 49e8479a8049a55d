"""The pure core: what happened to a lead, and what follows. No clock, loop, disk, network, randomness or logging."""
