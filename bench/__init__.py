"""What responder costs, measured beside floors and beside other tools, in the same rounds: `make bench`."""
