"""Doctor: walks the way of a printed line through an account, and says at which step it ends."""
