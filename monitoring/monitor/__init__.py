"""Monitors over time: states, evidence and notifications, without a network and without a clock."""
