"""Large values encoded and decoded in chunks on the event loop, so that other calls are answered meanwhile."""
