"""The drill: breaks a pipeline in every way, for real, and sees which monitor notices, and when.

Nothing is imported here: the handlers of the drilled pipeline are modules of this package, and their cold
starts are part of what is measured.
"""
