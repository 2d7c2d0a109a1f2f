"""The deepset toolset."""
