"""A proxy in front of any MCP server. Import the parts: the server is started before anything slow is loaded.

``upstreams.process.start_server`` starts the server's process, ``front.stdio.serve_stdio`` carries messages between it
and our own stdin and stdout, ``conversation.Conversation`` decides which of them are parsed.
"""
