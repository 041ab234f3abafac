"""Real servers for tests: each on a free loopback port or a Unix socket, ended by its own process id."""
