"""The errors that a user can mend: what is wrong, where, and what to do next."""


class InputError(Exception):
    """Something the user gave cannot be used; the command ends with status 2.

    Args:
        message: what is wrong, in one sentence.
        where: the place, as people write it (`monitors/failed.json:12:5`), where there is one.
        hint: the next step: the flag, key or file to change.
    """

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.message}" + (f"\n  {self.hint}" if self.hint else "")
