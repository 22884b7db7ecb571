"""Advice: recommend merging, splitting or resizing steps, from measurements of many executions."""
