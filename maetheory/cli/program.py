"""The command-line application, its exit codes and its error messages."""

from __future__ import annotations

import io
import re
import shlex
import sys
from typing import Annotated, Any

import typer

from maetheory import __version__
from maetheory.cli.number_ranges import with_checked_ranges
from maetheory.cli.terminal import ResumableInterrupt, deferred_warnings, discard_output, print_line
from maetheory.core import InputError, printable_sentence

_OUT_OF_MEMORY = re.compile(r"allocate memory|out of memory|failed to map segment(?!.*not permitted)", re.IGNORECASE)
_OUT_OF_FILES = re.compile(r"too many open files", re.IGNORECASE)
_OUT_OF_THREADS = re.compile(r"can't start new thread|resource temporarily unavailable", re.IGNORECASE)
UsageError: Any = typer.BadParameter.__mro__[1]  # click's class; some versions of typer have a click of their own
DONE, VIOLATED, BAD_INPUT, GATE_FAILED, INTERNAL_ERROR, INTERRUPTED = 0, 1, 2, 3, 70, 130

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A theory-verification toolkit for masked autoencoders.",
)


def main() -> None:
    """Run the command line and exit.

    0: done, 1: VIOLATED, 2: bad input, 3: a condition of --fail-if is met, 70: internal error, 130: interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # the encoding of a terminal may lack a letter of a help text
            stream.reconfigure(errors="backslashreplace")
    try:
        code = run_command(sys.argv[1:])
    finally:
        _destroy_process_group()
    sys.exit(code)


def _destroy_process_group() -> None:
    """End the threads of torch.distributed, which now and then abort a process that exits while they run."""
    distributed = sys.modules.get("torch.distributed")  # which a command that needs no torch has not imported
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def run_command(arguments: list[str]) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    arguments : list of str
        Command and options, without the name of the program.
    """
    streams = (sys.stdout, sys.stderr)
    try:
        with deferred_warnings():
            code = with_checked_ranges(typer.main.get_command(app))(arguments, standalone_mode=False)
        if code == INTERRUPTED:  # typer returns it after it caught Ctrl-C
            return _print_error("interrupted", INTERRUPTED)
        return code if isinstance(code, int) else DONE
    except (InputError, UsageError) as error:
        return _print_error(error.format_message() if isinstance(error, UsageError) else str(error), BAD_INPUT)
    except SystemExit:  # typer's answer to a closed pipe is 1, which would mean VIOLATED
        sys.stdout, sys.stderr = streams
        for stream in filter(None, streams):
            discard_output(stream)
        return DONE
    except OSError as error:
        lacking = "" if error.filename else _lacking_resource(error)  # as of a process that may not be started
        return _print_error(
            lacking or f"{error.filename or 'a file'} cannot be used: {error.strerror or error}", BAD_INPUT
        )
    except ResumableInterrupt as error:
        return _print_error(f"{error} with: {_resume_command(arguments)}" if str(error) else "interrupted", INTERRUPTED)
    except (KeyboardInterrupt, typer.Abort):
        return _print_error("interrupted", INTERRUPTED)
    except Exception as error:
        if isinstance(error, UnicodeEncodeError) and _has_undecodable_byte(error.object):  # a path, as of TensorBoard
            sentence = f"{error.object} is not valid UTF-8, as a library that is given this name needs; choose another"
            return _print_error(sentence, BAD_INPUT)
        if lacking := _lacking_resource(error):
            return _print_error(lacking, BAD_INPUT)
        if isinstance(error, ModuleNotFoundError) and (error.name or __package__).partition(".")[0] != "maetheory":
            return _print_error(f"this command needs {error.name}, which is not installed", BAD_INPUT)
        import traceback

        print_line(traceback.format_exc().rstrip("\n"), sys.stderr)
        return _print_error(f"this is our fault, please report it: {type(error).__name__}: {error}", INTERNAL_ERROR)


def _has_undecodable_byte(name: str) -> bool:
    """Return whether a name holds a byte that the encoding of file names does not have, as Python marks it."""
    return any("\udc80" <= sign <= "\udcff" for sign in name)


def _lacking_resource(error: Exception) -> str:
    """Return the sentence on a limit of the machine that stopped a command, in Python, a library or an import.

    Empty if it was another error.
    """
    words = str(error)
    if isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(words):
        return f"memory does not suffice: {words or 'no more is given'}; ask for less"
    if _OUT_OF_FILES.search(words):
        return f"too many files are open ({words}); raise the limit on open files (ulimit -n)"
    if _OUT_OF_THREADS.search(words):
        return f"no more processes or threads may be started ({words}); raise their limit (ulimit -u)"
    return ""


def _resume_command(arguments: list[str]) -> str:
    """Return the command that resumes an interrupted one; `reproduce` always resumes."""
    missing = ["--resume"] if arguments[0] in ("train", "probe") and "--resume" not in arguments else []
    return shlex.join(["maetheory", *arguments, *missing])


def _print_error(sentence: str, code: int) -> int:
    print_line(f"maetheory: {printable_sentence(sentence)}", sys.stderr)
    return code


@app.callback(invoke_without_command=True)
def _application_options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print_line(__version__, sys.stdout)
