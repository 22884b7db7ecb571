"""Evaluate monitors over time: states, evidence and notifications, without network or clock."""
