"""Working on another machine through OpenSSH's own client: one connection, one temporary folder there."""
