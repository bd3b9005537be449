# SPDX-License-Identifier: BSD-2-Clause
"""Workers: processes of this machine, or those of a Dask cluster that is there already."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from erbium.sw_model.temporary import temporary_folder
from erbium.sweep import SweepError
from erbium.sweep.point import FORMAT
from erbium.sweep.tasks import greet

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

CONNECT_SECONDS = 20.0
"""How long a scheduler may take to answer, and to have a worker."""

_TALKERS = ("distributed", "tornado", "asyncio")  # loggers


@contextlib.contextmanager
def workers(scheduler: str | None, jobs: int) -> Iterator[Client]:
    """Have workers, and a client to give them work.

    Parameters
    ----------
    scheduler : str or None
        Address of a Dask scheduler, such as ``tcp://node1:8786``; None for processes of this machine.
    jobs : int
        So many of these, which do one thing at a time.

    Raises
    ------
    SweepError
        If nobody answers at the address, or its workers have no Erbium like this one.
    """
    import dask

    quiet = {
        "distributed.comm.timeouts.connect": CONNECT_SECONDS,
        "distributed.admin.large-graph-warning-threshold": "1GB",  # weights of a large network are no mistake
    }
    with dask.config.set(quiet), _silence():
        if scheduler is None:
            with _local(jobs) as client:
                yield client
        else:
            with _remote(scheduler) as client:
                yield client


@contextlib.contextmanager
def _local(jobs: int) -> Iterator[Client]:
    from distributed import Client, LocalCluster

    with temporary_folder(Path(tempfile.gettempdir()), "erbium-sweep-") as scratch, _deaf():
        cluster = LocalCluster(
            n_workers=jobs,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",  # any port: the usual one may be taken
            memory_limit=0,  # what is too much, the system says
            silence_logs=logging.CRITICAL,
            local_directory=str(scratch),
        )
        with cluster, Client(cluster, set_as_default=False) as client:
            try:
                with _hearing():
                    yield client
            except KeyboardInterrupt:
                _kill(cluster)
                raise


def _kill(cluster: LocalCluster) -> None:
    """End the workers without waiting for what they are at."""
    for nanny in cluster.workers.values():
        nanny.auto_restart = False
        with contextlib.suppress(ProcessLookupError, TypeError):  # it has ended, it has not begun
            os.kill(nanny.pid, signal.SIGKILL)


@contextlib.contextmanager
def _remote(scheduler: str) -> Iterator[Client]:
    from distributed import Client

    try:
        _knock(scheduler)
        client = Client(scheduler, set_as_default=False, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TimeoutError) as error:
        raise SweepError(
            f"no Dask scheduler answers at {scheduler!r} ({' '.join(str(error).split())}); start one with 'dask "
            "scheduler' and give its address as tcp://HOST:8786"
        ) from None
    with client:
        _check(client, scheduler)
        yield client


def _knock(scheduler: str) -> None:
    """Raise ``OSError`` or ``ValueError`` at once where Dask would try for long."""
    address = urlsplit(scheduler)
    if address.scheme not in ("tcp", "tls"):
        raise ValueError("it begins with neither tcp:// nor tls://")
    if address.hostname is None or address.port is None:
        raise ValueError("host or port are missing")
    socket.create_connection((address.hostname, address.port), timeout=CONNECT_SECONDS).close()


def _check(client: Client, scheduler: str) -> None:
    """Find out before the work whether the workers can do it."""
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError:
        raise SweepError(
            f"the scheduler at {scheduler} has no workers; start some with 'dask worker {scheduler}' where Erbium "
            "is installed"
        ) from None
    try:
        answers = client.run(greet)
    except Exception as error:
        raise SweepError(
            f"a worker of {scheduler} cannot run Erbium ({type(error).__name__}: {' '.join(str(error).split())}); "
            "install this version with its extra 'sweep' there"
        ) from None
    for kind, where in answers.values():
        if kind != FORMAT:
            raise SweepError(
                f"the worker at {where} has another version of Erbium; install the same one everywhere"
            )


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Let Dask say nothing: what a user has to know of its workers, the sweep says."""
    import distributed.client  # which gives its loggers levels of their own

    assert distributed.client
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in _TALKERS]
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Start processes and threads that hear no Ctrl-C, which reaches all of a terminal: this thread decides.

    Dask starts workers from threads of its own, also in place of those that died; they inherit the mask.
    """
    # The first process starts this helper of Python's, which would let the signal through again.
    resource_tracker.ensure_running()
    with _masked(signal.SIG_BLOCK):
        yield


@contextlib.contextmanager
def _hearing() -> Iterator[None]:
    with _masked(signal.SIG_UNBLOCK):
        yield


@contextlib.contextmanager
def _masked(how: int) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.pthread_sigmask(how, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
