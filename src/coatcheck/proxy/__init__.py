"""A proxy in front of any MCP server. Import its modules directly: the server starts before slow imports.

``upstreams.process.start_server`` starts the server's process, ``front.stdio.serve_stdio`` transfers messages between
it and our own stdin and stdout, and ``conversation.Conversation`` decides which of them are parsed.
"""
