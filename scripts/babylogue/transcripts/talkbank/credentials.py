"""The user's TalkBank login, from the environment or ~/.netrc; nothing here ever puts it into a message."""

import netrc
import os
from dataclasses import dataclass, field

from ...errors import UserError

_VARIABLES = ("TALKBANK_EMAIL", "TALKBANK_PASSWORD")


@dataclass(frozen=True)
class Credentials:
    """A login, which prints without its values."""

    email: str = field(repr=False)
    password: str = field(repr=False)
    origin: str
    """Where it was found, for messages."""


def find_credentials(host: str) -> Credentials:
    """The login from TALKBANK_EMAIL and TALKBANK_PASSWORD, or else from the line of ~/.netrc for `host`.

    Raises:
        UserError: there is none, only half of one, or ~/.netrc cannot be read.
    """
    email, password = (os.environ.get(variable, "") for variable in _VARIABLES)
    if email and password:
        return Credentials(email, password, " and ".join(_VARIABLES))
    if email or password:
        given, missing = _VARIABLES if email else reversed(_VARIABLES)
        raise UserError(f"{given} is set and {missing} is not: set both")
    return _from_netrc(host)


def _from_netrc(host: str) -> Credentials:
    try:
        hosts = netrc.netrc().hosts  # without a file name it also refuses a file that others can read
    except FileNotFoundError:
        hosts = {}
    except netrc.NetrcParseError as error:
        # Its text may hold the password: a misplaced word is quoted.
        where = "" if error.lineno is None else f", line {error.lineno}"
        raise UserError(
            f"~/.netrc{where}: not in the form `machine {host} login E-MAIL password PASSWORD`, "
            "or readable by others (chmod 600 ~/.netrc)"
        ) from None
    except (OSError, UnicodeError) as error:
        raise UserError(f"~/.netrc cannot be read ({type(error).__name__}): mend it or set {_both()}") from None
    email, _, password = hosts.get(host, ("", "", ""))
    if not (email and password):
        raise UserError(
            f"no login for TalkBank: make a free account at https://talkbank.org, then set {_both()}, "
            f"or write the line `machine {host} login E-MAIL password PASSWORD` into ~/.netrc"
        )
    return Credentials(email, password, f"the line for {host} in ~/.netrc")


def _both() -> str:
    return " and ".join(_VARIABLES)
