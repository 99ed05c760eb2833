"""The one exception that carries a message for the person at the keyboard."""


class UserError(Exception):
    """Something that the user can mend: one line that names the file, key or item and says what to do.

    Scripts print it without a stack trace; any other exception is a defect of ours and shows its trace.
    """
