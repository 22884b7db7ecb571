"""The failures of the pipeline that have a name: the state machine catches each by its class."""


class NoPhotoError(Exception):
    """There is no such photo in the bucket, or no such bucket."""


class UnreadablePhotoError(Exception):
    """The bytes are not a readable photo."""


class UnknownSlideError(Exception):
    """The table has no data of the slide that the photo shows."""


class SettingError(Exception):
    """A function is deployed without an environment variable that it needs."""


class ModelError(Exception):
    """The model file is not one that this version can use."""
