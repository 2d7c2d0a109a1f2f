"""A wrapped server over HTTP for many clients: ``application.make_application``.

Clients of the 2025 revisions get a session each, with an upstream of its own; requests of 2026-07-28, which know no
session, share one upstream.
"""
