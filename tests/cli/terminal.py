"""Runs a command on a terminal of its own, and types what it is told to; a program, so that nothing here has to fork.

Standard input: `{"command": [...], "columns": 80, "env": {...}, "answers": [[what to wait for, what to type], ...],
"patience": seconds until the command is killed}`.
Standard output: `{"code": ..., "shown": ...}`.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time


def main() -> None:
    asked = json.load(sys.stdin)
    pid, terminal = pty.fork()
    if pid == 0:
        # A shell that starts the tests in the background lets them ignore Ctrl-C, and a child would inherit that.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, asked["columns"], 0, 0))
        os.execve(asked["command"][0], asked["command"], asked["env"])
    deadline = time.monotonic() + asked["patience"]
    answers, shown, seen = list(asked["answers"]), b"", 0
    while time.monotonic() < deadline:
        if answers and answers[0][0].encode() in shown[seen:]:
            seen = len(shown)
            os.write(terminal, answers.pop(0)[1].encode())
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            some = os.read(terminal, 65536)
        except OSError:
            break
        if not some:
            break
        shown += some
    else:
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    json.dump({"code": code, "shown": shown.decode("utf-8", "replace")}, sys.stdout)


if __name__ == "__main__":
    main()
