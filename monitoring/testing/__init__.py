"""Tests of monitors: files beside the monitors say what was submitted, and what the monitor has to do."""
