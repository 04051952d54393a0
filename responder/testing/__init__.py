"""For authors of providers: a loopback server that misbehaves, and the contract to keep."""
