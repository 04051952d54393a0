"""The systems that responder acts on; one module each, found by name."""
