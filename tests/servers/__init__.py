"""Real servers of others, started by tests: on loopback addresses of their own, ended by their ids."""
