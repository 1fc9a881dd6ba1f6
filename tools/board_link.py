"""The line to a MicroPython board, over mpremote: open it, run scripts, restart it, read its log.

A port is any device string that mpremote knows: a0, u0, c0, auto, id:<serial number>,
/dev/ttyUSB0, COM3, socket://host:port, rfc2217://host:port. Each way to fail is an exception of
its own whose text is a sentence for the person at the keyboard; `exit_code` is what the tools end
with.
"""

import argparse
import contextlib
import errno
import io
import re
import struct
import time

import serial
from mpremote import commands
from mpremote.transport import TransportError, TransportExecError

# A board that opening the port has just reset takes a second or two until its REPL listens.
_REPL_ATTEMPTS = 3
_REPL_WAIT_S = 3
_ANSWER_WAIT_S = 10
_REOPEN_WAIT_S = 10
_RAW_REPL = b"raw REPL; CTRL-B to exit\r\n"
_CAN_RESET = """
try:
    import machine
    print(hasattr(machine, "reset"))
except ImportError:
    print(False)
"""


class BoardProblem(Exception):
    """Base of everything that can go wrong with a board; the text says what to do."""

    exit_code = 1


class PortMissing(BoardProblem):
    exit_code = 3


class PortBusy(BoardProblem):
    exit_code = 4


class PortForbidden(BoardProblem):
    exit_code = 4


class NoAnswer(BoardProblem):
    exit_code = 5


class LinkLost(BoardProblem):
    exit_code = 9


class ScriptFailed(BoardProblem):
    """A script raised on the board; `.error` is the last line of its traceback."""

    exit_code = 10

    def __init__(self, error):
        super().__init__("The board reports: " + error)
        self.error = error


def full_name(port):
    """The device behind mpremote's short forms a0, u0, c0 (other strings come back unchanged)."""
    match = re.fullmatch(r"([auc])(\d+)", port)
    if not match:
        return port
    return {"a": "/dev/ttyACM", "u": "/dev/ttyUSB", "c": "COM"}[match[1]] + match[2]


def _why_closed(port, error):
    """The fitting exception for a port that mpremote could not open."""
    if port == "auto" or port.startswith("id:"):
        return PortMissing(
            "No board found on USB (%s). Is it plugged in with a cable that carries data?" % error
        )
    try:
        serial.serial_for_url(port.removeprefix("port:"), exclusive=True).close()
    except ValueError as why:
        return PortMissing("%s is not a port: %s." % (port, why))
    except OSError as why:
        if "://" in port:
            return PortMissing("Nothing listens at %s (%s)." % (port, why))
        number = why.errno
        if number in (errno.EACCES, errno.EPERM):
            return PortForbidden(
                "No permission to open %s: add your user to the group that owns it (on most "
                "systems `sudo usermod -aG dialout $USER`) and log in again." % port
            )
        if number in (errno.EBUSY, errno.EAGAIN) or "lock" in str(why):
            return _busy(port)
        return PortMissing(
            "There is no port %s. Plug the board in, then look with `mpremote connect list`."
            % port
        )
    return _busy(port)


def _busy(port):
    return PortBusy(
        "%s is in use by another program: close the terminal or monitor that is open on it." % port
    )


class Board:
    """An open line. Use as a context manager; the board keeps running when the line closes."""

    def __init__(self, port):
        """Opens the port. PortMissing, PortBusy, PortForbidden."""
        self.port = full_name(port)
        self._open()

    def _open(self):
        state = argparse.Namespace(transport=None)
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                commands.do_connect(state, argparse.Namespace(device=[self.port]))
            except (commands.CommandError, OSError, ValueError) as error:
                raise _why_closed(self.port, error) from None
        self._transport = state.transport
        # Without it a board that dies between two bytes would be waited for for ever.
        self._transport.serial.timeout = _ANSWER_WAIT_S

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._transport.close()

    def interrupt(self):
        """Stops what runs there and starts afresh at the raw REPL, boot.py done. NoAnswer."""
        line = self._transport.serial
        line.timeout = 0.1
        try:
            for _ in range(_REPL_ATTEMPTS):
                line.write(b"\r\x03\r\x01")  # Ctrl-C ends the program, Ctrl-A: raw REPL
                if not self._hears(_RAW_REPL + b">"):
                    continue
                line.write(b"\x04")  # Ctrl-D: MicroPython starts again, without main.py
                if self._hears(b"soft reboot\r\n") and self._hears(_RAW_REPL):
                    self._transport.in_raw_repl = True
                    return
        except OSError as error:
            raise self._lost(error) from None
        finally:
            line.timeout = _ANSWER_WAIT_S
        raise NoAnswer(
            "No MicroPython answers at %s. Is this the right port, and is MicroPython on the "
            "board (make flash)? If its firmware is stuck, press its reset button and try again."
            % self.port
        )

    def _hears(self, ending):
        """Reads until these bytes came, in time. (mpremote's own wait has no end if a device
        never stops to talk.)"""
        deadline = time.monotonic() + _REPL_WAIT_S
        heard = b""
        while heard != ending:
            if time.monotonic() > deadline:
                return False
            heard = (heard + self._transport.serial.read(1))[-len(ending) :]
        return True

    def _lost(self, error):
        return LinkLost("The connection to the board at %s was lost (%s)." % (self.port, error))

    def run(self, script):
        """Runs a script there and returns what it printed. ScriptFailed, LinkLost."""
        try:
            return self._transport.exec(script).decode("utf-8", "replace")
        except TransportExecError as error:
            lines = error.error_output.strip().splitlines()
            raise ScriptFailed(lines[-1] if lines else "no reason given") from None
        except (TransportError, OSError, struct.error) as error:
            raise self._lost(error) from None

    def restart(self):
        """Resets the chip (or, where that is missing, MicroPython): main.py starts. LinkLost."""
        can_reset = "True" in self.run(_CAN_RESET)
        try:
            if can_reset:
                self._transport.exec_raw_no_follow("machine.reset()")
            else:
                self._transport.serial.write(b"\r\x02\x04")
        except (TransportError, OSError, struct.error) as error:
            raise self._lost(error) from None

    def log_lines(self, end):
        """Yields the lines that the board prints until end(), a time.monotonic()."""
        text = b""
        while time.monotonic() < end():
            try:
                waiting = self._transport.serial.in_waiting
                got = self._transport.serial.read(waiting) if waiting else b""
            except OSError:  # a chip's own USB port goes away with the chip
                self._reopen()
                continue
            if not got:
                time.sleep(0.02)
            text += got
            *lines, text = text.split(b"\n")
            for line in lines:
                yield line.decode("utf-8", "replace").rstrip("\r")
        if text.strip():
            yield text.decode("utf-8", "replace").strip()

    def _reopen(self):
        self.__exit__()
        end = time.monotonic() + _REOPEN_WAIT_S
        while True:
            try:
                return self._open()
            except BoardProblem as error:
                if time.monotonic() > end:
                    raise self._lost(error) from None
            time.sleep(0.2)
