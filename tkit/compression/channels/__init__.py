"""Channels: which must be pruned together, which matter least, and what narrower layers cost in latency."""
