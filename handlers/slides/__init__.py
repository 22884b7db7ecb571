"""The example pipeline: a photo of a talk's slide becomes a page on the talk's site. One handler a module."""
