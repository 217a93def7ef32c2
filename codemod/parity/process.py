"""Child processes: one for each side, fed with jobs, ended when a job takes too long, started again after a crash."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

_SCRIPT = Path(__file__).parent / "child" / "bootstrap.py"
_ALLOWED = frozenset(
    (
        "PATH",
        "LANG",
        "LANGUAGE",
        "LC_ALL",
        "LC_CTYPE",
        "TZ",
        "TMPDIR",
        "TEMP",
        "TMP",
        "SYSTEMROOT",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "PYTHONPATH",
        "CUDA_HOME",
        "CUDA_VISIBLE_DEVICES",
        "TPU_NAME",
        "TPU_LIBRARY_PATH",
        "XLA_PYTHON_CLIENT_PREALLOCATE",
        "XLA_PYTHON_CLIENT_MEM_FRACTION",
    )
)
_ROOM = 2 << 30  # bytes: JAX keeps what it compiled, so that a process which has more begins anew
_DEVICES = "--xla_force_host_platform_device_count"


@dataclass(frozen=True)
class Settings:
    """How child processes are run.

    `python` is the interpreter; `timeout` seconds for a job; `memory` bytes for the process, None for no limit;
    `device` a platform of JAX, "" for its own choice; `devices` the number of virtual CPU devices, 0 for JAX's own.
    """

    python: str = sys.executable
    timeout: float = 120.0
    memory: int | None = 8 << 30
    device: str = "cpu"
    devices: int = 0
    x64: bool = False
    cache: str = ""  # a folder for compiled functions, which processes share


def environment(settings: Settings, home: str) -> dict[str, str]:
    """The variables of a child process: of our own only those that say where things are, no secrets."""
    kept = {name: value for name, value in os.environ.items() if name in _ALLOWED}
    kept |= {
        "HOME": home,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    kept.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if settings.device:
        kept["JAX_PLATFORMS"] = settings.device
    flags = [f"{_DEVICES}={settings.devices}"] if settings.devices else []
    if flags:
        kept["XLA_FLAGS"] = " ".join(flags)
    if settings.cache:
        kept |= {
            "JAX_COMPILATION_CACHE_DIR": settings.cache,
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
    return kept


@dataclass
class Child:
    """One side's process. It is started when it is first needed and again after it ended; jobs come one at a time."""

    settings: Settings
    folder: Path  # where jobs run
    home: str = tempfile.gettempdir()  # where what user code keeps for its user goes
    _process: subprocess.Popen[str] | None = None
    _answers: queue.Queue[str | None] = field(default_factory=queue.Queue)
    _errors: IO[bytes] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    starts: int = 0

    def ask(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a job. A process that dies or does not end in time is an answer, with status "failed"."""
        with self._lock:
            try:
                process = self._running()
            except OSError as error:
                return _failed(f"{self.settings.python} cannot be run: {error.strerror}")
            assert process.stdin is not None
            try:
                process.stdin.write(json.dumps(job) + "\n")
                process.stdin.flush()
                line = self._answers.get(timeout=self.settings.timeout)
            except queue.Empty:
                self._end()
                return _failed(f"no end after {self.settings.timeout:g} s")
            except BrokenPipeError:
                line = None
            if line is None:
                return _failed(self._last_words())
            answer: dict[str, Any] = json.loads(line)
            if answer.pop("used", 0) > _ROOM:
                self._end()
            return answer

    def close(self) -> None:
        """Ends the process."""
        with self._lock:
            self._end()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._start()
        assert self._process is not None
        return self._process

    def _start(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        self._process = subprocess.Popen(
            [self.settings.python, str(_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=self.folder,
            env=environment(self.settings, self.home),
            start_new_session=True,
        )
        self.starts += 1
        self._answers = queue.Queue()
        threading.Thread(target=_read, args=(self._process, self._answers), daemon=True).start()
        assert self._process.stdin is not None
        settings = {"memory": self.settings.memory, "x64": self.settings.x64}
        self._process.stdin.write(json.dumps(settings) + "\n")

    def _last_words(self) -> str:
        """Why the process ended by itself."""
        assert self._process is not None
        code = self._process.wait()
        said = self._said()
        self._end()
        if code < 0:
            return f"the process was ended by {signal.Signals(-code).name}{said}"
        return f"the process ended with status {code}{said}"

    def _said(self) -> str:
        if self._errors is None:
            return ""
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - 4000))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1][:200]}" if lines else ""

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            if process.poll() is None:
                kill(process)
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    try:
                        stream.close()
                    except OSError:
                        continue
        if self._errors is not None:
            self._errors.close()
            self._errors = None


def kill(process: subprocess.Popen[str]) -> None:
    """Ends a process and what it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (AttributeError, OSError):
        process.kill()
    process.wait()


def _read(process: subprocess.Popen[str], answers: queue.Queue[str | None]) -> None:
    """Passes lines on as they come; None at the end."""
    assert process.stdout is not None
    try:
        for line in process.stdout:
            answers.put(line)
    except ValueError:  # closed while it was read
        pass
    answers.put(None)


def _failed(error: str) -> dict[str, Any]:
    return {"status": "failed", "stage": "process", "error": error}
