"""The loopback world in which playbooks are practised, and the score of a practice."""
