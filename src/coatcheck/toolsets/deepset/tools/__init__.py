"""The tools of the deepset toolset: plain async functions, and the registry that says how each becomes a tool."""
