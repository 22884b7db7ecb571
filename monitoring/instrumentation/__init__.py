"""All that runs in a Lambda function besides the surface: the layer is made of this package."""
