"""Scenarios: a playbook played against stand-ins for every system, on a clock that nobody has to wait for."""
