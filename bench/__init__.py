"""Times of symk beside a peer, measured in one run. `python -m bench --help`."""
