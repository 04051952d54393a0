"""Contain a leaked credential, prove that it is dead, and write down what happened."""

__version__ = "0.1.0"
