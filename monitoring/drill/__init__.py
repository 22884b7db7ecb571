"""The drill: inject faults into a pipeline, and report which monitor detects each fault, and when.

Nothing is imported here: the handlers of the drilled pipeline are modules of this package, and an import
would make their cold starts longer.
"""
