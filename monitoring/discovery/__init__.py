"""Discovery: read functions, state machines and other resources from a team's templates."""
