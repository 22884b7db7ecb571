"""Advice: how much each step should do, from what many executions did."""
