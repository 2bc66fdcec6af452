"""What a hostile command of a pull request tries, run as one; what it reached stands in `reached.json` of the workspace.

With `keep` it puts a folder of its own in the place of the one from which the runner reads, and leaves it there.
`check.py` holds that against what must hold. It runs in the container alone and attacks nothing but that.
"""

import ctypes
import json
import os
import pathlib
import socket
import subprocess
import sys

reached = {}


def attempt(name, action):
    """Notes what an attack brought: `denied`, or what it got."""
    try:
        reached[name] = action() or "done"
    except (OSError, PermissionError) as error:
        reached[name] = f"denied: {error.__class__.__name__}"


def secrets_of(path):
    with open(path, "rb") as file:
        return "secret" if b"planted-secret" in file.read(1 << 20) else "nothing in it"


def environs():
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.append(secrets_of(entry / "environ"))
            except OSError:
                pass
    return "secret" if "secret" in found else "nothing in it"


def docker_socket():
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("/var/run/docker.sock")
        connection.sendall(b"GET /containers/json HTTP/1.0\r\n\r\n")
        return connection.recv(64).decode(errors="replace")


def become_root():
    said = subprocess.run(["su", "-c", "id -u"], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=10)
    return "root" if said.stdout.strip() == "0" else "denied: su"


COMMANDS = "/github/file_commands"


def forge_files():
    """All of them, and what is no ordinary file any more in the place of some."""
    for name, text in [("set_output_1", "verdict=forged"), ("set_env_1", "FORGED=1"), ("add_path_1", "/forged"), ("save_state_1", "forged=1")]:
        write(f"{COMMANDS}/{name}", f"{text}\n")
    os.link(f"{COMMANDS}/set_output_1", f"{COMMANDS}/second_name")
    os.unlink(f"{COMMANDS}/add_path_1")
    os.symlink("/etc/passwd", f"{COMMANDS}/add_path_1")
    os.unlink(f"{COMMANDS}/step_summary_1")
    os.mkfifo(f"{COMMANDS}/step_summary_1")


def move_away():
    there, away = "/github/runner_temp/_runner_file_commands", "/github/runner_temp/away"
    os.rename(there, away)
    if "keep" not in sys.argv:
        os.rename(away, there)
        return
    os.mkdir(there)
    for name in os.listdir(away):
        write(f"{there}/{name}", "")
    write(f"{there}/set_output_1", "verdict=forged\npassed=true\n")


def write(path, text="forged\n", mode="a"):
    with open(path, mode) as file:
        file.write(text)


def landlock():
    """Its version in this kernel, 0 where it is missing or its calls are refused."""
    return max(0, ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1))


reached["landlock"] = landlock()
parent = os.getppid()
attempt("own environment", lambda: "secret" if "planted-secret" in repr(dict(os.environ)) else "nothing in it")
attempt("own status", lambda: pathlib.Path("/proc/self/status").read_text())
attempt("environ of 1", lambda: secrets_of("/proc/1/environ"))
attempt("memory of 1", lambda: open("/proc/1/mem", "rb").close())
attempt("output of 1", lambda: write("/proc/1/fd/1", "::set-output name=verdict::forged\n"))
attempt("environ of the parent", lambda: secrets_of(f"/proc/{parent}/environ"))
attempt("environ of everybody", environs)
attempt("docker", docker_socket)
attempt("kill 1", lambda: os.kill(1, 9))
attempt("become root", become_root)
attempt("write /usr", lambda: write("/usr/local/bin/mlops"))
attempt("write /etc", lambda: write("/etc/passwd"))
attempt("write /var", lambda: write("/var/tmp/../forged"))
attempt("list the file commands", lambda: " ".join(sorted(os.listdir(COMMANDS))))
attempt("read the event", lambda: secrets_of("/github/workflow/event.json"))
attempt("forge the files", forge_files)
attempt("move the file commands away", move_away)
attempt("home of the job", lambda: write("/github/home/.bashrc"))
attempt("own home", lambda: write(os.path.expanduser("~/mine")))
reached["where home is"] = os.path.expanduser("~")

with open("reached.json", "w") as file:
    json.dump(reached, file, indent=2)

# What only the log sees: each must come out without power.
for line in [
    "::set-output name=verdict::forged",
    "   ::add-mask::e",
    "::stop-commands::forever-and-ever",
    "some text ##[set-output name=verdict;]forged",
    "##[add-mask]e",
    "\033[31mred\033[0m \033]0;title\007 \033[2J",
    "first\r::error::hidden behind a return",
    "\u200b::warning::hidden behind nothing",
]:
    print(line, flush=True)
    print(line, file=sys.stderr, flush=True)
block = b"x" * (1 << 20)
for _ in range(100):
    sys.stdout.buffer.write(block)
sys.stdout.flush()
