"""What a model is told about references before it calls anything."""

INSTRUCTIONS = (
    "Large tool results are kept outside the conversation: you see a preview and a reference such as @obj_001. "
    "Give a reference, or a path into it such as @obj_001.items[3].name, as any argument of any tool, in place of the "
    "value. Look closer with the object_store tools. Write @@obj_001 for the literal text @obj_001."
)


def with_instructions(original: str | None) -> str:
    """Add what a model should know about references to a server's own instructions."""
    return f"{original}\n\n{INSTRUCTIONS}" if original else INSTRUCTIONS
