"""Executes a notebook, prints what its cells write as it comes, and saves the notebook however it ends.

python run.py PREPARED EXECUTED DIRECTORY SECONDS; exits with 0, with 1 if a cell fails, with 97 if a package is missing.
"""

import asyncio
import os
import signal
import sys
import tempfile

try:
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    import ipykernel  # noqa: F401 - the kernel is started by name, so that this import alone tells that it is there.
except ImportError as error:
    print(
        "a notebook is executed by the packages `nbclient` and `ipykernel`, and `%s` is not installed: "
        "add them to the environment of the repository" % error.name,
        file=sys.stderr,
    )
    sys.exit(97)


class Stopped(BaseException):
    pass


def stop(number, _):
    raise Stopped("the time is up" if number == signal.SIGALRM else "it was asked to stop")


class Client(NotebookClient):
    running = None

    async def async_execute_cell(self, cell, cell_index, *args, **kwargs):
        if self.running is None:
            # nbclient puts a handler of its own there, which ends the kernel and then stumbles over that.
            asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
            signal.signal(signal.SIGTERM, stop)
        self.running = cell_index
        return await super().async_execute_cell(cell, cell_index, *args, **kwargs)

    def output(self, outs, msg, display_id, cell_index):
        content = msg["content"]
        if msg["msg_type"] == "stream":
            say(content["text"])
        elif msg["msg_type"] in ("display_data", "execute_result"):
            say(content["data"].get("text/plain", "") + "\n")
        elif msg["msg_type"] == "error":
            say("\n".join(content["traceback"]) + "\n")
        return super().output(outs, msg, display_id, cell_index)


def say(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def main(prepared, executed, directory, seconds):
    # Whatever a cell writes can be printed, whatever the locale.
    sys.stdout.reconfigure(errors="backslashreplace")
    notebook = nbformat.read(prepared, as_version=4)
    client = Client(
        notebook,
        timeout=None,
        # The environment's own interpreter, whatever the kernel was called where the notebook was written.
        kernel_name="python3",
        resources={"metadata": {"path": directory}},
    )
    why = None
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    # Sockets in a folder that nobody else may enter, instead of ports that every process on the machine can reach.
    with tempfile.TemporaryDirectory(prefix="nb") as runtime:
        os.environ["JUPYTER_RUNTIME_DIR"] = runtime
        client.create_kernel_manager()
        socket = os.path.join(runtime, "kernel")
        # The path of a socket has at most 107 bytes, and a number is added to this one.
        if len(os.fsencode(socket)) < 100:
            client.km.transport, client.km.ip = "ipc", socket
        try:
            client.execute()
        except CellExecutionError:
            why = "failed"
        except (Exception, Stopped) as error:
            why = str(error) or type(error).__name__
            say("%s\n" % why)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if client.km is not None and client.km.has_kernel:
                stopping = client.km.shutdown_kernel(now=True)
                if hasattr(stopping, "__await__"):
                    asyncio.run(stopping)
    if why is not None:
        notebook.metadata["mlops"] = {"failed": {"cell": client.running, "why": why}}
    with open(executed, "w", encoding="utf-8") as file:
        nbformat.write(notebook, file)
    return 0 if why is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])))
