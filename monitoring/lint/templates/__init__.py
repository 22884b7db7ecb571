"""Templates: an application's stacks as the rules see them, with the place of every part in its file."""
