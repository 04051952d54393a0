"""Runs on many hosts: a queue of run ids beside the shared record, and the workers that it brings them to."""
