# SPDX-License-Identifier: BSD-2-Clause
"""The command line. A mistake of the user is one sentence and exit code 2; a traceback is a bug."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import sys
from types import FrameType

import click

from erbium.sw_model.distribution import DISTRIBUTION

COMMANDS = {
    # name: module and attribute; loaded when needed, so that `erbium --help` is quick
    "demo": ("erbium.commands.demo", "demo"),
    "train": ("erbium.commands.train", "train"),
    "eval": ("erbium.commands.eval", "evaluate"),
    "wave": ("erbium.commands.wave", "wave"),
    "sweep": ("erbium.commands.sweep", "sweep"),
    "run": ("erbium.commands.run", "run"),
    "simulate": ("erbium.commands.run", "simulate"),
    "page": ("erbium.commands.page", "page"),
    "gallery": ("erbium.commands.gallery", "gallery"),
    "beside": ("erbium.commands.beside", "beside"),
    "presets": ("erbium.commands.show", "presets"),
    "show": ("erbium.commands.show", "show"),
    "verilog": ("erbium.commands.export", "verilog"),
    "export": ("erbium.commands.export", "export"),
    "nir": ("erbium.commands.nir", "nir"),
    "neurobench": ("erbium.commands.neurobench", "neurobench"),
    "verify": ("erbium.commands.verify", "verify"),
    "boards": ("erbium.commands.boards", "boards"),
    "plan": ("erbium.commands.boards", "plan"),
    "build": ("erbium.commands.boards", "build"),
    "flash": ("erbium.commands.boards", "flash"),
    "bench": ("erbium.commands.tools", "bench"),
    "doctor": ("erbium.commands.tools", "doctor"),
    "version": ("erbium.commands.tools", "version"),
}

TRACEBACK_VARIABLE = "ERBIUM_TRACEBACK"

USER_ERROR, BUG = 2, 70
"""Exit codes: something to mend in the call or around it; something to mend in Erbium."""


class _Commands(click.Group):
    """The commands, in the order of :data:`COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Begin with 'erbium demo'; 'erbium doctor' shows whether everything is there that it needs.",
)
@click.version_option(package_name=DISTRIBUTION, message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Erbium: a spiking neuron and synapse array that learns on the chip."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    _print_log()
    # Like Ctrl-C, so that whatever is under way can clean up.
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = cli.main(arguments, prog_name="erbium", standalone_mode=False)
    except BaseException as error:
        if os.environ.get(TRACEBACK_VARIABLE) and not isinstance(error, SystemExit):
            raise
        sys.exit(_explain(error))
    sys.exit(code if isinstance(code, int) else 0)


class _Stderr(logging.Handler):
    """Prints what is logged: a sentence and nothing around it, on what is stderr at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(record.getMessage(), err=True)


def _print_log() -> None:
    """Print what Erbium logs: what takes long, and what it does in place of what it could not do."""
    log = logging.getLogger("erbium")
    log.setLevel(logging.INFO)
    if not any(isinstance(handler, _Stderr) for handler in log.handlers):
        log.addHandler(_Stderr())


def _terminate(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _explain(error: BaseException) -> int:
    """Say on stderr what went wrong, in one sentence, and return the exit code."""
    from erbium.interrupt import StoppedError

    match error:
        case SystemExit(code=code):
            return code if isinstance(code, int) else int(code is not None)
        case StoppedError():
            click.echo(f"\n{error}", err=True)
            return error.exit_code
        case KeyboardInterrupt() | click.Abort():
            click.echo("\nStopped at once.", err=True)
            return 128 + signal.SIGINT
        case BrokenPipeError():
            # Whoever read the output has seen enough. Python would complain about it once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 128 + signal.SIGPIPE
    if is_expected(error):
        click.echo(f"erbium: {_sentence(error)}", err=True)
        return USER_ERROR
    click.echo(
        f"erbium: this is a bug in Erbium ({type(error).__name__}: {_line(str(error))}); repeat it with "
        f"{TRACEBACK_VARIABLE}=1 and report what it prints",
        err=True,
    )
    return BUG


def is_expected(error: BaseException) -> bool:
    """Whether the error is the user's or the machine's, and its text made for them."""
    from erbium.checkpoint import CheckpointError
    from erbium.chip import ChipError
    from erbium.fpga.transport import LinkError
    from erbium.gen.core_chip import CoreError
    from erbium.gen.files import OutputError
    from erbium.sw_model.datasets import DatasetError
    from erbium.sw_model.programs import DescriptionError
    from erbium.sweep import SweepError
    from erbium.verif.simulators import ToolError

    return isinstance(
        error,
        (
            click.ClickException,
            DescriptionError,
            DatasetError,
            CheckpointError,
            ChipError,
            ToolError,
            LinkError,
            CoreError,
            OutputError,
            SweepError,
            OSError,
        ),
    )


def _sentence(error: BaseException) -> str:
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{_line(error.format_message()).rstrip('.')}; see '{error.ctx.command_path} --help'"
    if isinstance(error, click.ClickException):
        return _line(error.format_message())
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        what = error.strerror[0].lower() + error.strerror[1:]
        return f"{where}{what}; check the name, the permissions and the space left"
    return _line(str(error))


def _line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    main()
