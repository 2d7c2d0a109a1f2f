"""The tools of the deepset toolset: plain async functions, and the registry that configures them."""
